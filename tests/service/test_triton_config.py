"""Promises of service.triton_config."""

import contextlib
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ModelFileError
from service.triton_config import TritonConfig, parse

DENSENET = """
# As Triton's examples have it.
name: "densenet_onnx"
platform: "onnxruntime_onnx"
max_batch_size : 8
input [
  {
    name: "data_0"
    data_type: TYPE_FP32
    format: FORMAT_NCHW
    dims: [ 3, 224, 224 ]
    reshape { shape: [ 1, 3, 224, 224 ] }
  }
]
output [
  {
    name: "fc6_1"
    data_type: TYPE_FP32
    dims: [ 1000 ]
    label_filename: "densenet_labels.txt"
  }
]
instance_group [ { count: 2 kind: KIND_GPU } ]
dynamic_batching { preferred_batch_size: [ 4, 8 ], max_queue_delay_microseconds: 100 }
"""


def test_a_configuration_as_triton_has_it() -> None:
    """What has a meaning here is found; what has none is named."""
    assert parse(DENSENET) == TritonConfig(
        max_batch_size=8,
        label_files={"fc6_1": "densenet_labels.txt"},
        unused=("instance_group", "dynamic_batching"),
    )


@pytest.mark.parametrize(
    ("policy", "served"),
    [
        pytest.param("", [1, 2, 10], id="none"),
        pytest.param("version_policy: { all { }}", [1, 2, 10], id="all"),
        pytest.param("version_policy: { latest { num_versions: 2 }}", [2, 10], id="latest"),
        pytest.param("version_policy { latest: {} }", [10], id="latest without a number"),
        pytest.param("version_policy: { specific: { versions: [1, 2, 7]}}", [1, 2], id="specific"),
        pytest.param("version_policy: { specific: { versions: 1, versions: 10}}", [1, 10], id="repeated"),
    ],
)
def test_the_policy_picks_versions(policy: str, served: list[int]) -> None:
    """Those of them that are there."""
    assert parse(policy).served([10, 1, 2]) == served


@pytest.mark.parametrize(
    ("text", "said"),
    [
        pytest.param("name: 'x", "line 1 cannot be read", id="open string"),
        pytest.param("input [ { name: 'x' ", "expected where 'the file ends'", id="open list"),
        pytest.param("max_batch_size: many", "max_batch_size is 'many'", id="no number"),
        pytest.param("max_batch_size: -1", "max_batch_size is '-1'", id="negative"),
        pytest.param("dims: [1 2]", ", is expected where '2' is", id="no comma"),
        pytest.param("backend: 'python'", "is for 'python'; served are onnxruntime", id="backend"),
        pytest.param("a {" * 2000, "nested more than 20 deep", id="deep"),
        pytest.param("\x00", "cannot be read", id="binary"),
    ],
)
def test_what_is_no_configuration_is_refused(text: str, said: str) -> None:
    """With the place."""
    with pytest.raises(ModelFileError, match=said):
        parse(text)


marks = st.text("{}[]:<>,;\"'\\\\#\n a1._", max_size=60)


@given(text=st.text(max_size=60) | marks, at=st.integers(0, len(DENSENET)))
def test_no_text_escapes(text: str, at: int) -> None:
    """Whatever is in the file, alone or in the middle of a good one: a configuration, or an error of ours."""
    for whole in (text, DENSENET[:at] + text + DENSENET[at:], DENSENET[:at] + text):
        with contextlib.suppress(ModelFileError):
            assert isinstance(parse(whole), TritonConfig)


@pytest.mark.parametrize(
    "text", ["{" * 200_000, "a:[" * 50_000, "a { " * 50_000, '"' + "\\" * 300_001, "a:1 " * 100_000, "#" * 500_000]
)
def test_a_long_file_takes_no_longer_than_it_is(text: str) -> None:
    """Nothing is nested without end, and nothing is looked at again and again."""
    start = time.process_time()
    with contextlib.suppress(ModelFileError):
        parse(text)
    assert time.process_time() - start < 5

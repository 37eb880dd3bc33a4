"""What is asked, and what is a right answer."""

import io

import numpy as np
import pytest
from PIL import Image

from benchmarks import workloads
from benchmarks.errors import BenchmarkError
from benchmarks.workloads import Workload
from tests.benchmarks.conftest import Answering


def http(body: bytes, status: str = "200 OK") -> bytes:
    """An answer."""
    return f"HTTP/1.1 {status}\r\ncontent-length: {len(body)}\r\n\r\n".encode() + body


def test_a_right_answer_passes(answers: Answering) -> None:
    """Its text and its length are as they should be."""
    with answers(http(b"hello")) as url:
        Workload("x", "/", b"", text="hell", length=5).check(url)


@pytest.mark.parametrize(
    "answer",
    [http(b"hello", "500 Internal Server Error"), http(b"hullo"), http(b"hello!")],
    ids=["status", "text", "length"],
)
def test_a_wrong_answer_is_an_error(answers: Answering, answer: bytes) -> None:
    """What it was is told."""
    with answers(answer) as url, pytest.raises(BenchmarkError, match="/ answers "):
        Workload("x", "/", b"", text="hell", length=5).check(url)


def test_the_first_class_of_a_classification_must_be_the_known_one() -> None:
    """The text that is looked for stands at the beginning of the predictions."""
    assert workloads.classification("photo", "m", b"", 285).text == '"predictions":[{"class_id":285,'


def test_a_tensor_answer_is_compared_with_the_known_logits() -> None:
    """In binary, behind the head of the answer."""
    logits = np.array([[1.0, 2.0]], np.float32)
    asked = workloads.tensor("m", "x", np.zeros((1, 3, 2, 2), np.float32), logits)
    assert asked.right(b'{"outputs":[]}' + logits.tobytes())
    assert not asked.right(b'{"outputs":[]}' + (logits + 0.1).tobytes())
    assert int(asked.headers["Inference-Header-Content-Length"]) == len(asked.body) - 48


def test_a_map_is_compared_with_the_known_one() -> None:
    """As npy."""
    expected = np.arange(8, dtype=np.float32).reshape(1, 2, 2, 2)
    asked = workloads.feature_map("m", b"", expected)
    written = io.BytesIO()
    np.save(written, expected + 1)
    assert len(written.getvalue()) == asked.length
    assert not asked.right(written.getvalue())


def test_the_large_photo_is_as_large_as_a_camera_writes_it() -> None:
    """Twelve megapixels, in a few megabytes."""
    photo = workloads.large_photo()
    assert Image.open(io.BytesIO(photo)).size == (4000, 3000)
    assert 2e6 < len(photo) < 6e6


def test_the_small_picture_is_a_grey_png_of_28_pixels() -> None:
    """As LeNet-5 takes it."""
    picture = Image.open(io.BytesIO(workloads.small_picture()))
    assert (picture.format, picture.mode, picture.size) == ("PNG", "L", (28, 28))

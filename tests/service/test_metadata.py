"""Promises of service.metadata."""

import contextlib
import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from service import metadata
from service.errors import ModelFileError
from tests import tiny_models


@pytest.fixture
def fields() -> dict[str, Any]:
    """The content of a good file."""
    loaded: dict[str, Any] = json.loads(tiny_models.metadata(b"x").to_json())
    return loaded


def read(tmp_path: Path, fields: dict[str, Any]) -> metadata.Metadata:
    """Write a file and read it."""
    path = tmp_path / "metadata.json"
    path.write_text(json.dumps(fields))
    return metadata.read(path)


def test_what_is_written_is_read_again(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Writing and reading give the same metadata."""
    assert read(tmp_path, fields) == tiny_models.metadata(b"x")


@pytest.mark.parametrize("name", ["schema_version", "input", "output", "layers", "source", "artifact"])
def test_nothing_has_a_default(tmp_path: Path, fields: dict[str, Any], name: str) -> None:
    """A file without a section is invalid, and the error names the section."""
    del fields[name]
    with pytest.raises(ModelFileError, match=f"{name}: Field required"):
        read(tmp_path, fields)


@pytest.mark.parametrize(
    ("section", "key", "value", "message"),
    [
        pytest.param("input", "mena", [0.0], "input.mena: Extra inputs", id="misspelt"),
        pytest.param("input", "crop_fraction", 1.5, "input.crop_fraction: .*less than or equal to 1", id="range"),
        pytest.param("input", "std", [0.0], "input.std.0: .*greater than 0", id="zero deviation"),
        pytest.param("input", "height", "2", "input.height: .*integer", id="text for a number"),
        pytest.param("input", "color", "bgr", "input.color: .*'rgb' or 'grey'", id="unknown color"),
        pytest.param("input", "mean", [0.0, 0.0], "mean has 2 values; color 'grey' has 1 channels", id="channels"),
        pytest.param("artifact", "sha256", "abc", "artifact.sha256: String should match", id="no hash"),
    ],
)
def test_a_wrong_value_is_named(
    tmp_path: Path,
    fields: dict[str, Any],
    section: str,
    key: str,
    value: object,
    message: str,
) -> None:
    """The error says where the wrong value is, and what would be accepted."""
    fields[section][key] = value
    with pytest.raises(ModelFileError, match=message):
        read(tmp_path, fields)


def test_every_wrong_place_is_told_at_once(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Two wrong places are two complaints in one error."""
    del fields["summary"]
    del fields["input"]["std"]
    with pytest.raises(ModelFileError, match="summary: Field required; input.std: Field required"):
        read(tmp_path, fields)


def test_a_file_that_is_no_json_is_refused(tmp_path: Path) -> None:
    """A file that was cut short is an error of ours, not a crash."""
    path = tmp_path / "metadata.json"
    path.write_text('{"schema_version": 1, "na')
    with pytest.raises(ModelFileError, match="the file: Invalid JSON"):
        metadata.read(path)


def test_a_missing_file_is_refused(tmp_path: Path) -> None:
    """A file that is not there is an error of ours, not a crash."""
    with pytest.raises(ModelFileError, match="cannot be read: No such file"):
        metadata.read(tmp_path / "metadata.json")


def test_a_layout_that_is_left_out_is_channels_first(tmp_path: Path, fields: dict[str, Any]) -> None:
    """As all files were before there was one."""
    del fields["input"]["layout"]
    assert read(tmp_path, fields).input.shape == (1, 2, 2)
    fields["input"] |= {"layout": "nhwc", "height": 3}
    assert read(tmp_path, fields).input.shape == (3, 2, 1)


def test_a_network_without_classes_has_no_labels(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Labels of nothing are a mistake."""
    fields["output"]["values"] = "none"
    with pytest.raises(ModelFileError, match="labels are given, and values is 'none'"):
        read(tmp_path, fields)


def test_only_a_copy_says_what_it_was_made_from(tmp_path: Path, fields: dict[str, Any]) -> None:
    """Files from before there were copies stay valid, and what is no copy does not mention them."""
    assert read(tmp_path, fields).copy_of is None
    assert "copy_of" not in read(tmp_path, fields).to_json()
    fields["copy_of"] = {
        "name": "original",
        "version": 1,
        "artifact": fields["artifact"],
        "precision": "int8",
        "before": [],
        "max_drop": 0.01,
        "gone": ["conv1"],
        "speed": [{"threads": 1, "original": 2.0, "copied": 1.0, "runs": 200, "machine": "a processor"}],
    }
    copied = read(tmp_path, fields)
    assert copied.copy_of is not None
    assert (copied.copy_of.name, copied.copy_of.gone) == ("original", ("conv1",))
    assert '"copy_of": {' in copied.to_json()
    fields["copy_of"]["max_drop"] = 2
    with pytest.raises(ModelFileError, match=r"copy_of.max_drop"):
        read(tmp_path, fields)


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_subnormal=False) | st.text(max_size=5),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=5), inner, max_size=3),
    max_leaves=8,
)


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_no_file_escapes(tmp_path: Path, fields: dict[str, Any], data: st.DataObject) -> None:
    """Whatever stands somewhere in it, and wherever it is cut off: metadata, or an error of ours."""
    place = changed = json.loads(json.dumps(fields))
    while isinstance(inner := place[key := data.draw(st.sampled_from(sorted(place)))], dict) and inner:
        if not data.draw(st.booleans()):
            break
        place = inner
    place[key] = data.draw(values)
    text = json.dumps(changed)
    path = tmp_path / "metadata.json"
    path.write_text(text[: data.draw(st.integers(0, len(text)) | st.just(len(text)))])
    with contextlib.suppress(ModelFileError):
        assert metadata.read(path).schema_version == metadata.SCHEMA_VERSION

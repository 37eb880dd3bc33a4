"""Promises of service.repository."""

from pathlib import Path

import pytest

from service.errors import ModelFileError
from service.repository import ModelFolder, add, next_version, scan
from tests import tiny_models


def test_models_and_versions_are_found_in_order(repository: Path) -> None:
    """By name, then by version as a number: 10 comes after 9."""
    for name, version in [("b", 10), ("b", 9), ("a", 1)]:
        tiny_models.publish(repository, name=name, version=version)
    assert [(folder.name, folder.version) for folder in scan(repository)] == [("a", 1), ("b", 9), ("b", 10)]


def test_what_is_no_model_is_passed_over(repository: Path) -> None:
    """Files, hidden folders, and folders beside the versions are none of ours."""
    tiny_models.publish(repository)
    (repository / "README.md").write_text("notes")
    (repository / ".git" / "1").mkdir(parents=True)
    (repository / "brightness" / "latest").mkdir()
    (repository / "brightness" / "01").mkdir()
    (repository / "brightness" / "0").mkdir()
    assert [(folder.name, folder.version) for folder in scan(repository)] == [("brightness", 1)]


@pytest.mark.parametrize("place", ["stray.onnx", "stray/model.onnx"])
def test_a_model_in_the_wrong_place_is_told(repository: Path, place: str) -> None:
    """A file that was just dropped in is found, with where it belongs."""
    path = repository / place
    path.parent.mkdir(exist_ok=True)
    path.write_bytes(tiny_models.brightness().SerializeToString())
    (folder,) = scan(repository)
    with pytest.raises(ModelFileError, match="as stray/1/model.onnx"):
        folder.read_model(None)


def test_no_repository_is_an_error(tmp_path: Path) -> None:
    """A folder that is not there is named."""
    with pytest.raises(ModelFileError, match="missing cannot be read: No such file"):
        scan(tmp_path / "missing")


def test_a_file_is_checked_against_its_metadata(repository: Path) -> None:
    """A file that was swapped for another of the same size is refused by its hash."""
    path = tiny_models.publish(repository) / "model.onnx"
    (folder,) = scan(repository)
    metadata = folder.read_metadata()
    data = bytearray(path.read_bytes())
    assert folder.read_model(metadata) == data
    data[-1] ^= 1
    path.write_bytes(data)
    with pytest.raises(ModelFileError, match="sha256"):
        folder.read_model(metadata)


def test_a_file_that_was_cut_short_is_told(repository: Path) -> None:
    """Half a file is refused by its size."""
    path = tiny_models.publish(repository) / "model.onnx"
    (folder,) = scan(repository)
    path.write_bytes(path.read_bytes()[:100])
    with pytest.raises(ModelFileError, match=r"has 100 bytes; metadata.json says \d+"):
        folder.read_model(folder.read_metadata())


def test_a_missing_file_is_told(repository: Path) -> None:
    """A version without a model is an error of ours."""
    (repository / "empty" / "1").mkdir(parents=True)
    (folder,) = scan(repository)
    with pytest.raises(ModelFileError, match="model.onnx cannot be read"):
        folder.read_model(None)


def test_metadata_of_another_model_are_refused(repository: Path) -> None:
    """A folder that was copied and not changed is found out."""
    tiny_models.publish(repository).rename(repository / "brightness" / "2")
    (folder,) = scan(repository)
    with pytest.raises(ModelFileError, match="is of 'brightness' version 1, and lies in the folder of .* version 2"):
        folder.read_metadata()


def test_a_file_from_elsewhere_has_no_metadata(repository: Path) -> None:
    """No metadata.json is no error."""
    tiny_models.publish(repository, described=False)
    (folder,) = scan(repository)
    assert folder.read_metadata() is None


def test_a_version_is_added_whole(repository: Path) -> None:
    """Checked before it takes its place; nothing else is left behind."""
    seen = []
    folder = add(repository, "net", 1, {"model.onnx": b"x"}, check=lambda one: seen.append(one.read_model(None)))
    assert folder == repository / "net" / "1"
    assert seen == [b"x"]
    assert [path.name for path in folder.parent.rglob("*")] == ["1", "model.onnx"]
    assert next_version(repository, "net") == 2


def test_a_version_is_never_overwritten(repository: Path) -> None:
    """What is there stays as it is."""
    add(repository, "net", 1, {"model.onnx": b"old"}, check=lambda _: None)
    with pytest.raises(ModelFileError, match="is there already"):
        add(repository, "net", 1, {"model.onnx": b"new"}, check=lambda _: None)
    assert (repository / "net" / "1" / "model.onnx").read_bytes() == b"old"
    assert [path.name for path in (repository / "net").iterdir()] == ["1"]


def test_a_version_that_does_not_pass_its_check_is_not_there(repository: Path) -> None:
    """Nor is a folder for its model."""

    def refuse(_: ModelFolder) -> None:
        raise ModelFileError("not this one")

    with pytest.raises(ModelFileError, match="not this one"):
        add(repository, "net", 1, {"model.onnx": b"x"}, check=refuse)
    assert list(repository.iterdir()) == []
    assert next_version(repository, "net") == 1

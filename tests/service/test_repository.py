"""Promises of service.repository."""

import os
from pathlib import Path

import pytest

from service.errors import ModelFileError
from service.repository import ModelFolder, add, fingerprints, next_version, scan
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
    """Checked before it takes its place; nothing else is left behind, and what is not there yet is made."""
    seen = []
    repository /= "new"
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


@pytest.mark.parametrize("place", ["stray.onnx", "stray/model.onnx"])
def test_what_lies_wrong_has_nothing_beside_it(repository: Path, place: str) -> None:
    """What is in the repository itself, or around it, is of no model."""
    (repository / place).parent.mkdir(exist_ok=True)
    (repository / place).write_bytes(b"x")
    around = [repository / "config.pbtxt", repository.parent / "config.pbtxt"]
    for file in around:
        file.write_text("no configuration")
    (folder,) = scan(repository)
    assert folder.read_config() is None
    for read in (folder.read_metadata, lambda: folder.read_model(None)):
        with pytest.raises(ModelFileError, match="found stray.*; the service reads stray/<version>/model.onnx"):
            read()
    before = folder.fingerprint()
    for file in around:
        file.write_text("another one")
    assert folder.fingerprint() == before


def test_a_stray_file_is_told_unless_it_has_the_name_of_a_folder(repository: Path) -> None:
    """It must not take the place of the model that is there; a folder may have a name that ends like a file."""
    tiny_models.publish(repository, name="net.v2")
    tiny_models.publish(repository, name="net.v2.onnx")
    for name in ("net.v2.onnx.onnx", "other.onnx", "other"):
        (repository / name).touch()
    assert [(folder.name, bool(folder.misplaced)) for folder in scan(repository)] == [
        ("net.v2", False),
        ("net.v2.onnx", False),
        ("other", True),
    ]
    assert list(fingerprints(repository)) == ["net.v2", "net.v2.onnx", "other"]


def test_a_version_is_a_number_of_so_many_digits(repository: Path) -> None:
    """In ASCII, without zeros in front; and a folder."""
    for name in ("1", "9" * 18, "9" * 19, "٣", "²", "-1", "1.0", "0x1", "007", "0"):
        (repository / "net" / name).mkdir(parents=True)
    (repository / "net" / "5").write_text("a file")
    assert [folder.version for folder in scan(repository)] == [1, 10**18 - 1]
    assert next_version(repository, "net") == 10**18
    assert next_version(repository, "other") == 1


def test_a_place_that_cannot_be_written_is_told(repository: Path) -> None:
    """And nothing is left there."""
    (repository / "file").touch()
    with pytest.raises(ModelFileError, match="net/1 cannot be written: Not a directory"):
        add(repository / "file", "net", 1, {}, check=lambda _: None)
    with pytest.raises(ModelFileError, match="net/1 cannot be written: Is a directory"):
        add(repository, "net", 1, {"../fresh": b""}, check=lambda _: None)
    assert [path.name for path in repository.iterdir()] == ["file"]


def test_a_version_that_fails_leaves_the_others(repository: Path) -> None:
    """Their folder is not empty."""
    add(repository, "net", 1, {"model.onnx": b"x"}, check=lambda _: None)

    def refuse(_: ModelFolder) -> None:
        raise ModelFileError("not this one")

    with pytest.raises(ModelFileError, match="not this one"):
        add(repository, "net", 2, {"model.onnx": b"x"}, check=refuse)
    assert [path.name for path in (repository / "net").iterdir()] == ["1"]


def test_what_is_served_of_a_model_tells_whether_it_changed(repository: Path) -> None:
    """Its files, those beside its versions, and where they lie; nothing else does."""
    version = tiny_models.publish(repository)
    for path in ("README.md", "brightness/1/card.md", "brightness/.hidden", "brightness/old/model.onnx"):
        (repository / path).parent.mkdir(exist_ok=True)
        (repository / path).write_text("before")
    before = fingerprints(repository)
    assert list(before) == ["brightness"]
    (folder,) = scan(repository)
    own = folder.fingerprint()
    for path in ("README.md", "brightness/1/card.md", "brightness/.hidden", "brightness/old/model.onnx"):
        (repository / path).write_text("and behind it")
        (repository / "_later").mkdir(exist_ok=True)
    assert (fingerprints(repository), folder.fingerprint()) == (before, own)
    for change in (version / "model.onnx", version / "metadata.json", repository / "brightness" / "labels.txt"):
        with change.open("a") as file:
            file.write(" ")
        assert fingerprints(repository)["brightness"] != before["brightness"]
        assert folder.fingerprint() != own
        before, own = fingerprints(repository), folder.fingerprint()
    (repository / "stray.onnx").touch()
    (repository / "brightness.onnx").touch()
    with_strays = fingerprints(repository)
    assert list(with_strays) == ["brightness", "stray"]
    assert set(with_strays["brightness"]) > set(before["brightness"])


def test_a_time_that_was_put_back_hides_no_change(repository: Path) -> None:
    """A file of the same size and age is another one all the same."""
    file = tiny_models.publish(repository) / "model.onnx"
    before, facts = fingerprints(repository), file.stat()
    file.write_bytes(bytes(facts.st_size))
    os.utime(file, ns=(facts.st_atime_ns, facts.st_mtime_ns))
    assert (file.stat().st_size, file.stat().st_mtime_ns) == (facts.st_size, facts.st_mtime_ns)
    assert fingerprints(repository) != before


@pytest.mark.parametrize(
    ("name", "message"),
    [
        pytest.param("latin", "latin is no text in UTF-8: invalid start byte at byte 1", id="no text"),
        pytest.param("a\0b", "cannot be the name of a file", id="no name"),
        pytest.param("circle", "cannot be the name of a file|circle cannot be read", id="a circle"),
        pytest.param("outside", "leads out of the folder of model 'net'", id="a link out of it"),
        pytest.param("../other/labels.txt", "leads out of the folder of model 'net'", id="another model's"),
        pytest.param("missing", "missing cannot be read: No such file", id="missing"),
        pytest.param("large", "large has 4,194,305 bytes; accepted: up to 4,194,304", id="large"),
    ],
)
def test_labels_that_cannot_be_read_are_told(repository: Path, name: str, message: str) -> None:
    """Without what is in them, where they are elsewhere."""
    for model in ("net", "other"):
        (repository / model / "1").mkdir(parents=True)
        (repository / model / "labels.txt").write_text("one\ntwo\n")
    folder, _ = scan(repository)
    (repository / "net" / "latin").write_bytes(b"a\xff")
    (repository / "net" / "circle").symlink_to("circle")
    (repository / "net" / "outside").symlink_to(repository / "other" / "labels.txt")
    (repository / "net" / "large").touch()
    os.truncate(repository / "net" / "large", 2**22 + 1)
    assert folder.read_labels("labels.txt") == ("one", "two")
    with pytest.raises(ModelFileError, match=message):
        folder.read_labels(name)


def test_a_configuration_is_of_a_reasonable_size(repository: Path) -> None:
    """A quarter of a MiB; one that is missing is none, and one that is a broken link is told."""
    (repository / "net" / "1").mkdir(parents=True)
    (folder,) = scan(repository)
    config = repository / "net" / "config.pbtxt"
    assert folder.read_config() is None
    config.write_text("#" * 2**18)
    assert folder.read_config() is not None
    config.write_text("#" * (2**18 + 1))
    with pytest.raises(ModelFileError, match="config.pbtxt has 262,145 bytes; accepted: up to 262,144"):
        folder.read_config()
    config.unlink()
    config.symlink_to("nowhere")
    with pytest.raises(ModelFileError, match="config.pbtxt cannot be read: No such file"):
        folder.read_config()

"""What is on disk: `models/<name>/<version>/model.onnx`, with `metadata.json` beside it.

A repository made for Triton has `models/<name>/config.pbtxt` too, and perhaps a file with labels.

The only file that reads the model repository.  What is loaded from it is the registry's business.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service import metadata, triton_config
from service.errors import ModelFileError
from service.metadata import Metadata
from service.triton_config import TritonConfig

MODEL_FILE: Final = "model.onnx"


@dataclass(frozen=True)
class ModelFolder:
    """One version of a model on disk.

    Args:
        name: The name of the model.
        version: A positive integer.
        path: The folder of the version.
        misplaced: What is wrong with where the files lie; None where they lie right.
    """

    name: str
    version: int
    path: Path
    misplaced: str | None = None

    def read_metadata(self) -> Metadata | None:
        """Read `metadata.json`; None where there is none, as with a file from elsewhere.

        Raises:
            ModelFileError: It does not follow the schema, or it speaks of another model.
        """
        path = self.path / metadata.FILE_NAME
        if not path.exists():
            return None
        found = metadata.read(path)
        if (found.name, found.version) != (self.name, self.version):
            raise ModelFileError(
                f"{path.name} is of {found.name!r} version {found.version}, and lies in the folder of"
                f" {self.name!r} version {self.version}"
            )
        return found

    def read_config(self) -> TritonConfig | None:
        """Read `config.pbtxt`, which lies beside the versions of a model made for Triton; None where there is none.

        Raises:
            ModelFileError: It cannot be read, or is for another kind of model.
        """
        return None if self.misplaced else _read_config(self.path.parent)

    def read_labels(self, file: str) -> tuple[str, ...]:
        """Read a file with one label in each line, which lies beside the versions of a model.

        Raises:
            ModelFileError: It cannot be read, or lies elsewhere.
        """
        path = self.path.parent / file
        if not path.resolve().is_relative_to(self.path.parent.resolve()):
            raise ModelFileError(f"label_filename {file!r} leads out of the folder of model {self.name!r}")
        return tuple(_read_text(path).splitlines())

    def read_model(self, expected: Metadata | None) -> bytes:
        """Read `model.onnx`, and check its size and hash where metadata are there to tell them.

        Raises:
            ModelFileError: It is missing, unreadable, or not the file that the metadata speak of.
        """
        if self.misplaced:
            raise ModelFileError(self.misplaced)
        try:
            data = (self.path / MODEL_FILE).read_bytes()
        except OSError as error:
            raise ModelFileError(f"{MODEL_FILE} cannot be read: {error.strerror}") from error
        if expected is not None:
            _check(data, expected)
        return data


def scan(root: Path) -> list[ModelFolder]:
    """Find every version of every model, in order of name and version.

    Things that look like a model in a wrong place are found too, with what is wrong, so that nobody wonders where
    a model has gone.

    Raises:
        ModelFileError: The folder cannot be read.
    """
    try:
        entries = sorted(root.iterdir())
    except OSError as error:
        raise ModelFileError(f"the model repository {root} cannot be read: {error.strerror}") from error
    return [folder for entry in entries if not entry.name.startswith((".", "_")) for folder in _versions(entry)]


def next_version(root: Path, name: str) -> int:
    """One more than the highest version of a model; 1 where there is none."""
    parent = root / name
    numbers = (int(child.name) for child in parent.iterdir() if _is_version(child)) if parent.is_dir() else ()
    return max(numbers, default=0) + 1


def add(
    root: Path, name: str, version: int, files: Mapping[str, bytes], *, check: Callable[[ModelFolder], object]
) -> Path:
    """Write a version: whole or not at all, and never over another one.

    Args:
        root: The model repository.
        name: The name of the model.
        version: Its number.
        files: Their contents by name.
        check: Gets the files before they take their place; what it raises leaves the repository as it was.

    Returns:
        The folder of the version.

    Raises:
        ModelFileError: The version is there already, or it cannot be written.
    """
    target = root / name / str(version)
    try:
        target.parent.mkdir(parents=True, exist_ok=True)
        # The name starts with a dot, so that a service that looks in the meantime takes it for no version.
        with tempfile.TemporaryDirectory(prefix=".adding-", dir=target.parent) as scratch:
            fresh = Path(scratch) / "fresh"
            fresh.mkdir()
            for file, content in files.items():
                (fresh / file).write_bytes(content)
            check(ModelFolder(name, version, fresh))
            _place(fresh, target)
    except OSError as error:
        raise ModelFileError(f"{target} cannot be written: {error.strerror or error}") from error
    finally:
        _remove_empty(target.parent)
    return target


def _place(fresh: Path, target: Path) -> None:
    if target.exists():
        raise ModelFileError(f"{target} is there already, and versions are never overwritten")
    fresh.rename(target)


def _remove_empty(folder: Path) -> None:
    """A model without versions would be listed as misplaced."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _versions(entry: Path) -> Iterator[ModelFolder]:
    if entry.suffix == ".onnx":
        yield _misplaced(entry.stem, entry.parent, found=entry.name)
    elif entry.is_dir():
        numbers = sorted(int(child.name) for child in entry.iterdir() if _is_version(child))
        yield from (ModelFolder(entry.name, number, entry / str(number)) for number in _served(entry, numbers))
        if not numbers:
            yield _misplaced(entry.name, entry, found=f"{entry.name}/ without a version folder")


def _served(entry: Path, versions: list[int]) -> list[int]:
    """What `config.pbtxt` lets of the versions of a model; one that cannot be read is an error when they are loaded."""
    try:
        config = _read_config(entry)
    except ModelFileError:
        return versions
    return config.served(versions) if config else versions


def _read_config(folder: Path) -> TritonConfig | None:
    path = folder / triton_config.FILE_NAME
    return triton_config.parse(_read_text(path)) if path.exists() else None


def _read_text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{path.name} is no text in UTF-8: {error}") from error


def _misplaced(name: str, path: Path, *, found: str) -> ModelFolder:
    advice = f"found {found}; the service reads {name}/<version>/{MODEL_FILE}, as {name}/1/{MODEL_FILE}"
    return ModelFolder(name, 1, path, misplaced=advice)


def _is_version(path: Path) -> bool:
    name = path.name
    return name.isascii() and name.isdecimal() and not name.startswith("0") and path.is_dir()


def _check(data: bytes, expected: Metadata) -> None:
    artifact = expected.artifact
    if len(data) != artifact.bytes:
        raise ModelFileError(f"{MODEL_FILE} has {len(data):,} bytes; {metadata.FILE_NAME} says {artifact.bytes:,}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != artifact.sha256:
        raise ModelFileError(f"{MODEL_FILE} has sha256 {digest}; {metadata.FILE_NAME} says {artifact.sha256}")

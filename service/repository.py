"""What is on disk: `models/<name>/<version>/model.onnx`, with `metadata.json` beside it.

A repository made for Triton has `models/<name>/config.pbtxt` too, and perhaps a file with labels.

The only file that reads the model repository.  What is loaded from it is the registry's business.
"""

import hashlib
import tempfile
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final, TypeAlias

from service import metadata, regular_file, triton_config
from service.errors import ModelFileError
from service.metadata import Metadata
from service.triton_config import TritonConfig

MODEL_FILE: Final = "model.onnx"

_MAX_MODEL_BYTES: Final = 2**31  # no file of this format can be larger
_MAX_CONFIG_BYTES: Final = 2**18
_MAX_LABELS_BYTES: Final = 2**22  # 100,000 classes
_LONGEST_VERSION: Final = 18  # digits, so that any program can hold it in 64 bits

FileFacts: TypeAlias = tuple[str, int, int, int, int]
"""Path, size, time of the last change to content and to anything, inode."""
Fingerprint: TypeAlias = tuple[FileFacts, ...]
"""What can be told of files without reading them; where it is the same, so are they."""


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
            ModelFileError: It does not follow the schema, or it speaks of another model; or the files lie wrong.
        """
        self._require_place()
        path = self.path / metadata.FILE_NAME
        if not regular_file.is_there(path):
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
        return tuple(_read_text(self.path.parent, file, max_bytes=_MAX_LABELS_BYTES).splitlines())

    def read_model(self, expected: Metadata | None, *, max_bytes: int = _MAX_MODEL_BYTES) -> bytes:
        """Read `model.onnx`, and check its size and hash where metadata are there to tell them.

        Raises:
            ModelFileError: It is missing, unreadable, too large, or not the file that the metadata speak of.
        """
        self._require_place()
        data = regular_file.read(self.path / MODEL_FILE, max_bytes=max_bytes)
        if expected is not None:
            _check(data, expected)
        return data

    def _require_place(self) -> None:
        if self.misplaced:
            raise ModelFileError(self.misplaced)

    def fingerprint(self) -> Fingerprint:
        """What can be told without reading them of its files, and of those beside its version."""
        if self.misplaced:
            return ((self.misplaced, 0, 0, 0, 0),)
        return _facts((*_files_of_version(self.path), *_plain_files(self.path.parent)))


def scan(root: Path) -> list[ModelFolder]:
    """Find every version of every model, in order of name and version.

    Things that look like a model in a wrong place are found too, with what is wrong, so that nobody wonders where
    a model has gone.

    Raises:
        ModelFileError: The folder cannot be read.
    """
    entries = _entries(root)
    folders = {entry.name for entry in entries if entry.is_dir()}
    shown = (entry for entry in entries if _is_shown(entry) and not _is_beside_its_folder(entry, folders))
    return [folder for entry in shown for folder in _versions(entry)]


def fingerprints(root: Path) -> dict[str, Fingerprint]:
    """What can be told of the files of each model without reading them, by its name.

    Raises:
        ModelFileError: The folder cannot be read.
    """
    entries = _entries(root)
    shown = (entry for entry in entries if _is_shown(entry) and (entry.suffix == ".onnx" or entry.is_dir()))
    found: dict[str, Fingerprint] = {}
    for entry in shown:
        name = _printable(entry.name if entry.is_dir() else entry.stem)
        found[name] = found.get(name, ()) + _facts(_files_of_model(entry))
    return found


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


def _entries(root: Path) -> list[Path]:
    try:
        return sorted(root.iterdir())
    except OSError as error:
        raise ModelFileError(f"the model repository {root.name or root} cannot be read: {error.strerror}") from error


def _place(fresh: Path, target: Path) -> None:
    if target.exists():
        raise ModelFileError(f"{target} is there already, and versions are never overwritten")
    fresh.rename(target)


def _remove_empty(folder: Path) -> None:
    """A model without versions would be listed as misplaced."""
    if folder.is_dir() and not any(folder.iterdir()):
        folder.rmdir()


def _versions(entry: Path) -> Iterator[ModelFolder]:
    if not entry.name.isprintable():
        advice = "the name of its folder holds characters that cannot be printed; give it another one"
        yield ModelFolder(_printable(entry.name), 1, entry, misplaced=advice)
    elif entry.is_dir():
        try:
            yield from _versions_within(entry)
        except OSError as error:
            yield ModelFolder(entry.name, 1, entry, misplaced=f"its folder cannot be read: {error.strerror}")
    elif entry.suffix == ".onnx":
        yield _misplaced(entry.stem, entry.parent, found=entry.name)


def _versions_within(folder: Path) -> Iterator[ModelFolder]:
    numbers = sorted(int(child.name) for child in folder.iterdir() if _is_version(child))
    yield from (ModelFolder(folder.name, number, folder / str(number)) for number in _served(folder, numbers))
    if not numbers:
        yield _misplaced(folder.name, folder, found=f"{folder.name}/ without a version folder")


def _is_shown(entry: Path) -> bool:
    return not entry.name.startswith((".", "_"))


def _is_beside_its_folder(entry: Path, folders: set[str]) -> bool:
    """Whether it is a file with the name of a model that is there: it must not take its place."""
    return entry.stem in folders and not entry.is_dir()


def _printable(name: str) -> str:
    r"""A name as it can be shown; no two become one.

    >>> _printable("a\nb")
    'a\\nb'
    """
    return name if name.isprintable() else ascii(name)[1:-1]


def _files_of_model(entry: Path) -> Iterator[Path]:
    """All files that say what is served of a model."""
    if not entry.is_dir():
        yield entry
        return
    for version in _children(entry):
        if _is_version(version):
            yield from _files_of_version(version)
    yield from _plain_files(entry)


def _files_of_version(folder: Path) -> Iterator[Path]:
    yield from (folder / MODEL_FILE, folder / metadata.FILE_NAME)


def _plain_files(folder: Path) -> Iterator[Path]:
    """The configuration of a model and its labels, whatever these are called."""
    return (path for path in _children(folder) if _is_shown(path) and path.is_file())


def _children(folder: Path) -> list[Path]:
    try:
        return sorted(folder.iterdir())
    except OSError:  # loading it tells
        return []


def _facts(paths: Iterable[Path]) -> Fingerprint:
    found = []
    for path in paths:
        try:
            facts = path.stat()
        except OSError:
            continue
        found.append((str(path), facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns, facts.st_ino))
    return tuple(found)


def _served(entry: Path, versions: list[int]) -> list[int]:
    """What `config.pbtxt` lets of the versions of a model; one that cannot be read is an error when they are loaded."""
    try:
        config = _read_config(entry)
    except ModelFileError:
        return versions
    return config.served(versions) if config else versions


def _read_config(folder: Path) -> TritonConfig | None:
    path = folder / triton_config.FILE_NAME
    if not regular_file.is_there(path):
        return None
    return triton_config.parse(_read_text(folder, path.name, max_bytes=_MAX_CONFIG_BYTES))


def _read_text(folder: Path, name: str, *, max_bytes: int) -> str:
    """The text of a file in a folder; what it holds is told to callers, so that it must not be one from elsewhere."""
    try:
        inside = (folder / name).resolve().is_relative_to(folder.resolve())
        if not inside:
            raise ModelFileError(f"the file {name!r} leads out of the folder of model {folder.name!r}")
        return regular_file.read(folder / name, max_bytes=max_bytes).decode()
    except UnicodeDecodeError as error:
        raise ModelFileError(f"{name} is no text in UTF-8: {error.reason} at byte {error.start}") from error
    except (ValueError, RuntimeError) as error:  # no name at all; links that go in circles
        raise ModelFileError(f"{name!r} cannot be the name of a file") from error


def _misplaced(name: str, path: Path, *, found: str) -> ModelFolder:
    advice = f"found {found}; the service reads {name}/<version>/{MODEL_FILE}, as {name}/1/{MODEL_FILE}"
    return ModelFolder(name, 1, path, misplaced=advice)


def _is_version(path: Path) -> bool:
    name = path.name
    is_number = name.isascii() and name.isdecimal() and not name.startswith("0")
    return is_number and len(name) <= _LONGEST_VERSION and path.is_dir()


def _check(data: bytes, expected: Metadata) -> None:
    artifact = expected.artifact
    if len(data) != artifact.bytes:
        raise ModelFileError(f"{MODEL_FILE} has {len(data):,} bytes; {metadata.FILE_NAME} says {artifact.bytes:,}")
    digest = hashlib.sha256(data).hexdigest()
    if digest != artifact.sha256:
        raise ModelFileError(f"{MODEL_FILE} has sha256 {digest}; {metadata.FILE_NAME} says {artifact.sha256}")

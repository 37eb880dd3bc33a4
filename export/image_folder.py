"""A folder of images of one's own: a folder for each class, at the top or within `train`, `val` and `test`.

Every image is decoded once, by the code that the service uses, so that training sees what serving sees.  What comes
out is kept in a file without a name, which is gone with the process: the images need not fit into memory.
"""

import math
import tempfile
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import IO, Final

import numpy as np
import torch
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from export.disk import require_space
from export.errors import DataError, SpaceError
from export.images import Images, Splits
from export.recipes import Recipe
from service import image
from service.cores import available_cores
from service.errors import StriateError
from service.metadata import ImageInput

# The largest cameras take 150 million; more is a mistake, or meant to fill the memory.
_MAX_PIXELS: Final = 200_000_000
_SHOWN: Final = 10
_SPLITS: Final[Mapping[str, tuple[str, ...]]] = {
    "train": ("train",),
    "validation": ("val", "valid", "validation"),
    "test": ("test",),
}
"""The names that the folder of each split can have."""


_Classes = Mapping[str, Sequence[Path]]
"""The files of each class, by its name."""


@dataclass(frozen=True)
class _File:
    path: Path
    label: int


def read(folder: Path, recipe: Recipe, *, skip_unreadable: bool = False) -> Splits:
    """Read a folder of images by class.

    With a folder `train`, the images to choose the best epoch by are those of `val`, `valid` or `validation`, and the
    images to measure on those of `test`.  A part that has no folder is drawn from each class, by the seed of the
    recipe.

    Args:
        folder: Holds a folder for each class, or `train` with a folder for each class.
        recipe: The size of the images, how many to hold back, and the seed.
        skip_unreadable: Leave out the files that are no images, and say which.

    Raises:
        DataError: The folder is not as described, has fewer than two classes, a class without images or with too few,
            or files that are no images; every such place is named.
        SpaceError: The decoded images do not fit onto the disk.
    """
    found = _found(folder)
    parts, unreadable = _decoded(found, recipe)
    if unreadable:
        _report(unreadable, skip=skip_unreadable)
        # Drawn and decoded again, or a class could lose the one image that was drawn to measure on.
        found = {split: _without(by_class, unreadable) for split, by_class in found.items()}
        _check(folder, _roots(folder), found)
        parts, _ = _decoded(found, recipe)
    classes = tuple(found["train"])
    about = f"{folder.resolve().name}: {sum(map(len, parts.values())):,} images in {len(classes)} classes"
    return Splits(parts["train"], parts["validation"], parts["test"], classes, about)


def _decoded(found: Mapping[str, _Classes], recipe: Recipe) -> tuple[dict[str, Images], dict[Path, str]]:
    """The images of each split, and what is wrong with files that are no images."""
    files = _drawn(found, recipe)
    total = sum(map(len, files.values()))
    size = math.prod((recipe.input.height, recipe.input.width, recipe.input.channels))
    require_space(Path(tempfile.gettempdir()), total * size, what=f"{total:,} decoded images")
    with _progress() as progress:
        decoder = _Decoder(recipe.input, progress, total)
        return {split: decoder.decode(members) for split, members in files.items()}, decoder.unreadable


def _without(by_class: _Classes, paths: Container[Path]) -> dict[str, list[Path]]:
    return {name: [path for path in files if path not in paths] for name, files in by_class.items()}


def _found(folder: Path) -> dict[str, dict[str, list[Path]]]:
    """The files of each class of each split that has a folder; `train` is all of them where none has one.

    Raises:
        DataError: There are fewer than two classes, a class without files, or splits with different classes.
    """
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; --data takes one that holds a folder of images for each class")
    roots = _roots(folder)
    found = {split: {each.name: _files(each) for each in _folders(root)} for split, root in roots.items()}
    _check(folder, roots, found)
    return found


def _check(folder: Path, roots: Mapping[str, Path], found: Mapping[str, _Classes]) -> None:
    """Raises `DataError` where there are too few classes, an empty one, or others in one split than in another."""
    classes = list(found["train"])
    if len(classes) < 2:
        there = f"only the folder {classes[0]!r}" if classes else "no folders"
        raise DataError(f"{roots['train']} holds {there}; it takes a folder of images for each of two or more classes")
    wrong = [
        f"{roots[split] / name} holds no images" for split in found for name, files in found[split].items() if not files
    ]
    wrong += [text for split in found for text in _other_classes(roots[split], found[split], roots["train"], classes)]
    if wrong:
        raise DataError(f"the images in {folder} cannot be used: {'; '.join(wrong)}")


def _roots(folder: Path) -> dict[str, Path]:
    """The folder of each split that has one; beside other folders, `train` is a class like them."""
    folders = {each.name: each for each in _folders(folder)}
    roots = {split: folders.pop(name) for split, names in _SPLITS.items() for name in names if name in folders}
    return roots if "train" in roots and not folders else {"train": folder}


def _other_classes(root: Path, found: Iterable[str], train: Path, classes: Sequence[str]) -> Iterator[str]:
    """In which way the classes of a split are not those of the training images."""
    if missing := sorted(set(classes) - set(found)):
        yield f"{root} lacks the classes {', '.join(missing)}, which {train} has"
    if more := sorted(set(found) - set(classes)):
        yield f"{root} has the classes {', '.join(more)}, which {train} lacks"


def _folders(folder: Path) -> list[Path]:
    return sorted(each for each in folder.iterdir() if each.is_dir() and not each.name.startswith("."))


def _files(folder: Path) -> list[Path]:
    """All files below a folder but hidden ones."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))


def _drawn(found: Mapping[str, _Classes], recipe: Recipe) -> dict[str, list[_File]]:
    """The files of each split; those of a split without a folder are drawn from each class of `train`.

    Raises:
        DataError: A class has too few images to be in each of them; every such class is named.
    """
    classes = list(found["train"])
    parts = {"validation": recipe.validation_fraction, "test": recipe.test_fraction}
    wanted = {split: part for split, part in parts.items() if split not in found}
    if wrong := [
        f"{name} has {len(found['train'][name])}" for name in classes if len(found["train"][name]) <= len(wanted)
    ]:
        raise DataError(
            f"too few images: {', '.join(wrong)}; each class needs {len(wanted) + 1} or more: one to learn from, "
            f"and one for each of these: {', '.join(wanted)}"
        )
    random = torch.Generator().manual_seed(recipe.seed)
    files = {
        split: [_File(path, label) for label, name in enumerate(classes) for path in found.get(split, {}).get(name, ())]
        for split in ("validation", "test")
    }
    files["train"] = []
    for label, name in enumerate(classes):
        paths = found["train"][name]
        order = [_File(paths[i], label) for i in torch.randperm(len(paths), generator=random)]
        for split, part in wanted.items():
            count = max(1, int(len(paths) * part))
            files[split] += order[:count]
            del order[:count]
        files["train"] += order
    return files


def _progress() -> Progress:
    """Shown on a terminal only, and gone when all is decoded."""
    console = Console(stderr=True)
    columns = (TextColumn("decoding"), BarColumn(), MofNCompleteColumn(), TextColumn("left:"), TimeRemainingColumn())
    return Progress(*columns, console=console, transient=True, disable=not console.is_terminal)


class _Decoder:
    """Decodes files as the service does, several at a time, and collects those that are no images."""

    def __init__(self, spec: ImageInput, progress: Progress, total: int) -> None:
        self.unreadable: dict[Path, str] = {}
        self._spec = spec
        self._progress = progress
        self._task = progress.add_task("", total=total)

    def decode(self, files: Sequence[_File]) -> Images:
        """The readable files, in order.

        Raises:
            SpaceError: The disk is full.
        """
        try:
            # Its pages stay where they are for as long as somebody looks at them.
            with tempfile.TemporaryFile() as file:
                labels = list(self._write(files, file))
                file.flush()
                shape = (len(labels), self._spec.height, self._spec.width, self._spec.channels)
                # Copied when written to, which nobody does: PyTorch warns of memory that cannot be written to.
                pixels = np.memmap(file, np.uint8, "c", shape=shape) if labels else np.empty(shape, np.uint8)
        except OSError as error:
            where = tempfile.gettempdir()
            raise SpaceError(f"the decoded images cannot be written to {where}: {error.strerror}") from error
        return Images(torch.from_numpy(pixels), torch.tensor(labels, dtype=torch.int64))

    def _write(self, files: Sequence[_File], out: IO[bytes]) -> Iterator[int]:
        """Write the pixels of the readable files, and give the label of each."""
        with ThreadPoolExecutor(available_cores()) as threads:
            for file, pixels in zip(files, threads.map(self._pixels, files), strict=True):
                self._progress.advance(self._task)
                if isinstance(pixels, str):
                    self.unreadable[file.path] = pixels
                else:
                    out.write(pixels.tobytes())
                    yield file.label

    def _pixels(self, file: _File) -> NDArray[np.uint8] | str:
        """The pixels of an image, or what is wrong with it."""
        try:
            return image.decode(file.path.read_bytes(), self._spec, max_pixels=_MAX_PIXELS, decoding="exact")
        except OSError as error:
            return f"it cannot be read: {error.strerror}"
        except StriateError as error:
            return str(error)


def _report(unreadable: Mapping[Path, str], *, skip: bool) -> None:
    """Say which files are no images; raises `DataError` where they are not to be skipped."""
    lines = "".join(f"\n  {path}: {wrong}" for path, wrong in islice(unreadable.items(), _SHOWN))
    rest = f"\n  and {len(unreadable) - _SHOWN:,} more" if len(unreadable) > _SHOWN else ""
    if not skip:
        raise DataError(
            f"{len(unreadable):,} files cannot be read; mend or remove them, or pass --skip-unreadable to leave "
            f"them out:{lines}{rest}"
        )
    Console(stderr=True, highlight=False, markup=False).print(
        f"left out, for they cannot be read: {len(unreadable):,} files{lines}{rest}", soft_wrap=True
    )

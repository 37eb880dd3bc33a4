"""A data set in three splits, cut into batches: shuffled, changed and normalised."""

import dataclasses
import math
import os
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

import torch
from torch import Tensor
from torch.nn.functional import pad
from torchvision import datasets

from export import cifar10, idx, image_folder
from export.errors import DataError
from export.images import Images, Splits
from export.labels import LABELS
from export.recipes import DATASETS, OWN_IMAGES, Augmentation, Recipe
from service.metadata import ImageInput

# Pixels at a time: eight bytes each, and three channels.
_PART: Final = 1_000_000


@dataclass(frozen=True)
class _Format:
    """How a data set is had.

    Args:
        files: What its folder holds, for messages.
        read: Reads splits (`train`, `test`) from such a folder.
        download: Has torchvision fetch into a folder what is missing there, and check it; then reads both splits.
    """

    files: str
    read: Callable[[Path, Sequence[str]], dict[str, Images]]
    download: Callable[[Path], dict[str, Images]]


def _idx(name: str, fetch: Callable[..., object], files: str) -> _Format:
    read = partial(idx.read, classes=10)

    def download(cache: Path) -> dict[str, Images]:
        fetch(cache, download=True)
        return read(cache / name / "raw", ("train", "test"))

    return _Format(files, read, download)


_FORMATS: Final[Mapping[str, _Format]] = {
    "fashion-mnist": _idx(
        "FashionMNIST",
        datasets.FashionMNIST,
        "the files of Fashion-MNIST (Debian's package dataset-fashion-mnist puts them into "
        "/usr/share/datasets/fashion-mnist)",
    ),
    "mnist": _idx("MNIST", datasets.MNIST, "the files of MNIST"),
    "cifar-10": _Format("the files of CIFAR-10's binary version", cifar10.read, cifar10.download),
}


READABLE: Final = frozenset(_FORMATS)
"""The data sets that are had from files of their own, by the keys of `export.recipes.DATASETS`."""


def read(dataset: str, folder: Path | None) -> dict[str, Images]:
    """The training and the test images of a data set, as `train` and `test`.

    Args:
        dataset: One of `READABLE`.
        folder: Holds its files; None to download them, once, into the user's cache.

    Raises:
        DataError: Files are missing or damaged.
    """
    return _downloaded(dataset) if folder is None else _read(folder, dataset, ("train", "test"))


def load(folder: Path | None, recipe: Recipe, *, skip_unreadable: bool = False) -> Splits:
    """Read the data set, and hold back a part of its training images, drawn by the seed of the recipe.

    Args:
        folder: Holds the data set; None to download it, once, into the user's cache.
        recipe: Which one it is, and how much to hold back.
        skip_unreadable: Leave out the files of a folder of images that are no images.

    Raises:
        DataError: Files are missing, damaged or hold too little; every such file is named.
        SpaceError: The images of a folder do not fit onto the disk.
    """
    if recipe.dataset == OWN_IMAGES:
        assert folder is not None  # noqa: S101  (the command asks for it)
        return image_folder.read(folder, recipe, skip_unreadable=skip_unreadable)
    parts = read(recipe.dataset, folder)
    images = parts["train"]
    held_back = math.ceil(len(images) * recipe.validation_fraction)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(recipe.seed))
    return Splits(
        train=images.take(order[held_back:]),
        validation=images.take(order[:held_back]),
        test=parts["test"],
        classes=LABELS[recipe.dataset](),
        about=DATASETS[recipe.dataset],
    )


def test_images(folder: Path, dataset: str) -> Images:
    """The images to measure on.

    Args:
        folder: Holds the data set.
        dataset: A key of `export.recipes.DATASETS`.

    Raises:
        DataError: Files are missing or damaged.
    """
    return _read(folder, dataset, ("test",))["test"]


def with_measured_range(recipe: Recipe, splits: Splits) -> Recipe:
    """The recipe with the mean and the deviation of the training images, for each channel, in its input."""
    pixels = splits.train.pixels.flatten(0, 2)  # (N * height * width, C)
    sums, squares = torch.zeros(2, pixels.shape[1], dtype=torch.float64)
    for start in range(0, len(pixels), _PART):
        values = pixels[start : start + _PART].to(torch.float64) / 255
        sums += values.sum(0)
        squares += values.square().sum(0)
    mean = sums / len(pixels)
    # Images of one colour have no deviation; to divide by 1 leaves them as they are.
    std = (squares / len(pixels) - mean.square()).clamp(min=0).sqrt()
    std = torch.where(std < 1e-3, 1.0, std)
    measured = {name: tuple(round(float(v), 4) for v in values) for name, values in (("mean", mean), ("std", std))}
    return dataclasses.replace(recipe, input=recipe.input.model_copy(update=measured))


@dataclass(frozen=True)
class Share:
    """The part of each batch that one of several devices takes.

    Args:
        rank: Which one, from 0.
        of: How many there are.
    """

    rank: int = 0
    of: int = 1


ONE_DEVICE: Final = Share()


class Batches:
    """The batches of one epoch after the other: shuffled, changed and normalised where they are to learn from.

    On several devices each one takes a share of every batch: together they see what one would.

    Args:
        images: What to cut into batches.
        recipe: The batch size, the augmentation, the seed.
        learn: Shuffle anew for each epoch, augment, and leave out the last batch where it is not full.
        share: What to take of each batch.

    Attributes:
        random: What order and augmentation are drawn from; who sets it back gets the same epochs again.
    """

    def __init__(self, images: Images, recipe: Recipe, *, learn: bool, share: Share = ONE_DEVICE) -> None:
        self._images = images
        self._recipe = recipe
        self._learn = learn
        self._share = share
        self.random = torch.Generator().manual_seed(recipe.seed)

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        count = len(self._images) / self._recipe.batch_size
        return max(1, math.floor(count)) if self._learn else math.ceil(count)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch.

        Shape:
            Each batch is inputs (N, C, height, width) float32 and labels (N,) int64.
        """
        count, size = len(self._images), self._recipe.batch_size
        order = torch.randperm(count, generator=self.random) if self._learn else torch.arange(count)
        mine = slice(self._share.rank, None, self._share.of)
        for start in range(0, len(self) * size, size):
            chosen = order[start : start + size]
            batch = self._images.take(chosen[mine])
            pixels = batch.pixels
            if self._learn:
                # Drawn for the whole batch, so that all devices draw the same.
                changes = draw(len(chosen), self._recipe.augmentation, self.random)
                pixels = changed(pixels, changes.take(mine))
            yield normalise(pixels.permute(0, 3, 1, 2), self._recipe.input), batch.labels


@dataclass(frozen=True)
class Changes:
    """How each picture of a batch is moved and mirrored.

    Args:
        shift: The furthest that any is moved, in pixels.
        down: From 0, which is `shift` pixels up, to twice that.
        right: The same to the right.
        mirrored: Left and right change places.

    Shape:
        (N, 1) each.
    """

    shift: int
    down: Tensor
    right: Tensor
    mirrored: Tensor

    def take(self, part: slice) -> "Changes":
        """Those of some of the pictures."""
        return Changes(self.shift, self.down[part], self.right[part], self.mirrored[part])


def draw(count: int, how: Augmentation, random: torch.Generator) -> Changes:
    """Draw how to change `count` pictures."""
    down, right = torch.randint(0, 2 * how.shift + 1, (2, count, 1), generator=random)
    # Nothing is drawn where there is nothing to decide.
    mirrored = torch.rand(count, 1, generator=random) < 0.5 if how.flip else torch.zeros(count, 1, dtype=torch.bool)
    return Changes(how.shift, down, right, mirrored)


def changed(pixels: Tensor, changes: Changes) -> Tensor:
    """Move and mirror pictures; black comes in at the edge.

    Shape:
        (N, height, width, C) of any type, to the same.
    """
    count, height, width, _ = pixels.shape
    padded = pad(pixels, (0, 0, *[changes.shift] * 4))  # (N, height + 2 * shift, width + 2 * shift, C)
    rows = changes.down + torch.arange(height)  # (N, height)
    columns = changes.right + torch.arange(width)  # (N, width)
    columns = torch.where(changes.mirrored, columns.flip(1), columns)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def normalise(pixels: Tensor, spec: ImageInput) -> Tensor:
    """What `service.graph.with_pixels` computes in the graph, here in PyTorch.

    Shape:
        (N, C, height, width) of any type, 0 to 255, to the same in float32.
    """
    mean, std = (torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1) for values in (spec.mean, spec.std))
    # In the order in which convolutions read it, however the pixels lie.
    values = pixels.to(torch.float32, memory_format=torch.contiguous_format)
    return (values * spec.rescale_factor - mean) / std


def _downloaded(dataset: str) -> dict[str, Images]:
    """Both splits, from the user's cache; what is missing there is fetched."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "striate"
    try:
        return _FORMATS[dataset].download(cache)
    except (OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        title = DATASETS[dataset].partition(" (")[0]
        raise DataError(
            f"{title} cannot be downloaded: {why}; pass --data with a folder that holds {_FORMATS[dataset].files}"
        ) from error


def _read(folder: Path, dataset: str, splits: Sequence[str]) -> dict[str, Images]:
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; --data takes one with {_FORMATS[dataset].files}")
    return _FORMATS[dataset].read(folder, splits)

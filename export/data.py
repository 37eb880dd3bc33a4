"""Fashion-MNIST: from a folder or the network, in three splits, with augmentation.

The files are the four of the IDX format (big-endian: a magic number, the sizes, then bytes), each as it is or
compressed with gzip.  All of it fits into memory, and a batch is cut out of it in one step.
"""

import gzip
import math
import os
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torchvision.datasets import FashionMNIST

from export.errors import DataError
from export.recipes import Augmentation, Recipe
from service.metadata import ImageInput

_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_UNSIGNED_BYTES: Final = 0x08
_DEBIAN: Final = "Debian's package dataset-fashion-mnist puts them into /usr/share/datasets/fashion-mnist"


@dataclass(frozen=True)
class Images:
    """Pictures with their classes.

    Args:
        pixels: 0 to 255.
        labels: The number of the class of each, from 0.

    Shape:
        pixels (N, height, width) uint8; labels (N,) int64.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.labels)

    def take(self, indices: Tensor) -> "Images":
        """Some of the pictures, in another order.

        Shape:
            indices (M,) int64.
        """
        return Images(self.pixels[indices], self.labels[indices])


@dataclass(frozen=True)
class Splits:
    """A data set in three parts: to learn from, to choose the best epoch by, and to measure on."""

    train: Images
    validation: Images
    test: Images


def load(folder: Path | None, recipe: Recipe) -> Splits:
    """Read the data set and hold back a part of its training images, drawn by the seed of the recipe.

    Args:
        folder: Holds the four files; None to download them, once, into the user's cache.
        recipe: Says how much to hold back.

    Raises:
        DataError: Files are missing, damaged or hold too little; every such file is named.
    """
    parts = _read_parts(_downloaded() if folder is None else folder)
    images = parts["train"]
    held_back = math.ceil(len(images) * recipe.validation_fraction)
    order = torch.randperm(len(images), generator=torch.Generator().manual_seed(recipe.seed))
    return Splits(images.take(order[held_back:]), images.take(order[:held_back]), parts["test"])


def test_images(folder: Path) -> Images:
    """The images to measure on.

    Raises:
        DataError: Files are missing or damaged.
    """
    return _read_parts(folder, splits=("test",))["test"]


class Batches:
    """The batches of one epoch after the other: shuffled, changed and normalised where they are to learn from.

    Args:
        images: What to cut into batches.
        recipe: The batch size, the augmentation, the seed.
        learn: Shuffle anew for each epoch, augment, and leave out the last batch where it is not full.
    """

    def __init__(self, images: Images, recipe: Recipe, *, learn: bool) -> None:
        self._images = images
        self._recipe = recipe
        self._learn = learn
        self._random = torch.Generator().manual_seed(recipe.seed)

    def __len__(self) -> int:
        """The number of batches of an epoch."""
        count = len(self._images) / self._recipe.batch_size
        return max(1, math.floor(count)) if self._learn else math.ceil(count)

    def __iter__(self) -> Iterator[tuple[Tensor, Tensor]]:
        """One epoch.

        Shape:
            Each batch is inputs (N, 1, height, width) float32 and labels (N,) int64.
        """
        count, size = len(self._images), self._recipe.batch_size
        order = torch.randperm(count, generator=self._random) if self._learn else torch.arange(count)
        for start in range(0, len(self) * size, size):
            batch = self._images.take(order[start : start + size])
            pixels = augment(batch.pixels, self._recipe.augmentation, self._random) if self._learn else batch.pixels
            yield normalise(pixels.unsqueeze(1), self._recipe.input), batch.labels


def augment(pixels: Tensor, how: Augmentation, random: torch.Generator) -> Tensor:
    """Move and mirror each picture by chance.

    Shape:
        (N, height, width) of any type, to the same.
    """
    count, height, width = pixels.shape
    padded = torch.nn.functional.pad(pixels, [how.shift] * 4)  # (N, height + 2 * shift, width + 2 * shift)
    down, right = torch.randint(0, 2 * how.shift + 1, (2, count, 1), generator=random)  # each (N, 1)
    rows = down + torch.arange(height)  # (N, height)
    columns = right + torch.arange(width)  # (N, width)
    if how.flip:
        mirrored = torch.rand(count, 1, generator=random) < 0.5
        columns = torch.where(mirrored, columns.flip(1), columns)
    return padded[torch.arange(count)[:, None, None], rows[:, :, None], columns[:, None, :]]


def normalise(pixels: Tensor, spec: ImageInput) -> Tensor:
    """What `service.graph.with_pixels` computes in the graph, here in PyTorch.

    Shape:
        (N, C, height, width) of any type, 0 to 255, to the same in float32.
    """
    mean, std = (torch.tensor(values, dtype=torch.float32).reshape(1, -1, 1, 1) for values in (spec.mean, spec.std))
    return (pixels.to(torch.float32) * spec.rescale_factor - mean) / std


def _downloaded() -> Path:
    """The folder in the user's cache with the four files; torchvision fetches and checks those that are missing."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "striate"
    try:
        for train in (True, False):
            FashionMNIST(cache, train=train, download=True)
    except (OSError, RuntimeError) as error:
        why = " ".join(str(error).split())
        raise DataError(
            f"Fashion-MNIST cannot be downloaded: {why}; pass a folder that holds it with --data ({_DEBIAN})"
        ) from error
    return cache / "FashionMNIST" / "raw"


def _read_parts(folder: Path, splits: tuple[str, ...] = ("train", "test")) -> dict[str, Images]:
    """Read the files of some splits, and name everything that is wrong with any of them."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; --data takes one with the files of Fashion-MNIST ({_DEBIAN})")
    parts: dict[str, Images] = {}
    wrong: list[str] = []
    for split in splits:
        try:
            parts[split] = _read_split(folder, split)
        except DataError as error:
            wrong.append(str(error))
    if wrong:
        raise DataError(f"the data set in {folder} cannot be used: {'; '.join(wrong)}")
    return parts


def _read_split(folder: Path, split: str) -> Images:
    images_name, labels_name = _FILES[split]
    pixels = _read_idx(folder, images_name, rank=3)
    labels = _read_idx(folder, labels_name, rank=1)
    if not 0 < len(pixels) == len(labels):
        raise DataError(f"{images_name} holds {len(pixels)} pictures, {labels_name} {len(labels)} labels")
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)))


def _read_idx(folder: Path, name: str, *, rank: int) -> NDArray[np.uint8]:
    """One file of unsigned bytes, with `rank` sizes in its head."""
    data = _content(folder, name)
    head = 4 * (1 + rank)
    if len(data) < head or struct.unpack(">HBB", data[:4]) != (0, _UNSIGNED_BYTES, rank):
        raise DataError(f"{name} is no IDX file of unsigned bytes in {rank} dimensions")
    sizes = struct.unpack(f">{rank}I", data[4:head])
    if len(data) - head != math.prod(sizes):
        raise DataError(
            f"{name} should hold {'x'.join(map(str, sizes))} bytes after its head, and holds {len(data) - head:,}"
        )
    return np.frombuffer(data, np.uint8, offset=head).reshape(sizes).copy()


def _content(folder: Path, name: str) -> bytes:
    plain, packed = folder / name, folder / f"{name}.gz"
    try:
        if plain.is_file():
            return plain.read_bytes()
        return gzip.decompress(packed.read_bytes())
    except FileNotFoundError as error:
        raise DataError(f"{name} (or {name}.gz) is missing") from error
    except (OSError, EOFError, zlib.error) as error:
        raise DataError(f"{packed.name} is damaged or cut short: {error}") from error

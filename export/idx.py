"""Data sets in the IDX format, as MNIST and Fashion-MNIST: four files, each as it is or compressed with gzip.

A file is big-endian: a magic number, the sizes, then bytes.
"""

import gzip
import math
import struct
import zlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from numpy.typing import NDArray

from export.errors import DataError
from export.images import Images

_FILES: Final[Mapping[str, tuple[str, str]]] = {
    "train": ("train-images-idx3-ubyte", "train-labels-idx1-ubyte"),
    "test": ("t10k-images-idx3-ubyte", "t10k-labels-idx1-ubyte"),
}
_UNSIGNED_BYTES: Final = 0x08


def read(folder: Path, splits: Sequence[str], *, classes: int) -> dict[str, Images]:
    """Read the files of some splits.

    Args:
        folder: Holds the files.
        splits: Of `train` and `test`.
        classes: How many there are.

    Raises:
        DataError: Files are missing, damaged or hold too little; every such file is named.
    """
    parts: dict[str, Images] = {}
    wrong: list[str] = []
    for split in splits:
        try:
            parts[split] = _read_split(folder, split, classes)
        except DataError as error:
            wrong.append(str(error))
    if wrong:
        raise DataError(f"the data set in {folder} cannot be used: {'; '.join(wrong)}")
    return parts


def _read_split(folder: Path, split: str, classes: int) -> Images:
    images_name, labels_name = _FILES[split]
    pixels = _read_idx(folder, images_name, rank=3)
    labels = _read_idx(folder, labels_name, rank=1)
    if not 0 < len(pixels) == len(labels):
        raise DataError(f"{images_name} holds {len(pixels)} pictures, {labels_name} {len(labels)} labels")
    if labels.max() >= classes:
        raise DataError(f"{labels_name} holds the label {labels.max()}; the classes are 0 to {classes - 1}")
    return Images(torch.from_numpy(pixels[..., np.newaxis]), torch.from_numpy(labels.astype(np.int64)))


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

"""CIFAR-10 in its binary version: records of one byte for the class and 3x32x32 bytes of pixels, channel by channel."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

import numpy as np
import torch
from torchvision.datasets import CIFAR10

from export.errors import DataError
from export.images import Images

_FILES: Final[Mapping[str, tuple[str, ...]]] = {
    "train": tuple(f"data_batch_{number}.bin" for number in range(1, 6)),
    "test": ("test_batch.bin",),
}
_CLASSES: Final = 10
_RECORD: Final = 1 + 3 * 32 * 32


def read(folder: Path, splits: Sequence[str]) -> dict[str, Images]:
    """Read the files of some splits.

    Args:
        folder: Holds the files.
        splits: Of `train` and `test`.

    Raises:
        DataError: Files are missing or damaged; every such file is named.
    """
    parts: dict[str, list[Images]] = {split: [] for split in splits}
    wrong: list[str] = []
    for split in splits:
        for name in _FILES[split]:
            try:
                parts[split].append(_read_file(folder / name))
            except DataError as error:
                wrong.append(str(error))
    if wrong:
        raise DataError(f"the data set in {folder} cannot be used: {'; '.join(wrong)}")
    return {split: _joined(files) for split, files in parts.items()}


def download(cache: Path) -> dict[str, Images]:
    """Have torchvision fetch what is missing in a folder, and check it; then read both splits.

    Raises:
        OSError: It cannot be fetched or written.
        RuntimeError: It is not what it should be.
    """
    parts = {split: CIFAR10(cache, train=split == "train", download=True) for split in _FILES}
    return {split: Images(torch.from_numpy(part.data), torch.tensor(part.targets)) for split, part in parts.items()}


def _read_file(path: Path) -> Images:
    try:
        data = path.read_bytes()
    except OSError as error:
        raise DataError(f"{path.name} cannot be read: {error.strerror}") from error
    if not data or len(data) % _RECORD:
        raise DataError(f"{path.name} holds {len(data):,} bytes, which are no whole records of {_RECORD:,}")
    records = np.frombuffer(data, np.uint8).reshape(-1, _RECORD)
    labels, planes = records[:, 0], records[:, 1:].reshape(-1, 3, 32, 32)
    if labels.max() >= _CLASSES:
        raise DataError(f"{path.name} holds the label {labels.max()}; the classes are 0 to {_CLASSES - 1}")
    pixels = planes.transpose(0, 2, 3, 1).copy()  # (N, 32, 32, 3)
    return Images(torch.from_numpy(pixels), torch.from_numpy(labels.astype(np.int64)))


def _joined(files: Sequence[Images]) -> Images:
    return Images(torch.cat([file.pixels for file in files]), torch.cat([file.labels for file in files]))

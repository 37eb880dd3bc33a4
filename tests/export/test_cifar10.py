"""CIFAR-10's binary version."""

from pathlib import Path

import numpy as np
import pytest

from export import cifar10
from export.errors import DataError


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Six files of two images each: the first byte of an image tells which one it is."""
    for number, name in enumerate([*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin"]):
        records = np.zeros((2, 3073), np.uint8)
        records[:, 0] = [number, 9]
        records[:, 1] = [10 * number, 10 * number + 1]  # red, top left
        records[:, 1025] = 7  # green, top left
        (tmp_path / name).write_bytes(records.tobytes())
    return tmp_path


def test_records_become_images_with_their_classes(folder: Path) -> None:
    """The planes of a record become the channels of a pixel, and files follow each other."""
    parts = cifar10.read(folder, ("train", "test"))
    assert parts["train"].pixels.shape == (10, 32, 32, 3)
    assert parts["train"].pixels[:, 0, 0, 0].tolist() == [0, 1, 10, 11, 20, 21, 30, 31, 40, 41]
    assert parts["test"].pixels[0, 0, 0].tolist() == [50, 7, 0]
    assert parts["train"].labels.tolist() == [0, 9, 1, 9, 2, 9, 3, 9, 4, 9]


def test_every_file_that_is_missing_or_damaged_is_named(folder: Path) -> None:
    """One run tells everything that is wrong with a folder."""
    (folder / "data_batch_1.bin").unlink()
    (folder / "data_batch_2.bin").write_bytes(b"short")
    (folder / "data_batch_3.bin").write_bytes(b"\x0a" * 3073)
    with pytest.raises(DataError) as caught:
        cifar10.read(folder, ("train", "test"))
    message = str(caught.value)
    assert "data_batch_1.bin cannot be read: No such file" in message
    assert "data_batch_2.bin holds 5 bytes, which are no whole records of 3,073" in message
    assert "data_batch_3.bin holds the label 10; the classes are 0 to 9" in message

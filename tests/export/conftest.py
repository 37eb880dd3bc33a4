"""What the tests of the export share: a small data set, and a small network with every trap for its layer table."""

import gzip
import struct
from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.conversion import Converted, convert
from service.metadata import ClassOutput, ImageInput

TRAIN_IMAGES = 96
TEST_IMAGES = 40


class Trap(nn.Module):
    """A residual block and a head: in-place ReLU used twice, a dropout, a functional addition, nested containers."""

    def __init__(self) -> None:
        """Random weights, also in the batch norm."""
        super().__init__()
        self.front = nn.Identity()
        self.conv1 = nn.Conv2d(3, 4, kernel_size=3, padding=1)
        self.bn1 = nn.BatchNorm2d(4)
        self.relu = nn.ReLU(inplace=True)
        self.dropout = nn.Dropout(0.5)
        self.conv2 = nn.Conv2d(4, 4, kernel_size=3, padding=1)
        self.head = nn.Sequential(nn.Sequential(nn.Flatten(), nn.Linear(4 * 6 * 8, 5)), nn.Identity())
        for values in (self.bn1.running_mean, self.bn1.weight, self.bn1.bias):
            nn.init.normal_(values)  # type: ignore[arg-type]  # a batch norm may have none of them, this one has

    def forward(self, images: Tensor) -> Tensor:
        """Logits.

        Shape:
            images (N, 3, 6, 8) float32, to (N, 5).
        """
        x = self.relu(self.bn1(self.conv1(self.front(images))))
        x = self.relu(self.conv2(self.dropout(x)) + x)
        logits: Tensor = self.head(x)
        return logits


@pytest.fixture(autouse=True)
def _cache(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Checkpoints and downloads stay out of the cache of who runs the tests."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))


@pytest.fixture
def trap() -> Trap:
    """The network, the same each time, in evaluation mode."""
    torch.manual_seed(0)
    network = Trap()
    network.eval()
    return network


@pytest.fixture
def trap_input() -> ImageInput:
    """The input of the network: not square, and with other numbers for each channel."""
    return ImageInput(
        name="images",
        height=6,
        width=8,
        color="rgb",
        crop_fraction=0.9,
        interpolation="bilinear",
        rescale_factor=1 / 255,
        mean=(0.4, 0.5, 0.6),
        std=(0.2, 0.3, 0.4),
    )


@pytest.fixture
def trap_output() -> ClassOutput:
    """The output of the network."""
    return ClassOutput(name="logits", values="logits", labels=("a", "b", "c", "d", "e"))


@pytest.fixture
def converted(trap: Trap, trap_input: ImageInput) -> Converted:
    """The network as an ONNX model."""
    return convert(trap, trap_input)


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """A folder with the four files of a data set like Fashion-MNIST: the class of a picture is how bright it is."""
    folder = tmp_path / "dataset"
    folder.mkdir()
    random = np.random.default_rng(0)
    for prefix, count in (("train", TRAIN_IMAGES), ("t10k", TEST_IMAGES)):
        labels = random.integers(0, 10, count, dtype=np.uint8)
        noise = random.integers(0, 20, (count, 28, 28), dtype=np.uint8)
        write_idx(folder / f"{prefix}-labels-idx1-ubyte.gz", labels)
        write_idx(folder / f"{prefix}-images-idx3-ubyte.gz", noise + 23 * labels[:, None, None])
    return folder


def write_idx(path: Path, values: NDArray[np.uint8]) -> None:
    """Write an array as IDX, compressed where the name ends so."""
    data = struct.pack(f">HBB{values.ndim}I", 0, 8, values.ndim, *values.shape) + values.tobytes()
    path.write_bytes(gzip.compress(data) if path.suffix == ".gz" else data)

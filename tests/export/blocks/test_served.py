"""Every layer in one network, which is published, loaded and asked for its maps over HTTP."""

import io
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import pytest
import torch
from fastapi.testclient import TestClient
from numpy.typing import NDArray
from torch import Tensor, nn

from export import layers
from export.blocks.connections import DenseConnection, Inception, Shortcut
from export.blocks.convolution import Convolution, full_padding
from export.blocks.maxout import Maxout
from export.blocks.pooling import DistanceWeightedPool, SumPool
from export.blocks.separable import DepthwiseSeparable, SpatiallySeparable
from export.blocks.sparse_matrix import SparseMatrixProduct
from export.blocks.three_stages import ThreeStages
from export.blocks.unpooling import BedOfNails, MaxPoolWithPositions, MaxUnpool
from export.blocks.unshared import LocallyConnected, Tiled
from export.conversion import Converted, convert
from export.verification import TOLERANCE, relative_difference, verify
from service.metadata import ClassOutput
from service.settings import Settings
from tests import images, tiny_models
from tests.export.blocks.proof import picture_input
from tests.service.http.conftest import connected

OUTPUT = ClassOutput(name="logits", values="none", labels=None)
SPEC = picture_input(3, 16, 20)
LAYERS = (
    *("flipped", "separable", "depthwise", "unshared", "tiled", "stages.affine", "stages.detector", "stages.pooling"),
    *("inception", "dense", "shortcut", "maxout", "pool.maximum", "unpool", "nails", "nearest", "sum", "norm", "near"),
    *("transposed", "sparse", "leaky", "tanh", "softmax"),
)


class Everything(nn.Module):
    """Each layer once, one behind the other."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.flipped = Convolution(3, 4, 3, padding=full_padding((3, 3)))
        self.separable = SpatiallySeparable(4, 4, (3, 3))
        self.depthwise = DepthwiseSeparable(4, 4, (3, 3), padding=(1, 1))
        self.unshared = LocallyConnected(4, 4, (16, 20), (3, 3))
        self.tiled = Tiled(4, 4, (3, 3), tiles=2)
        self.stages = ThreeStages(nn.Conv2d(4, 4, 3, padding="same"), nn.ReLU(), nn.MaxPool2d(3, 1, padding=1))
        self.inception = Inception(4, ones=2, threes=(2, 2), fives=(2, 2), pooled=2)
        self.dense = DenseConnection(nn.Conv2d(8, 2, 3, padding=1), nn.Conv2d(10, 2, 3, padding=1))
        self.shortcut = Shortcut(nn.Conv2d(12, 12, 3, padding=1, groups=3))
        self.maxout = Maxout(3)
        self.pool = MaxPoolWithPositions(2)
        self.unpool = MaxUnpool(2)
        self.nails = BedOfNails(2)
        self.nearest = nn.Upsample(scale_factor=2, mode="nearest")
        self.sum = SumPool(2)
        self.norm = nn.LPPool2d(2, 2, ceil_mode=True)
        self.near = DistanceWeightedPool(3, stride=2)
        self.transposed = nn.ConvTranspose2d(4, 1, 4, stride=2, padding=1)
        self.sparse = SparseMatrixProduct(torch.randn(2, 2), (10, 14))
        self.leaky = nn.LeakyReLU(0.01)
        self.tanh = nn.Tanh()
        self.softmax = nn.Softmax(dim=1)

    def forward(self, pictures: Tensor) -> Tensor:
        """(N, 3, 16, 20), to (N, 117) numbers that add up to 1."""
        maps = self.depthwise(self.separable(self.flipped(pictures)))  # (N, 4, 16, 20)
        maps = self.stages(self.tiled(self.unshared(maps)))  # (N, 4, 12, 16)
        maps = self.maxout(self.shortcut(self.dense(self.inception(maps))))  # (N, 4, 12, 16)
        maps = self.unpool(*self.pool(maps))  # (N, 4, 12, 16)
        maps = self.sum(self.nearest(self.nails(maps)))  # (N, 4, 24, 32)
        maps = self.near(self.norm(maps))  # (N, 4, 5, 7)
        maps = self.sparse(self.transposed(maps))  # (N, 1, 9, 13)
        numbers: Tensor = self.softmax(self.tanh(self.leaky(maps)).flatten(1))
        return numbers


@pytest.fixture(scope="module")
def network() -> nn.Module:
    """The same each time."""
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return Everything().eval()


@pytest.fixture(scope="module")
def converted(network: nn.Module) -> Converted:
    """The network as an ONNX model."""
    return convert(network, SPEC)


@pytest.fixture(scope="module")
def client(converted: Converted, tmp_path_factory: pytest.TempPathFactory) -> Iterator[TestClient]:
    """A service that has the network."""
    root: Path = tmp_path_factory.mktemp("models")
    tiny_models.publish(root, converted.model, name="everything", input=SPEC, output=OUTPUT, layers=converted.layers)
    with connected(Settings(models=root, device="cpu", threads=1)) as made:
        yield made


def test_every_layer_agrees_with_pytorch_at_several_batch_sizes(network: nn.Module, converted: Converted) -> None:
    """By the proof that every published model has to pass."""
    paths = {parity.layer for parity in verify(network, converted, SPEC, OUTPUT)}
    assert paths >= set(LAYERS) - {"separable", "depthwise", "inception", "dense"} | {"separable.row"}


def test_every_layer_can_be_fetched(client: TestClient, network: nn.Module) -> None:
    """Alone, by its name, and as PyTorch computes it."""
    picture = np.random.default_rng(0).integers(0, 256, (16, 20, 3), dtype=np.uint8)
    pixels = torch.from_numpy(picture.astype(np.float32)).permute(2, 0, 1)[None]
    _, expected = layers.run(network, pixels)
    differences = {}
    for layer in LAYERS:
        answer = client.post(
            "/v1/models/everything/feature-maps",
            params={"layer": layer, "format": "npy"},
            content=images.encode(picture),
        )
        assert answer.status_code == 200, answer.text
        found: NDArray[np.float32] = np.load(io.BytesIO(answer.content))
        differences[layer] = relative_difference(found, expected[layer].numpy())
    assert {layer: value for layer, value in differences.items() if not value <= TOLERANCE} == {}

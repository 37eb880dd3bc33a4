"""Layers that undo a pooling."""

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export.blocks.unpooling import BedOfNails, MaxPoolWithPositions, MaxUnpool
from service import layers
from tests.export.blocks import definitions
from tests.export.blocks.proof import check, computed, exported, random_maps


class ThereAndBack(nn.Module):
    """Max pooling and its unpooling."""

    def __init__(self, size: int) -> None:
        """Squares of some size."""
        super().__init__()
        self.pool = MaxPoolWithPositions(size)
        self.unpool = MaxUnpool(size)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W), and so the result."""
        unpooled: Tensor = self.unpool(*self.pool(maps))
        return unpooled


class PyTorchsWay(nn.Module):
    """The same with PyTorch's layers."""

    def __init__(self, size: int) -> None:
        """Squares of some size."""
        super().__init__()
        self.pool = nn.MaxPool2d(size, return_indices=True)
        self.unpool = nn.MaxUnpool2d(size)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W), and so the result."""
        unpooled: Tensor = self.unpool(*self.pool(maps))
        return unpooled


def with_ties(maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """As behind a ReLU: in many squares several values are largest."""
    return np.maximum(maps.round(), 0)


@pytest.mark.parametrize("size", [2, 3])
def test_nearest_unpooling(size: int) -> None:
    """Each value fills its square."""
    check(
        nn.Upsample(scale_factor=size, mode="nearest"),
        lambda maps: definitions.nearest_unpooling(maps, size),
        random_maps(2, 3, 4, 5),
    )


@pytest.mark.parametrize("size", [2, 3])
def test_bed_of_nails(size: int) -> None:
    """Each value into the corner of its square."""
    check(BedOfNails(size), lambda maps: definitions.bed_of_nails(maps, size), random_maps(2, 3, 4, 5))


@pytest.mark.parametrize("size", [2, 3])
def test_max_unpooling_puts_values_back_to_where_they_were(size: int) -> None:
    """The first of the largest, where there are several."""
    for maps in (random_maps(3, 3, 6, 12), with_ties(random_maps(3, 3, 6, 12))):
        check(ThereAndBack(size), lambda image: definitions.max_pooling_and_unpooling(image, size), maps)


def test_max_unpooling_is_that_of_pytorch() -> None:
    """To the last bit, through ONNX as well."""
    maps = with_ties(random_maps(3, 3, 6, 12))
    expected = nn.MaxUnpool2d(2)(*nn.functional.max_pool2d(torch.from_numpy(maps), 2, return_indices=True))
    np.testing.assert_array_equal(computed(ThereAndBack(2), maps), expected)


@pytest.mark.filterwarnings("ignore:.*")
def test_pytorchs_max_unpooling_is_exported_but_its_sight_is_not_known() -> None:
    """Which is why there is one of ours, whose units are known to see their square and no more."""
    maps = random_maps(3, 3, 6, 12)
    check(PyTorchsWay(2), lambda image: definitions.max_pooling_and_unpooling(image, 2), maps)
    fields = {}
    for network in (PyTorchsWay(2), ThereAndBack(2)):
        made = exported(nn.Sequential(network, nn.Identity()), maps.shape[1:])
        fields[type(network)] = layers.table(made.model, made.layers).find("0.unpool").receptive_field
    assert fields[PyTorchsWay].status == "unknown"
    assert fields[ThereAndBack].status == "upper bound"
    box = fields[ThereAndBack].box(3, 7)
    assert box is not None
    assert (box.left, box.top, box.right, box.bottom) == (6, 2, 8, 4)


def test_the_pooled_map_can_be_fetched() -> None:
    """Beside the positions, which are no map."""
    made = exported(nn.Sequential(ThereAndBack(2), nn.Identity()), (3, 6, 12))
    table = {layer.path: layer.shape for layer in layers.table(made.model, made.layers)}
    assert table == {"0.pool.maximum": (3, 3, 6), "0.unpool": (3, 6, 12)}


def test_values_other_than_the_pooled_go_to_the_same_places() -> None:
    """What a decoder has made of them."""
    maps = torch.from_numpy(random_maps(2, 3, 4, 4))
    pooled, positions = MaxPoolWithPositions(2)(maps)
    unpooled = MaxUnpool(2)(torch.full_like(pooled, 7), positions)
    assert (unpooled == 7).sum() == pooled.numel()
    assert torch.equal(unpooled == 7, MaxUnpool(2)(pooled, positions) == maps)

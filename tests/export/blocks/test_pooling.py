"""Poolings: PyTorch's, and those that it does not have."""

import numpy as np
import pytest
import torch
from torch import nn

from export.architectures.figure_9_11 import GridMaxPool
from export.blocks.pooling import DistanceWeightedPool, SumPool
from tests.export.blocks import definitions
from tests.export.blocks.proof import check, computed, random_maps


def mean(neighbourhood: definitions.Array) -> float:
    """Of all values."""
    return float(sum(neighbourhood.flat)) / neighbourhood.size


def total(neighbourhood: definitions.Array) -> float:
    """Of all values."""
    return float(sum(neighbourhood.flat))


def largest(neighbourhood: definitions.Array) -> float:
    """Of all values."""
    return float(max(neighbourhood.flat))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("name", ["max", "average", "sum", "L2 norm", "weighted by the distance"])
def test_a_pooling_sums_up_each_neighbourhood(name: str, stride: int) -> None:
    """Each as its definition."""
    block, summary = {
        "max": (nn.MaxPool2d(3, stride), largest),
        "average": (nn.AvgPool2d(3, stride), mean),
        "sum": (SumPool(3, stride=stride), total),
        "L2 norm": (nn.LPPool2d(2, 3, stride), definitions.l2_norm),
        "weighted by the distance": (
            DistanceWeightedPool(3, stride=stride, deviation=0.8),
            lambda values: definitions.distance_weighted(values, deviation=0.8),
        ),
    }[name]
    assert isinstance(block, nn.Module)
    check(block, lambda maps: definitions.pooling(maps, summary, (3, 3), stride=stride), random_maps(3, 3, 8, 9))


def test_the_weights_of_a_pooling_fall_with_the_distance_from_the_centre() -> None:
    """The centre counts most, the corners least, and together they are an average."""
    weights = DistanceWeightedPool(5).get_buffer("weights")[0, 0]
    torch.testing.assert_close(weights.sum(), torch.tensor(1.0))
    assert weights[2, 2] == weights.max()
    assert weights[0, 0] == weights.min()
    assert weights[2, 2] > weights[2, 1] > weights[1, 1] > weights[2, 0] > weights[1, 0] > weights[0, 0]


def test_the_5x5_table_of_max_pooling() -> None:
    """3x3, stride 1, valid."""
    table = [
        [210, 196, 203, 195, 184],
        [207, 213, 203, 183, 175],
        [149, 235, 198, 177, 185],
        [193, 210, 218, 200, 201],
        [70, 134, 208, 222, 199],
    ]
    found = computed(nn.MaxPool2d(3, 1), np.array(table, np.float32)[None, None])
    assert found[0, 0].tolist() == [[235, 235, 203], [235, 235, 218], [235, 235, 222]]


def test_pooling_with_downsampling_keeps_the_last_smaller_region() -> None:
    """Six detectors, width 3, stride 2: the third region has two of them."""
    detectors = np.array([0.1, 1, 0.2, 0.1, 0, 0.1], np.float32)[None, None, None]
    found = computed(nn.MaxPool2d((1, 3), 2, ceil_mode=True), detectors)
    assert found[0, 0, 0].tolist() == np.array([1, 0.2, 0.1], np.float32).tolist()


def test_the_last_region_is_kept_each_way() -> None:
    """Also in a corner, where it is smaller both ways."""
    check(
        nn.MaxPool2d(3, 2, ceil_mode=True),
        lambda maps: definitions.pooling(maps, largest, (3, 3), stride=2, keep_last=True),
        random_maps(2, 3, 8, 6),
    )


def test_shifting_the_input_changes_all_detectors_and_half_of_the_pooled() -> None:
    """Figure 9.8: four detectors, pooled by threes with stride 1; a new value comes in at the left."""
    pool = nn.MaxPool2d((1, 3), 1, padding=(0, 1))
    before = np.array([0.1, 1, 0.2, 0.1], np.float32)
    after = np.array([0.3, 0.1, 1, 0.2], np.float32)
    pooled = [computed(pool, detectors[None, None, None])[0, 0, 0] for detectors in (before, after)]
    assert [values.tolist() for values in pooled] == [
        np.array(values, np.float32).tolist() for values in ([1, 1, 1, 0.2], [0.3, 1, 1, 1])
    ]
    assert (before != after).sum() == 4
    assert (pooled[0] != pooled[1]).sum() == 2


@pytest.mark.parametrize("size", [(9, 12), (6, 3)])
def test_average_pooling_to_a_fixed_grid(size: tuple[int, int]) -> None:
    """As large a grid, whatever the map."""
    check(
        nn.AdaptiveAvgPool2d(3),
        lambda maps: definitions.adaptive_pooling(maps, mean, 3),
        random_maps(2, 3, *size),
    )


@pytest.mark.parametrize("size", [(9, 12), (7, 8), (3, 4)])
def test_max_pooling_to_a_fixed_grid(size: tuple[int, int]) -> None:
    """Also where the map does not divide into cells of one size."""
    check(GridMaxPool(3), lambda maps: definitions.adaptive_pooling(maps, largest, 3), random_maps(2, 3, *size))

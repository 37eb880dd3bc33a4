"""How layers are put together."""

import numpy as np
import pytest
from torch import nn

from export.blocks.connections import DenseConnection, Inception, Shortcut
from tests.export.blocks import definitions
from tests.export.blocks.proof import Definition, check, numbers, random_maps


def convolution(layer: nn.Module, *, relu: bool = False) -> Definition:
    """The definition of a convolution that keeps the size."""
    assert isinstance(layer, nn.Conv2d)
    kernels, bias = numbers(layer.weight), numbers(layer.bias)
    reach = layer.kernel_size[0] // 2

    def definition(maps: definitions.Array) -> definitions.Array:
        sums = definitions.cross_correlation(maps, kernels, bias=bias, padding=(reach, reach))
        return definitions.each(lambda x: max(x, 0))(sums) if relu else sums

    return definition


def test_a_shortcut_adds_what_it_was_given() -> None:
    """`f(x) + x`."""
    block = Shortcut(nn.Conv2d(3, 3, 3, padding=1))
    branch = convolution(block.branch)
    check(block, lambda maps: branch(maps) + maps, random_maps(2, 3, 6, 5))


def test_an_inception_module_has_four_branches_side_by_side() -> None:
    """1x1; 1x1 and 3x3; 1x1 and 5x5; a pooling and 1x1."""
    block = Inception(3, ones=2, threes=(2, 3), fives=(1, 2), pooled=1)

    def branch(name: str, *places: int) -> list[Definition]:
        found = block.get_submodule(name)
        return [convolution(found.get_submodule(f"conv{place}"), relu=True) for place in places]

    [one], [reduce3, three], [reduce5, five], [last] = (
        branch("branch1", 1),
        branch("branch3", 1, 2),
        branch("branch5", 1, 2),
        branch("branch_pooled", 1),
    )

    def definition(maps: definitions.Array) -> definitions.Array:
        around = np.pad(maps, ((0, 0), (1, 1), (1, 1)), constant_values=-np.inf)
        pooled = definitions.pooling(around, lambda values: float(values.max()), (3, 3), stride=1)
        return np.concatenate([one(maps), three(reduce3(maps)), five(reduce5(maps)), last(pooled)])

    check(block, definition, random_maps(2, 3, 6, 5))


@pytest.mark.parametrize("count", [1, 3])
def test_a_layer_of_a_dense_connection_sees_all_before_it(count: int) -> None:
    """The maps of each are added to those of all others."""
    block = DenseConnection(*(nn.Conv2d(3 + 2 * i, 2, 3, padding=1) for i in range(count)))
    layers = [convolution(layer) for layer in block]

    def definition(maps: definitions.Array) -> definitions.Array:
        for layer in layers:
            maps = np.concatenate([maps, layer(maps)])
        return maps

    check(block, definition, random_maps(2, 3, 6, 5))

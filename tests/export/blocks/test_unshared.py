"""Convolutions that do not share their kernel between all places."""

import numpy as np
import pytest
import torch
from torch import nn

from export.architectures import parameters
from export.blocks.unshared import LocallyConnected, Tiled
from service import layers
from tests.export.blocks import definitions
from tests.export.blocks.proof import check, exported, numbers, random_maps


def weights(block: LocallyConnected) -> definitions.Array:
    """(O, rows, columns, C, M, N)."""
    rows, columns, connections, outputs = block.weight.shape
    inputs = connections // (block.kernel[0] * block.kernel[1])
    return numbers(block.weight).reshape(rows, columns, inputs, *block.kernel, outputs).transpose(5, 0, 1, 2, 3, 4)


@pytest.mark.parametrize("stride", [1, 2])
def test_a_locally_connected_layer_has_a_kernel_for_each_place(stride: int) -> None:
    """As equation 9.9."""
    block = LocallyConnected(3, 4, (7, 6), (3, 2), stride=stride)
    check(
        block,
        lambda maps: definitions.locally_connected(maps, weights(block), numbers(block.bias), stride=stride),
        random_maps(3, 3, 7, 6),
    )


@pytest.mark.parametrize(("tiles", "size"), [(2, (7, 8)), (2, (8, 7)), (3, (9, 7)), (1, (5, 5))])
def test_a_tiled_convolution_takes_its_kernels_in_turn(tiles: int, size: tuple[int, int]) -> None:
    """As equation 9.10, whether or not all kernels come equally often."""
    block = Tiled(3, 4, (3, 2), tiles=tiles)
    convolutions = [layer for layer in block.kernels if isinstance(layer, nn.Conv2d)]
    kernels = np.array([numbers(layer.weight) for layer in convolutions]).reshape(tiles, tiles, 4, 3, 3, 2)
    bias = np.array([numbers(layer.bias) for layer in convolutions]).reshape(tiles, tiles, 4)
    check(block, lambda maps: definitions.tiled(maps, kernels, bias), random_maps(3, 3, *size))


def test_each_connection_gets_a_gradient_of_its_own() -> None:
    """`dJ/da = x_1 g_1`, `dJ/db = x_2 g_1`, …: one product each, and none is added to another."""
    signal, gradients = random_maps(1, 1, 1, 6), random_maps(1, 1, 1, 5, seed=1)
    block = LocallyConnected(1, 1, (1, 6), (1, 2))
    block(torch.from_numpy(signal)).backward(torch.from_numpy(gradients))
    x, g = signal[0, 0, 0], gradients[0, 0, 0]
    assert block.weight.grad is not None
    expected = [[x[i] * g[i], x[i + 1] * g[i]] for i in range(5)]
    np.testing.assert_allclose(block.weight.grad.reshape(5, 2), expected, rtol=1e-6)


def test_five_units_have_nine_weights_of_their_own_where_a_shared_kernel_has_two() -> None:
    """Five inputs and zero padding on the left: ten connections, of which one sees nothing but padding."""
    local = LocallyConnected(1, 1, (1, 6), (1, 2))
    seeing_padding = 1
    assert local.weight.numel() - seeing_padding == 9
    assert nn.Conv2d(1, 1, (1, 2), bias=False).weight.numel() == 2


def test_sharing_saves_weights_and_not_work() -> None:
    """The layer table tells so: as many multiply-adds, and as many weights as kernels that are not shared."""
    costs = {}
    for name, block in (
        ("shared", nn.Conv2d(3, 4, 3)),
        ("tiled", Tiled(3, 4, (3, 3), tiles=2)),
        ("unshared", LocallyConnected(3, 4, (8, 8), (3, 3))),
    ):
        made = exported(block, (3, 8, 8))
        table = layers.table(made.model, None)
        assert table.multiply_adds == 4 * 6 * 6 * 3 * 3 * 3
        costs[name] = parameters(block)
    assert costs == {"shared": 112, "tiled": 4 * 112, "unshared": 6 * 6 * 112}

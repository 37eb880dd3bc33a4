"""Layers that PyTorch has: activations, the dense layer, reshape, dropout."""

import math

import numpy as np
import pytest
import torch
from torch import nn

from tests.export.blocks import definitions
from tests.export.blocks.proof import check, computed, numbers, random_maps


@pytest.mark.parametrize(
    ("layer", "function"),
    [
        (nn.ReLU(), lambda x: max(x, 0.0)),
        (nn.LeakyReLU(0.01), lambda x: x if x > 0 else 0.01 * x),
        (nn.Sigmoid(), lambda x: 1 / (1 + math.exp(-x))),
        (nn.Tanh(), math.tanh),
    ],
    ids=lambda value: type(value).__name__,
)
def test_an_activation_is_a_function_of_each_value(layer: nn.Module, function: object) -> None:
    """As its definition."""
    assert callable(function)
    check(layer, definitions.each(function), 3 * random_maps(2, 3, 5, 4))


def test_softmax_gives_shares_of_one_over_the_channels() -> None:
    """At each place of a map."""
    maps = 3 * random_maps(2, 3, 5, 4)
    check(nn.Softmax(dim=1), definitions.softmax, maps)
    np.testing.assert_allclose(computed(nn.Softmax(dim=1), maps).sum(axis=1), 1, rtol=1e-6)


def test_a_dense_layer_behind_a_reshape() -> None:
    """Every value to every output, row by row."""
    layer = nn.Linear(3 * 4 * 5, 7)
    weights, bias = numbers(layer.weight), numbers(layer.bias)
    check(
        nn.Sequential(nn.Flatten(), layer),
        lambda maps: definitions.dense(maps.reshape(-1), weights, bias),
        random_maps(2, 3, 4, 5),
    )


def test_a_reshape_keeps_the_values_in_order() -> None:
    """From maps to a row, and back."""
    maps = random_maps(2, 3, 4, 5)
    network = nn.Sequential(nn.Flatten(), nn.Unflatten(1, (5, 3, 4)))
    np.testing.assert_array_equal(computed(network, maps), maps.reshape(2, 5, 3, 4))


def test_dropout_drops_in_training_only() -> None:
    """The model that is served has none: the convolution before it gives what comes out behind it."""
    layer = nn.Conv2d(3, 4, 3)
    kernels, bias = numbers(layer.weight), numbers(layer.bias)
    check(
        nn.Sequential(layer, nn.Dropout(0.5)),
        lambda maps: definitions.cross_correlation(maps, kernels, bias=bias),
        random_maps(2, 3, 5, 5),
    )
    dropout = nn.Dropout(0.5).train()
    torch.manual_seed(0)
    kept = dropout(torch.ones(1000))
    assert set(kept.tolist()) == {0.0, 2.0}
    assert 400 < kept.count_nonzero() < 600

"""Convolutions: PyTorch's, and those with a flip; padding, sizes and cost."""

from typing import Any

import numpy as np
import pytest
import torch
from torch import nn

from export.architectures.lenet5_1998 import PartialConvolution
from export.blocks.convolution import Convolution, full_padding, output_size
from service import layers
from tests.export.blocks import definitions
from tests.export.blocks.proof import Definition, check, computed, exported, numbers, random_maps


def fixed(layer: nn.Conv2d, kernel: list[list[float]]) -> nn.Conv2d:
    """A layer with one kernel that is written down, and no bias."""
    nn.init.zeros_(layer.weight)
    with torch.no_grad():
        layer.weight[0, 0] = torch.tensor(kernel)
    return layer


@pytest.mark.parametrize(
    "options",
    [
        {},
        {"stride": 2},
        {"dilation": 2},
        {"padding": (1, 1)},
        {"padding": (2, 2), "stride": 3, "dilation": 2},
    ],
    ids=str,
)
def test_pytorchs_convolution_is_cross_correlation(options: dict[str, Any]) -> None:
    """Valid, strided, dilated and padded, each as its definition; ours flips the kernel both ways."""
    for layer, flip in ((nn.Conv2d(3, 6, (3, 2), **options), 1), (Convolution(3, 6, (3, 2), **options), -1)):
        kernels, bias = numbers(layer.weight)[:, :, ::flip, ::flip], numbers(layer.bias)
        check(layer, correlated(kernels, bias, options), random_maps(3, 3, 9, 8))


def correlated(kernels: definitions.Array, bias: definitions.Array, options: dict[str, Any]) -> Definition:
    """The definition with some weights."""
    return lambda maps: definitions.cross_correlation(maps, kernels, bias=bias, **options)


def test_a_group_of_channels_sees_a_group_of_channels() -> None:
    """Partial connectivity: a third of the weights, and of the work."""
    layer = nn.Conv2d(3, 6, 3, groups=3)
    kernels, bias = numbers(layer.weight), numbers(layer.bias)
    seen = [(0,), (0,), (1,), (1,), (2,), (2,)]
    check(
        layer, lambda maps: definitions.partly_connected(maps, list(kernels), seen, bias=bias), random_maps(3, 3, 7, 6)
    )
    assert kernels.size == numbers(nn.Conv2d(3, 6, 3).weight).size / 3


def test_channels_can_be_connected_one_by_one() -> None:
    """Each output sees the inputs that it is given, as in the third layer of the LeNet-5 of 1998."""
    seen = ((0, 1), (1, 2), (0, 2), (0, 1, 2))
    block = PartialConvolution(seen, 3)
    layers_ = [layer for layer in block.maps if isinstance(layer, nn.Conv2d)]
    kernels = [numbers(layer.weight)[0] for layer in layers_]
    bias = np.concatenate([numbers(layer.bias) for layer in layers_])
    check(block, lambda maps: definitions.partly_connected(maps, kernels, seen, bias=bias), random_maps(3, 3, 7, 6))


def test_convolution_commutes_and_cross_correlation_does_not() -> None:
    """Image and kernel can change places, where the kernel is flipped."""
    image, kernel = random_maps(5, 6).tolist(), random_maps(3, 2, seed=1).tolist()
    results = {
        layer: [
            computed(
                fixed(layer(1, 1, (len(b), len(b[0])), padding=full_padding((len(b), len(b[0]))), bias=False), b),
                np.array(a, np.float32)[None, None],
            )
            for a, b in ((image, kernel), (kernel, image))
        ]
        for layer in (Convolution, nn.Conv2d)
    }
    one, other = results[Convolution]
    np.testing.assert_allclose(one, other, rtol=1e-5, atol=1e-6)
    expected = definitions.convolution(np.array(image), np.array(kernel))
    np.testing.assert_allclose(one[0, 0], expected, rtol=1e-5, atol=1e-6)
    one, other = results[nn.Conv2d]
    assert not np.allclose(one, other)


def test_the_values_of_figure_9_1() -> None:
    """A 3x4 input with a 2x2 kernel that is not flipped: `aw + bx + ey + fz` is the first of 2x3."""
    a, b, c, d, e, f, g, h, i, j, k, l = (float(value) for value in range(1, 13))  # noqa: E741  (as in the figure)
    w, x, y, z = 2.0, 3.0, 5.0, 7.0
    picture = np.array([[[[a, b, c, d], [e, f, g, h], [i, j, k, l]]]], np.float32)
    found = computed(fixed(nn.Conv2d(1, 1, 2, bias=False), [[w, x], [y, z]]), picture)
    expected = [
        [a * w + b * x + e * y + f * z, b * w + c * x + f * y + g * z, c * w + d * x + g * y + h * z],
        [e * w + f * x + i * y + j * z, f * w + g * x + j * y + k * z, g * w + h * x + k * y + l * z],
    ]
    assert found[0, 0].tolist() == expected


@pytest.mark.parametrize(("padding", "size"), [("valid", 24), ("same", 28), (full_padding((5, 5)), 32)])
def test_padding_controls_the_size(padding: str | tuple[int, int], size: int) -> None:
    """28x28 with 5x5: it shrinks by four, stays, or grows by four; every pixel is seen equally often where it grows."""
    layer = nn.Conv2d(1, 1, 5, padding=padding, bias=False)
    nn.init.ones_(layer.weight)
    found = computed(layer, np.ones((1, 1, 28, 28), np.float32))
    assert found.shape == (1, 1, size, size)
    # Each unit adds up the pixels that it sees.
    assert (found.sum() == 28 * 28 * 25) == (padding == (4, 4))


@pytest.mark.filterwarnings("ignore:Using padding='same' with even kernel lengths")
@pytest.mark.parametrize("kernel", [(4, 3), (2, 5)])
def test_same_padding_keeps_the_size_where_a_kernel_has_no_middle(kernel: tuple[int, int]) -> None:
    """The one row or column too many comes behind."""
    layer = nn.Conv2d(3, 2, kernel, padding="same")
    kernels, bias = numbers(layer.weight), numbers(layer.bias)
    before = [(size - 1) // 2 for size in kernel]
    behind = [size - 1 - first for size, first in zip(kernel, before, strict=True)]

    def definition(maps: definitions.Array) -> definitions.Array:
        around = np.pad(maps, ((0, 0), (before[0], behind[0]), (before[1], behind[1])))
        return definitions.cross_correlation(around, kernels, bias=bias)

    check(layer, definition, random_maps(2, 3, 7, 6))


@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("padding", [0, 1, 2])
@pytest.mark.parametrize("dilation", [1, 2])
def test_the_size_is_that_of_the_formula(stride: int, padding: int, dilation: int) -> None:
    """`(W - F + 2P) / S + 1`, rounded down, whatever the numbers."""
    layer = nn.Conv2d(1, 1, 3, stride=stride, padding=padding, dilation=dilation)
    for size in range(5, 14):
        expected = output_size(size, 3, padding=padding, stride=stride, dilation=dilation)
        assert layer(torch.zeros(1, 1, size, size)).shape == (1, 1, expected, expected)


def test_the_sizes_of_the_lectures() -> None:
    """28x28 with 5x5; 32, 28, 24; six filters on 32x32; m and n; 32x32x3 in a row."""
    assert output_size(28, 5) == 24
    assert output_size(output_size(32, 5), 5) == 24
    network = nn.Sequential(nn.Conv2d(3, 6, 5), nn.Conv2d(6, 4, 5))
    table = exported_shapes(network, (3, 32, 32))
    assert table == {"0": (6, 28, 28), "1": (4, 24, 24)}
    assert all(output_size(m, n) == m - n + 1 for m in range(5, 20) for n in range(1, 5))
    assert computed(nn.Flatten(), random_maps(2, 3, 32, 32)).shape == (2, 3_072)


def exported_shapes(network: nn.Module, shape: tuple[int, ...]) -> dict[str, tuple[int | None, ...]]:
    """The shape of each layer, as the service tells it."""
    made = exported(network, shape)
    return {layer.path: layer.shape or () for layer in layers.table(made.model, made.layers)}


def test_a_dilated_filter_sees_more_with_as_few_weights() -> None:
    """A 3x3 filter with rate 2 has 9 weights, and sees 5x5 pixels."""
    layer = nn.Conv2d(1, 1, 3, dilation=2, bias=False)
    nn.init.ones_(layer.weight)
    made = exported(nn.Sequential(layer, nn.Identity()), (1, 9, 9))
    [entry] = layers.table(made.model, made.layers)
    assert entry.cost is not None
    assert entry.cost.parameters == 9
    assert entry.receptive_field.size == (5, 5)


def test_a_pointwise_convolution_changes_depth_and_keeps_the_size() -> None:
    """Each pixel is a dense layer of its own."""
    layer = nn.Conv2d(3, 5, 1)
    weights, bias = numbers(layer.weight)[:, :, 0, 0], numbers(layer.bias)

    def definition(maps: definitions.Array) -> definitions.Array:
        made = np.zeros((5, *maps.shape[1:]))
        for i, j in definitions.places(*maps.shape[1:]):
            made[:, i, j] = definitions.dense(maps[:, i, j], weights, bias)
        return made

    check(layer, definition, random_maps(2, 3, 6, 7))


@pytest.mark.parametrize(("kernel", "stride", "padding"), [(4, 2, 1), (2, 2, 0), (3, 1, 1)])
def test_transposed_convolution(kernel: int, stride: int, padding: int) -> None:
    """With stride 2 the map gets twice as large."""
    layer = nn.ConvTranspose2d(3, 2, kernel, stride=stride, padding=padding)
    kernels, bias = numbers(layer.weight), numbers(layer.bias)
    check(
        layer,
        lambda maps: definitions.transposed_convolution(maps, kernels, bias=bias, padding=padding, stride=stride),
        random_maps(2, 3, 5, 6),
    )


def test_a_shared_kernel_gets_the_gradients_of_all_its_places() -> None:
    """`dJ/da = Σ x_i g_i` and `dJ/db = Σ x_{i+1} g_i` for a kernel (a, b)."""
    signal, gradients = random_maps(1, 1, 1, 6), random_maps(1, 1, 1, 5, seed=1)
    layer = nn.Conv2d(1, 1, (1, 2), bias=False)
    layer(torch.from_numpy(signal)).backward(torch.from_numpy(gradients))
    x, g = signal[0, 0, 0], gradients[0, 0, 0]
    assert layer.weight.grad is not None
    expected = [sum(x[i] * g[i] for i in range(5)), sum(x[i + 1] * g[i] for i in range(5))]
    np.testing.assert_allclose(layer.weight.grad.flatten(), expected, rtol=1e-5)
    assert layer.weight.numel() == 2


def test_two_layers_of_width_three_see_five_inputs() -> None:
    """The receptive field grows: the middle unit sees all five."""
    network = nn.Sequential(nn.Conv2d(1, 1, (1, 3), padding="same"), nn.Conv2d(1, 1, (1, 3), padding="same"))
    made = exported(network, (1, 1, 5))
    fields = [layer.receptive_field for layer in layers.table(made.model, made.layers)]
    assert [field.size for field in fields] == [(1, 3), (1, 5)]
    box = fields[1].box(0, 2)
    assert box is not None
    assert (box.left, box.right) == (0, 5)

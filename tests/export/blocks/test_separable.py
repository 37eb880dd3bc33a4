"""Convolutions that are made of smaller ones."""

import numpy as np
import pytest
import torch

from export.architectures import filter_bank
from export.blocks.separable import DepthwiseSeparable, SpatiallySeparable, decomposed
from tests.export.blocks import definitions
from tests.export.blocks.proof import check, numbers, random_maps


def test_a_spatially_separable_convolution_is_one_with_the_product_as_its_kernel() -> None:
    """Column times row, for each pair of channels, with fewer weights."""
    block = SpatiallySeparable(3, 2, (3, 5), padding=(1, 2))
    column, row = (numbers(block.get_submodule(name).weight) for name in ("column", "row"))  # type: ignore[arg-type]
    kernels = column @ row  # (2, 3, 3, 1) times (2, 1, 1, 5)
    bias = numbers(block.get_submodule("row").bias)  # type: ignore[arg-type]
    check(
        block,
        lambda maps: definitions.cross_correlation(maps, kernels, bias=bias, padding=(1, 2)),
        random_maps(2, 3, 6, 7),
    )
    assert column.size + row.size < kernels.size


def test_a_depthwise_separable_convolution_is_one_kernel_a_channel_and_a_mixture() -> None:
    """As its definition, in two steps."""
    block = DepthwiseSeparable(3, 5, (3, 3), padding=(1, 1))
    depthwise = numbers(block.get_submodule("depthwise").weight)  # type: ignore[arg-type]
    pointwise = numbers(block.get_submodule("pointwise").weight)  # type: ignore[arg-type]
    bias = numbers(block.get_submodule("pointwise").bias)  # type: ignore[arg-type]

    def definition(maps: definitions.Array) -> definitions.Array:
        channels = [
            definitions.cross_correlation(maps[c : c + 1], depthwise[c : c + 1], padding=(1, 1))[0] for c in range(3)
        ]
        return definitions.cross_correlation(np.array(channels), pointwise, bias=bias)

    check(block, definition, random_maps(2, 3, 6, 7))


@pytest.mark.parametrize("kernel", [filter_bank.SOBEL_X, filter_bank.SOBEL_Y, filter_bank.BLUR, filter_bank.EDGE])
def test_a_kernel_that_is_a_product_is_decomposed(kernel: filter_bank.Kernel) -> None:
    """Into a column and a row, whose product it is."""
    whole = torch.tensor(kernel, dtype=torch.float32)
    parts = decomposed(whole)
    assert parts is not None
    column, row = parts
    assert column.shape == (len(kernel), 1)
    assert row.shape == (1, len(kernel[0]))
    torch.testing.assert_close(column @ row, whole)


@pytest.mark.parametrize("kernel", [filter_bank.SHARPEN, ((1, 0), (0, 1)), ((0, 1, 0), (1, -4, 1), (0, 1, 0))])
def test_not_every_kernel_decomposes(kernel: filter_bank.Kernel) -> None:
    """Where two rows are no multiples of each other, there is no such product."""
    assert decomposed(torch.tensor(kernel, dtype=torch.float32)) is None
    assert decomposed(torch.from_numpy(random_maps(3, 3))) is None

"""A map taken apart into its phases, and put together.

Phase `row * size + column` is every `size`-th row from `row` on, and of it every `size`-th column from `column` on.
"""

import torch
from torch import Tensor, nn


def split(maps: Tensor, size: int) -> Tensor:
    """Take maps apart.

    Shape:
        maps (N, C, H, W), H and W multiples of `size`; returns (N, C, size * size, H / size, W / size).
    """
    return torch.stack([maps[:, :, row::size, column::size] for row in range(size) for column in range(size)], 2)


def joined(phases: Tensor, size: int) -> Tensor:
    """Put maps together.

    Shape:
        phases (N, C, size * size, H / size, W / size); returns (N, C, H, W).
    """
    return nn.functional.pixel_shuffle(phases.flatten(1, 2), size)

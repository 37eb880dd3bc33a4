"""Layers that undo a pooling as far as that can be: the map is as large as before.

Source: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
    https://arxiv.org/abs/1311.2901 (max unpooling, with "switches"); A. Dosovitskiy, J. T. Springenberg, T. Brox,
    "Learning to generate chairs with convolutional neural networks", CVPR 2015, https://arxiv.org/abs/1411.5928 (each
    value into one corner of its square)
"""

import torch
from torch import Tensor, nn

from export.blocks import phases


class BedOfNails(nn.Module):
    """Each value comes into the upper left corner of a square; the rest of the square is 0.

    Args:
        size: Height and width of the square.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Tensor) -> Tensor:
        """Unpool.

        Shape:
            maps (N, C, H, W), to (N, C, H * size, W * size).
        """
        empty = (0, 0, 0, 0, 0, self.size**2 - 1)
        return phases.joined(nn.functional.pad(maps.unsqueeze(2), empty), self.size)


class MaxPoolWithPositions(nn.Module):
    """The largest value of each square, and where it was.

    Beside PyTorch's (`return_indices`), the pooled map can be fetched, and the receptive fields behind it can be told.

    Args:
        size: Height and width of the square; those of a map must be multiples of it.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size
        self.maximum = nn.MaxPool2d(size)

    def forward(self, maps: Tensor) -> tuple[Tensor, Tensor]:
        """Pool.

        Shape:
            maps (N, C, H, W), to the values (N, C, H / size, W / size) float32, and as many positions int64: from 0 in
            the upper left corner to `size * size - 1`, row by row, the first where several are largest.
        """
        return self.maximum(maps), phases.split(maps, self.size).argmax(2)


class MaxUnpool(nn.Module):
    """Each value comes to the position in its square where the largest one was; the rest of the square is 0.

    Args:
        size: Height and width of the square.
    """

    def __init__(self, size: int) -> None:
        super().__init__()
        self.size = size

    def forward(self, maps: Tensor, positions: Tensor) -> Tensor:
        """Unpool.

        Shape:
            maps (N, C, H, W) and positions (N, C, H, W), as `MaxPoolWithPositions` gives them, to (N, C, H * size,
            W * size).
        """
        places = torch.arange(self.size**2, device=maps.device).reshape(-1, 1, 1)
        chosen = torch.where(positions.unsqueeze(2) == places, maps.unsqueeze(2), 0.0)  # (N, C, size * size, H, W)
        return phases.joined(chosen, self.size)

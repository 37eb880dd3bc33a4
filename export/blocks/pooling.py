"""Poolings beside maximum, average and L2 norm, which PyTorch has.

Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9.3,
    https://www.deeplearningbook.org/contents/convnets.html
"""

import torch
from torch import Tensor, nn


class SumPool(nn.Module):
    """The sum of each neighbourhood.

    Args:
        kernel: Height and width of the neighbourhood.
        stride: Units from one neighbourhood to the next, each way; None for as many as it is wide.
    """

    def __init__(self, kernel: int, *, stride: int | None = None) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(kernel, stride)
        self.units = kernel**2

    def forward(self, maps: Tensor) -> Tensor:
        """Pool.

        Shape:
            maps (N, C, H, W), to (N, C, rows, columns).
        """
        sums: Tensor = self.mean(maps) * self.units
        return sums


class DistanceWeightedPool(nn.Module):
    """An average: a unit counts the less the farther it is from the centre, `exp(-(distance / deviation)² / 2)`.

    Args:
        kernel: Height and width of the neighbourhood.
        stride: Units from one neighbourhood to the next, each way; None for as many as it is wide.
        deviation: Units of the map.
    """

    def __init__(self, kernel: int, *, stride: int | None = None, deviation: float = 1.0) -> None:
        super().__init__()
        self.stride = kernel if stride is None else stride
        apart = torch.arange(kernel) - (kernel - 1) / 2
        distances = apart.square().unsqueeze(1) + apart.square()  # squared
        weights = torch.exp(-distances / (2 * deviation**2))
        self.register_buffer("weights", (weights / weights.sum()).expand(1, 1, kernel, kernel).clone())

    def forward(self, maps: Tensor) -> Tensor:
        """Pool.

        Shape:
            maps (N, C, H, W), to (N, C, rows, columns).
        """
        channels = maps.shape[1]
        weights = self.get_buffer("weights").expand(channels, 1, -1, -1)
        return nn.functional.conv2d(maps, weights, stride=self.stride, groups=channels)

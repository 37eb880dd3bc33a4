"""The three networks of figure 9.11: the same convolutions with three ways to get from maps to classes.

Paper: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9, figure 9.11,
    https://www.deeplearningbook.org/contents/convnets.html
Differs from the paper: the book calls them examples and gives sizes only.  Here convolutions are 3x3 and keep the size,
    pooling takes the largest value, and the convolution that gives the 1,000 maps is 3x3 too.  The softmax at the end
    is left to whoever reads the logits.
Parameters: 16,423,720 (fixed_cnn), 615,720 (variable_cnn), 615,720 (fully_conv_cnn)
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn

PAPER: Final = "Deep learning (2016), figure 9.11, https://www.deeplearningbook.org/contents/convnets.html"


class GridMaxPool(nn.Module):
    """The largest value in each cell of a grid that is laid over the map, whatever its size.

    What `nn.AdaptiveMaxPool2d` does, which PyTorch cannot export for maps of any size: cell i of n reaches from
    `i * size // n` to `((i + 1) * size + n - 1) // n`, so that neighbours overlap where the size is no multiple of n.

    Args:
        cells: Of the grid, each way.
    """

    def __init__(self, cells: int) -> None:
        super().__init__()
        self.cells = cells

    def forward(self, maps: Tensor) -> Tensor:
        """Pool.

        Shape:
            maps (N, C, H, W) with at least one unit each way, to (N, C, cells, cells).
        """
        rows = [self._part(maps, 2, row).amax(2, keepdim=True) for row in range(self.cells)]
        strip = torch.cat(rows, 2)  # (N, C, cells, W)
        columns = [self._part(strip, 3, column).amax(3, keepdim=True) for column in range(self.cells)]
        return torch.cat(columns, 3)  # (N, C, cells, cells)

    def _part(self, maps: Tensor, axis: int, cell: int) -> Tensor:
        size = maps.shape[axis]
        start, end = cell * size // self.cells, ((cell + 1) * size + self.cells - 1) // self.cells
        return maps.narrow(axis, start, end - start)


def fixed_cnn() -> nn.Sequential:
    """The network on the left, with random weights: its matrix fits one size of image.

    Shape:
        (N, 3, 256, 256) float32, normalised, to logits (N, 1000).
    """
    layers: list[tuple[str, nn.Module]] = [
        *_front(),  # (N, 64, 64, 64)
        ("pool2", nn.MaxPool2d(4)),  # (N, 64, 16, 16)
        ("flatten", nn.Flatten()),  # (N, 16384)
        ("fc", nn.Linear(16 * 16 * 64, 1000)),
    ]
    return nn.Sequential(OrderedDict(layers))


def variable_cnn() -> nn.Sequential:
    """The network in the middle, with random weights: the last pooling gives a 3x3 grid of an image of any size.

    Shape:
        (N, 3, H, W) float32, normalised, at least 4x4, to logits (N, 1000).
    """
    layers: list[tuple[str, nn.Module]] = [
        *_front(),  # (N, 64, H/4, W/4)
        ("pool2", GridMaxPool(3)),  # (N, 64, 3, 3)
        ("flatten", nn.Flatten()),  # (N, 576)
        ("fc", nn.Linear(3 * 3 * 64, 1000)),
    ]
    return nn.Sequential(OrderedDict(layers))


def fully_conv_cnn() -> nn.Sequential:
    """The network on the right, with random weights: a map for each class, and its average.

    Shape:
        (N, 3, H, W) float32, normalised, at least 16x16, to logits (N, 1000).
    """
    layers: list[tuple[str, nn.Module]] = [
        *_front(),  # (N, 64, H/4, W/4)
        ("pool2", nn.MaxPool2d(4)),  # (N, 64, H/16, W/16)
        ("conv3", nn.Conv2d(64, 1000, kernel_size=3, padding=1)),  # (N, 1000, H/16, W/16)
        ("pool3", nn.AdaptiveAvgPool2d(1)),  # (N, 1000, 1, 1)
        ("flatten", nn.Flatten()),  # (N, 1000)
    ]
    return nn.Sequential(OrderedDict(layers))


def _front() -> list[tuple[str, nn.Module]]:
    return [
        ("conv1", nn.Conv2d(3, 64, kernel_size=3, padding=1)),  # (N, 64, H, W)
        ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(4)),  # (N, 64, H/4, W/4)
        ("conv2", nn.Conv2d(64, 64, kernel_size=3, padding=1)),
        ("relu2", nn.ReLU()),
    ]

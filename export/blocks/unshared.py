"""Convolutions that do not share their kernel between all places.

Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9.5, equations 9.9 and 9.10,
    https://www.deeplearningbook.org/contents/convnets.html
"""

import math

import torch
from torch import Tensor, nn

from export.blocks import phases
from export.blocks.convolution import Size, output_size


class LocallyConnected(nn.Module):
    """Like a valid convolution, but every connection has a weight of its own (unshared convolution).

    Args:
        inputs: Channels.
        outputs: Channels.
        size: Of the map: there is a kernel for each place.
        kernel: Height and width.
        stride: Units from one place to the next, each way.
    """

    def __init__(self, inputs: int, outputs: int, size: Size, kernel: Size, *, stride: int = 1) -> None:
        super().__init__()
        self.kernel = kernel
        self.stride = stride
        self.shape = output_size(size[0], kernel[0], stride=stride), output_size(size[1], kernel[1], stride=stride)
        connections = inputs * kernel[0] * kernel[1]
        bound = 1 / math.sqrt(connections)
        self.weight = nn.Parameter(torch.empty(*self.shape, connections, outputs).uniform_(-bound, bound))
        self.bias = nn.Parameter(torch.empty(outputs, *self.shape).uniform_(-bound, bound))

    def forward(self, maps: Tensor) -> Tensor:
        """Connect.

        Shape:
            maps (N, C, H, W), to (N, outputs, rows, columns).
        """
        places = ((row, column) for row in range(self.kernel[0]) for column in range(self.kernel[1]))
        seen = torch.stack([self._seen(maps, *place) for place in places], 2)  # (N, C, kernel, rows, columns)
        patches = seen.permute(0, 3, 4, 1, 2).flatten(3).unsqueeze(3)  # (N, rows, columns, 1, C * kernel)
        units = (patches @ self.weight).squeeze(3)  # (N, rows, columns, outputs)
        return units.permute(0, 3, 1, 2) + self.bias

    def _seen(self, maps: Tensor, row: int, column: int) -> Tensor:
        """What one place of the kernel sees as it moves over the map: (N, C, rows, columns)."""
        bottom, right = ((units - 1) * self.stride + 1 for units in self.shape)
        return maps[:, :, row : row + bottom : self.stride, column : column + right : self.stride]


class Tiled(nn.Module):
    """Like a valid convolution, but with several kernels that take turns: a neighbour has another, farther ones not.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Height and width.
        tiles: After so many units, each way, the kernels come again.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Size, *, tiles: int) -> None:
        super().__init__()
        self.tiles = tiles
        self.kernels = nn.ModuleList(nn.Conv2d(inputs, outputs, kernel, stride=tiles) for _ in range(tiles**2))
        self.kernel = kernel

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve.

        Shape:
            maps (N, C, H, W), to (N, outputs, H - height + 1, W - width + 1).
        """
        rows, columns = (maps.shape[axis] - self.kernel[axis - 2] + 1 for axis in (2, 3))
        # Some kernels may have a turn less than others; padding gives all of them as many.
        more = self.tiles - 1
        padded = nn.functional.pad(maps, (0, more, 0, more))
        turns = [self._turns(padded, tile, rows, columns) for tile in range(self.tiles**2)]
        return phases.joined(torch.stack(turns, 2), self.tiles)[:, :, :rows, :columns]

    def _turns(self, maps: Tensor, tile: int, rows: int, columns: int) -> Tensor:
        """The units that one kernel makes: (N, outputs, rows / tiles, columns / tiles), rounded up."""
        top, left = divmod(tile, self.tiles)
        height, width = (self._reach(units, axis) for axis, units in enumerate((rows, columns)))
        found: Tensor = self.kernels[tile](maps[:, :, top : top + height, left : left + width])
        return found

    def _reach(self, units: int, axis: int) -> int:
        """The units of the map that all turns of a kernel see together."""
        turns = (units + self.tiles - 1) // self.tiles
        return (turns - 1) * self.tiles + self.kernel[axis]

"""Convolution as a product with a sparse matrix.

Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9.1 and figure 9.6,
    https://www.deeplearningbook.org/contents/convnets.html
"""

import torch
from torch import Tensor, nn

from export.blocks.convolution import Size, output_size


class SparseMatrixProduct(nn.Module):
    """A valid convolution (without a flip) of one map, as a matrix times the pixels in a row.

    Each row of the matrix makes one unit.  It has as many entries as the kernel, and only these are kept, with the
    columns in which they stand.

    Args:
        kernel: Its weights.
        size: Of the map.

    Shape:
        kernel (height, width) float32.
    """

    def __init__(self, kernel: Tensor, size: Size) -> None:
        super().__init__()
        height, width = kernel.shape
        self.size = size
        self.shape = output_size(size[0], height), output_size(size[1], width)
        pixels = torch.arange(size[0] * size[1]).reshape(size)
        columns = pixels.unfold(0, height, 1).unfold(1, width, 1).flatten(2).flatten(0, 1)
        self.register_buffer("columns", columns)  # (units, entries)
        self.entries = nn.Parameter(kernel.flatten().repeat(len(columns), 1))  # (units, entries)

    def forward(self, maps: Tensor) -> Tensor:
        """Multiply.

        Shape:
            maps (N, 1, H, W), to (N, 1, rows, columns).
        """
        pixels = maps.flatten(1)  # (N, H * W)
        units = (pixels[:, self.get_buffer("columns")] * self.entries).sum(2)  # (N, units)
        return torch.unflatten(units, 1, (1, *self.shape))

    def dense(self) -> Tensor:
        """The whole matrix, with its zeros.

        Shape:
            (units, H * W).
        """
        matrix = torch.zeros(len(self.entries), self.size[0] * self.size[1])
        return matrix.scatter(1, self.get_buffer("columns"), self.entries.detach())

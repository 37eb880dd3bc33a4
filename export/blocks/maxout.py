"""Pooling over channels.

Source: I. J. Goodfellow, D. Warde-Farley, M. Mirza, A. Courville, Y. Bengio, "Maxout networks", ICML 2013,
    https://arxiv.org/abs/1302.4389
"""

import torch
from torch import Tensor, nn


class Maxout(nn.Module):
    """The largest of several channels at each place.

    Where these have learned to detect one thing in several forms, turned by several angles, say, the largest does not
    tell which form it was.

    Args:
        pieces: How many channels, one behind the other, are pooled into one.
    """

    def __init__(self, pieces: int) -> None:
        super().__init__()
        self.pieces = pieces

    def forward(self, maps: Tensor) -> Tensor:
        """Pool.

        Shape:
            maps (N, C * pieces, H, W) or (N, C * pieces), to (N, C, H, W) or (N, C).
        """
        return torch.unflatten(maps, 1, (-1, self.pieces)).amax(2)

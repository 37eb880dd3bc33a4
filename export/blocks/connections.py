"""How layers are put together otherwise than one behind the other.

Source: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016,
    https://arxiv.org/abs/1512.03385; C. Szegedy et al., "Going deeper with convolutions", CVPR 2015,
    https://arxiv.org/abs/1409.4842; G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely connected
    convolutional networks", CVPR 2017, https://arxiv.org/abs/1608.06993
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn


class Shortcut(nn.Module):
    """`branch(x) + x`: the branch has to learn only what is to be changed.

    Args:
        branch: Its maps are as many and as large as those that it is given.
    """

    def __init__(self, branch: nn.Module) -> None:
        super().__init__()
        self.branch = branch

    def forward(self, maps: Tensor) -> Tensor:
        """Add.

        Shape:
            maps (N, C, H, W), and so the result.
        """
        sums: Tensor = self.branch(maps) + maps
        return sums


class Inception(nn.Module):
    """Convolutions of several sizes side by side, and a pooling: the module of GoogLeNet.

    Args:
        inputs: Channels.
        ones: Channels of the 1x1 convolution.
        threes: Channels of the 1x1 convolution before the 3x3 one, and of that one.
        fives: The same for the 5x5 convolution.
        pooled: Channels of the 1x1 convolution behind the pooling.
    """

    def __init__(self, inputs: int, *, ones: int, threes: tuple[int, int], fives: tuple[int, int], pooled: int) -> None:
        super().__init__()
        self.branch1 = _convolutions(inputs, (ones, 1))
        self.branch3 = _convolutions(inputs, (threes[0], 1), (threes[1], 3))
        self.branch5 = _convolutions(inputs, (fives[0], 1), (fives[1], 5))
        self.pooling = nn.MaxPool2d(3, stride=1, padding=1)
        self.branch_pooled = _convolutions(inputs, (pooled, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Compute the branches.

        Shape:
            maps (N, C, H, W), to (N, ones + threes[1] + fives[1] + pooled, H, W).
        """
        branches = self.branch1(maps), self.branch3(maps), self.branch5(maps), self.branch_pooled(self.pooling(maps))
        return torch.cat(branches, 1)


def _convolutions(inputs: int, *layers: tuple[int, int]) -> nn.Sequential:
    """One behind the other, each given by its channels and its kernel."""
    stages: OrderedDict[str, nn.Module] = OrderedDict()
    for place, (channels, kernel) in enumerate(layers, start=1):
        stages[f"conv{place}"] = nn.Conv2d(inputs, channels, kernel, padding="same")
        stages[f"relu{place}"] = nn.ReLU()
        inputs = channels
    return nn.Sequential(stages)


class DenseConnection(nn.Sequential):
    """Each layer is given the maps of all that came before it, and the input.

    Args:
        layers: Of each, the maps are as large as those that it is given, and their number is added to theirs.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (PyTorch's name of it)
        """Compute the layers.

        Shape:
            input (N, C, H, W), to (N, C + channels of all layers, H, W).
        """
        for layer in self:
            input = torch.cat([input, layer(input)], 1)  # noqa: A001
        return input

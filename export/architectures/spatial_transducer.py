"""A spatial transducer: maps in, maps out, and their size scales with that of the image.

Paper: J. Long, E. Shelhamer, T. Darrell, "Fully convolutional networks for semantic segmentation", CVPR 2015,
    https://arxiv.org/abs/1411.4038
Differs from the paper: lecture texts name the kind of network and nothing more; this is a small one of the kind, with
    the paper's idea that every layer is convolutional.  A stride and a dilation let it see 15 pixels each way.
Parameters: 15,203
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

from torch import nn

from service.metadata import ClassOutput

PAPER: Final = "Fully convolutional networks for semantic segmentation (2015), https://arxiv.org/abs/1411.4038"
OUTPUT: Final = ClassOutput(name="maps", values="none", labels=None)


def build() -> nn.Sequential:
    """The transducer with random weights.

    Shape:
        (N, 3, H, W) float32, normalised, any size, to maps (N, 3, H / 2, W / 2), rounded up.
    """
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 16, kernel_size=5, padding=2)),  # (N, 16, H, W)
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(16, 32, kernel_size=3, stride=2, padding=1)),  # (N, 32, H/2, W/2)
        ("relu2", nn.ReLU()),
        ("conv3", nn.Conv2d(32, 32, kernel_size=3, padding=2, dilation=2)),
        ("relu3", nn.ReLU()),
        ("conv4", nn.Conv2d(32, 3, kernel_size=1)),  # (N, 3, H/2, W/2)
    ]
    return nn.Sequential(OrderedDict(layers))

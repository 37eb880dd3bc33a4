"""All-CNN-C: no pooling and no linear layer, strided convolutions shrink the maps.

Paper: J. T. Springenberg, A. Dosovitskiy, T. Brox, M. Riedmiller, "Striving for simplicity: the all convolutional net",
    ICLR 2015 workshop, https://arxiv.org/abs/1412.6806
Differs from the paper: in nothing but where weights start, which is where PyTorch draws them.  Of its tables 1 and 2
    this is model C with the poolings replaced; the last 3x3 convolution has no padding, which leaves
    the 6x6 units that the paper averages over.  The average is taken over any other number of them too, so that the
    network takes images of any size.
Parameters: 1,369,738
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

from torch import nn

PAPER: Final = "Striving for simplicity: the all convolutional net (2015), https://arxiv.org/abs/1412.6806"


def build() -> nn.Sequential:
    """All-CNN-C with random weights.

    Shape:
        (N, 3, H, W) float32, normalised, 32x32 in the paper and at least 9x9, to logits (N, 10).
    """
    layers: list[tuple[str, nn.Module]] = [
        ("dropout0", nn.Dropout(0.2)),
        ("conv1", nn.Conv2d(3, 96, kernel_size=3, padding=1)),  # (N, 96, H, W)
        ("relu1", nn.ReLU()),
        ("conv2", nn.Conv2d(96, 96, kernel_size=3, padding=1)),  # (N, 96, H, W)
        ("relu2", nn.ReLU()),
        ("conv3", nn.Conv2d(96, 96, kernel_size=3, stride=2, padding=1)),  # (N, 96, H/2, W/2)
        ("relu3", nn.ReLU()),
        ("dropout3", nn.Dropout(0.5)),
        ("conv4", nn.Conv2d(96, 192, kernel_size=3, padding=1)),  # (N, 192, H/2, W/2)
        ("relu4", nn.ReLU()),
        ("conv5", nn.Conv2d(192, 192, kernel_size=3, padding=1)),  # (N, 192, H/2, W/2)
        ("relu5", nn.ReLU()),
        ("conv6", nn.Conv2d(192, 192, kernel_size=3, stride=2, padding=1)),  # (N, 192, H/4, W/4)
        ("relu6", nn.ReLU()),
        ("dropout6", nn.Dropout(0.5)),
        ("conv7", nn.Conv2d(192, 192, kernel_size=3)),  # (N, 192, H/4 - 2, W/4 - 2)
        ("relu7", nn.ReLU()),
        ("conv8", nn.Conv2d(192, 192, kernel_size=1)),
        ("relu8", nn.ReLU()),
        ("conv9", nn.Conv2d(192, 10, kernel_size=1)),  # (N, 10, H/4 - 2, W/4 - 2)
        ("relu9", nn.ReLU()),
        ("pool", nn.AdaptiveAvgPool2d(1)),  # (N, 10, 1, 1)
        ("flatten", nn.Flatten()),  # (N, 10)
    ]
    return nn.Sequential(OrderedDict(layers))

"""ZFNet: AlexNet with other hyper-parameters, chosen by looking at its feature maps.

Paper: M. D. Zeiler, R. Fergus, "Visualizing and understanding convolutional networks", ECCV 2014,
    https://arxiv.org/abs/1311.2901
Differs from the paper: it gives the sizes of the maps (figure 3) and no padding: here the first convolution and the
    first two poolings pad with 1 pixel, which gives these sizes.  The normalisation across maps has AlexNet's numbers.
    Weights start as PyTorch draws them (the paper: 0.01, biases 0).
Parameters: 62,357,608
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

from torch import nn

from export.architectures.local_response_norm import LocalResponseNorm

PAPER: Final = "Visualizing and understanding convolutional networks (2014), https://arxiv.org/abs/1311.2901"


def build() -> nn.Sequential:
    """ZFNet with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 96, kernel_size=7, stride=2, padding=1)),  # (N, 96, 110, 110)
        ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(3, stride=2, padding=1)),  # (N, 96, 55, 55)
        ("norm1", LocalResponseNorm()),
        ("conv2", nn.Conv2d(96, 256, kernel_size=5, stride=2)),  # (N, 256, 26, 26)
        ("relu2", nn.ReLU()),
        ("pool2", nn.MaxPool2d(3, stride=2, padding=1)),  # (N, 256, 13, 13)
        ("norm2", LocalResponseNorm()),
        ("conv3", nn.Conv2d(256, 384, kernel_size=3, padding=1)),  # (N, 384, 13, 13)
        ("relu3", nn.ReLU()),
        ("conv4", nn.Conv2d(384, 384, kernel_size=3, padding=1)),  # (N, 384, 13, 13)
        ("relu4", nn.ReLU()),
        ("conv5", nn.Conv2d(384, 256, kernel_size=3, padding=1)),  # (N, 256, 13, 13)
        ("relu5", nn.ReLU()),
        ("pool5", nn.MaxPool2d(3, stride=2)),  # (N, 256, 6, 6)
        ("flatten", nn.Flatten()),  # (N, 9216)
        ("dropout6", nn.Dropout(0.5)),
        ("fc6", nn.Linear(9216, 4096)),
        ("relu6", nn.ReLU()),
        ("dropout7", nn.Dropout(0.5)),
        ("fc7", nn.Linear(4096, 4096)),
        ("relu7", nn.ReLU()),
        ("fc8", nn.Linear(4096, 1000)),
    ]
    return nn.Sequential(OrderedDict(layers))

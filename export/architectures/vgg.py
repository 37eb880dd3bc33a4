"""VGG networks with 16 and 19 layers, torchvision's.

Paper: K. Simonyan, A. Zisserman, "Very deep convolutional networks for large-scale image recognition", ICLR 2015,
    https://arxiv.org/abs/1409.1556
Differs from the paper: an average pooling to 7x7 stands before the linear layers; at 224x224 it changes nothing.
    These are the paper's configurations D and E, without batch norms.
Parameters: 138,357,544 (vgg16), 143,667,240 (vgg19); nine of ten are in the three linear layers
Licence: BSD-3-Clause (torchvision)
"""

from typing import Final

from torch import nn
from torchvision import models

PAPER: Final = (
    "Very deep convolutional networks for large-scale image recognition (2015), https://arxiv.org/abs/1409.1556"
)


def vgg16() -> nn.Module:
    """VGG-16 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.vgg16(weights=None)
    return network


def vgg19() -> nn.Module:
    """VGG-19 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.vgg19(weights=None)
    return network

"""Residual networks with 18, 50 and 152 layers, torchvision's.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016,
    https://arxiv.org/abs/1512.03385
Differs from the paper: where a bottleneck halves the map, the stride is in its 3x3 convolution (the paper: in the
    1x1 before it), so that a unit of the last map of ResNet-50 sees 427 pixels each way (the paper's: 483).
    ResNet-18 has no bottlenecks and does not differ.  Each branch beside a shortcut starts at zero, as is usual now.
Parameters: 11,689,512 (resnet18), 25,557,032 (resnet50), 60,192,808 (resnet152)
Licence: BSD-3-Clause (torchvision)
"""

from typing import Final

from torch import nn
from torchvision import models

PAPER: Final = "Deep residual learning for image recognition (2016), https://arxiv.org/abs/1512.03385"


def resnet18() -> nn.Module:
    """ResNet-18 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.resnet18(weights=None, zero_init_residual=True)
    return network


def resnet50() -> nn.Module:
    """ResNet-50 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.resnet50(weights=None, zero_init_residual=True)
    return network


def resnet152() -> nn.Module:
    """ResNet-152 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.resnet152(weights=None, zero_init_residual=True)
    return network

"""DenseNet-121, torchvision's.

Paper: G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely connected convolutional networks", CVPR 2017,
    https://arxiv.org/abs/1608.06993
Differs from the paper: in nothing; it is the paper's DenseNet-BC for ImageNet, with a growth rate of 32.
Parameters: 7,978,856
Licence: BSD-3-Clause (torchvision)
"""

from typing import Final

from torch import nn
from torchvision import models

PAPER: Final = "Densely connected convolutional networks (2017), https://arxiv.org/abs/1608.06993"


def densenet121() -> nn.Module:
    """DenseNet-121 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.densenet121(weights=None)
    return network

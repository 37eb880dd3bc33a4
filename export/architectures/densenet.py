"""DenseNet-121 for ImageNet, torchvision's, and DenseNet-190 for CIFAR, of torchvision's parts.

Paper: G. Huang, Z. Liu, L. van der Maaten, K. Q. Weinberger, "Densely connected convolutional networks", CVPR 2017,
    https://arxiv.org/abs/1608.06993
Differs from the paper: in nothing.  Both are DenseNet-BC, with a growth rate of 32 (121) and 40 (190).
Parameters: 7,978,856 (densenet121), 25,624,430 (densenet190)
    Texts give DenseNet-190 40 million parameters.  The paper's has 25.6 million (table 2, L = 190, k = 40, C10+);
    40 is its growth rate.
Licence: BSD-3-Clause (torchvision)
"""

from typing import Final

from torch import nn
from torchvision import models

PAPER: Final = "Densely connected convolutional networks (2017), https://arxiv.org/abs/1608.06993"


def densenet121() -> nn.Module:
    """DenseNet-121 with random weights.

    Shape:
        (N, 3, H, W) float32, normalised, 224x224 in the paper and at least 29x29, to logits (N, 1000).
    """
    network: nn.Module = models.densenet121(weights=None)
    return network


def densenet190() -> nn.Module:
    """DenseNet-190 with random weights, for the ten classes of CIFAR-10.

    Shape:
        (N, 3, H, W) float32, normalised, 32x32 in the paper and at least 4x4, to logits (N, 10).
    """
    growth = 40
    # Three blocks of (190 - 4) / 6 pairs of a 1x1 and a 3x3 convolution.
    network: nn.Module = models.DenseNet(
        growth_rate=growth, block_config=(31, 31, 31), num_init_features=2 * growth, bn_size=4, num_classes=10
    )
    front = network.get_submodule("features")
    # Small images are not shrunk at the entry.
    front.conv0 = nn.Conv2d(3, 2 * growth, kernel_size=3, padding=1, bias=False)
    for name in ("norm0", "relu0", "pool0"):
        delattr(front, name)
    nn.init.kaiming_normal_(front.conv0.weight)
    return network

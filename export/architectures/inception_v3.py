"""Inception v3, torchvision's, without its auxiliary head.

Paper: C. Szegedy, V. Vanhoucke, S. Ioffe, J. Shlens, Z. Wojna, "Rethinking the Inception architecture for computer
    vision", CVPR 2016, https://arxiv.org/abs/1512.00567
Differs from the paper: the modules are those of TensorFlow's inception_v3, which torchvision follows: it widens and
    factorises them a little otherwise than the paper's table.  The auxiliary head, which only helps while training,
    is left off.
Parameters: 23,834,568
Licence: BSD-3-Clause (torchvision)
"""

from typing import Final

from torch import nn
from torchvision import models

PAPER: Final = "Rethinking the Inception architecture for computer vision (2016), https://arxiv.org/abs/1512.00567"


def build() -> nn.Module:
    """Inception v3 with random weights.

    Shape:
        (N, 3, 299, 299) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.inception_v3(weights=None, aux_logits=False, transform_input=False, init_weights=True)
    return network

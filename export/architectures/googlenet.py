"""GoogLeNet (Inception v1), torchvision's, without its auxiliary heads.

Paper: C. Szegedy, W. Liu, Y. Jia, P. Sermanet, S. Reed, D. Anguelov, D. Erhan, V. Vanhoucke, A. Rabinovich,
    "Going deeper with convolutions", CVPR 2015, https://arxiv.org/abs/1409.4842
Differs from the paper: a batch norm behind each convolution (the paper: none, and local response normalisation in
    two places); 3x3 kernels where the paper has 5x5; dropout 0.2 (the paper: 0.4).  The two auxiliary heads, which
    only help while training, are left off.
Parameters: 6,624,904
    Texts say 4 or 5 million: the paper has "12 times fewer" than AlexNet's 60 million, while the layers of its own
    table add up to 6.8 million.
Licence: BSD-3-Clause (torchvision)
"""

from typing import Final

from torch import nn
from torchvision import models

PAPER: Final = "Going deeper with convolutions (2015), https://arxiv.org/abs/1409.4842"


def build() -> nn.Module:
    """GoogLeNet with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = models.googlenet(weights=None, aux_logits=False, transform_input=False, init_weights=True)
    return network

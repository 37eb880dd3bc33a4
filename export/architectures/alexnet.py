"""AlexNet as in the paper: 96 kernels in the first layer, and two groups.

Paper: A. Krizhevsky, I. Sutskever, G. E. Hinton, "ImageNet classification with deep convolutional neural networks",
    NIPS 2012, https://papers.nips.cc/paper/4824
Differs from the paper: the first convolution pads its input with 2 pixels, without which a kernel of 11 and a stride
    of 4 do not fit 224 pixels (they give 54.25; the paper's map is 55 wide); pixels are divided by their deviation
    too; weights start as PyTorch draws them (the paper: with a deviation of 0.01, and some biases at 1).  The two
    groups are those of the paper's two GPUs.  torchvision's alexnet is another network: one group, 64 kernels in the
    first layer, no response normalisation, 61,100,840 parameters.
Parameters: 60,965,224
    Texts say 60 million, as the paper does; 96 % of them are in the three linear layers.
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

from torch import nn

from export.architectures.local_response_norm import LocalResponseNorm

PAPER: Final = (
    "ImageNet classification with deep convolutional neural networks (2012), https://papers.nips.cc/paper/4824"
)


def build() -> nn.Sequential:
    """AlexNet with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(3, 96, kernel_size=11, stride=4, padding=2)),  # (N, 96, 55, 55)
        ("relu1", nn.ReLU()),
        ("norm1", LocalResponseNorm()),
        ("pool1", nn.MaxPool2d(3, stride=2)),  # (N, 96, 27, 27)
        ("conv2", nn.Conv2d(96, 256, kernel_size=5, padding=2, groups=2)),  # (N, 256, 27, 27)
        ("relu2", nn.ReLU()),
        ("norm2", LocalResponseNorm()),
        ("pool2", nn.MaxPool2d(3, stride=2)),  # (N, 256, 13, 13)
        ("conv3", nn.Conv2d(256, 384, kernel_size=3, padding=1)),  # (N, 384, 13, 13)
        ("relu3", nn.ReLU()),
        ("conv4", nn.Conv2d(384, 384, kernel_size=3, padding=1, groups=2)),  # (N, 384, 13, 13)
        ("relu4", nn.ReLU()),
        ("conv5", nn.Conv2d(384, 256, kernel_size=3, padding=1, groups=2)),  # (N, 256, 13, 13)
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

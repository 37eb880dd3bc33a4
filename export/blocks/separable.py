"""Convolutions that are made of smaller ones: fewer weights, less work.

Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9.8,
    https://www.deeplearningbook.org/contents/convnets.html; F. Chollet, "Xception: Deep learning with depthwise
    separable convolutions", CVPR 2017, https://arxiv.org/abs/1610.02357
"""

from collections import OrderedDict

import torch
from torch import Tensor, nn

from export.blocks.convolution import Size


class SpatiallySeparable(nn.Sequential):
    """A convolution whose kernels are a column times a row: `height + width` weights instead of `height * width`.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Height and width of the kernel that the two make up.
        padding: At each end, vertically and horizontally.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Size, *, padding: Size = (0, 0)) -> None:
        column = nn.Conv2d(inputs, outputs, (kernel[0], 1), padding=(padding[0], 0), bias=False)
        row = nn.Conv2d(outputs, outputs, (1, kernel[1]), padding=(0, padding[1]), groups=outputs)
        super().__init__(OrderedDict(column=column, row=row))


class DepthwiseSeparable(nn.Sequential):
    """Each channel is convolved with a kernel of its own, and then a 1x1 convolution mixes the channels.

    Args:
        inputs: Channels.
        outputs: Channels.
        kernel: Height and width.
        padding: At each end, vertically and horizontally.
    """

    def __init__(self, inputs: int, outputs: int, kernel: Size, *, padding: Size = (0, 0)) -> None:
        depthwise = nn.Conv2d(inputs, inputs, kernel, padding=padding, groups=inputs, bias=False)
        super().__init__(OrderedDict(depthwise=depthwise, pointwise=nn.Conv2d(inputs, outputs, 1)))


def decomposed(kernel: Tensor) -> tuple[Tensor, Tensor] | None:
    """The column and the row whose product a kernel is; None where there are none, as is the case for most kernels.

    A matrix is such a product where its rank is 1: all but the first of its singular values are 0.

    Shape:
        kernel (height, width); returns (height, 1) and (1, width).
    """
    columns, values, rows = torch.linalg.svd(kernel)
    precision = torch.finfo(kernel.dtype).eps * max(kernel.shape)
    if (values[1:] > precision * values[0]).any():
        return None
    root = values[0].sqrt()
    return root * columns[:, :1], root * rows[:1]

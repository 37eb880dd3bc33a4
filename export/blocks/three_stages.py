"""The three stages of a layer of a convolutional network, each a feature map of its own.

Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9.3 and figure 9.7,
    https://www.deeplearningbook.org/contents/convnets.html
"""

from collections import OrderedDict

from torch import nn


class ThreeStages(nn.Sequential):
    """Several convolutions in parallel, then a nonlinear activation, then pooling.

    Args:
        affine: The convolutions.
        detector: The activation.
        pooling: What sums up neighbours.
    """

    def __init__(self, affine: nn.Module, detector: nn.Module, pooling: nn.Module) -> None:
        super().__init__(OrderedDict(affine=affine, detector=detector, pooling=pooling))

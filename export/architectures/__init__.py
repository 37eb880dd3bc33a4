"""The networks, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from torch import nn

from export.architectures import densenet, efficientnet_lite0, googlenet, inception_v3, lenet5, resnet, vgg


@dataclass(frozen=True)
class Architecture:
    """How to get a network.

    Args:
        build: Makes it with random weights.
        paper: Title and link.
        pretrained: Makes it with weights trained elsewhere; None where there are none.
    """

    build: Callable[[], nn.Module]
    paper: str
    pretrained: Callable[[], nn.Module] | None = None


ARCHITECTURES: Final[Mapping[str, Architecture]] = {
    "densenet121": Architecture(densenet.densenet121, densenet.PAPER),
    "efficientnet_lite0": Architecture(
        efficientnet_lite0.build, efficientnet_lite0.PAPER, pretrained=efficientnet_lite0.pretrained
    ),
    "googlenet": Architecture(googlenet.build, googlenet.PAPER),
    "inception_v3": Architecture(inception_v3.build, inception_v3.PAPER),
    "lenet5": Architecture(lenet5.build, lenet5.PAPER),
    "resnet18": Architecture(resnet.resnet18, resnet.PAPER),
    "resnet50": Architecture(resnet.resnet50, resnet.PAPER),
    "resnet152": Architecture(resnet.resnet152, resnet.PAPER),
    "vgg16": Architecture(vgg.vgg16, vgg.PAPER),
    "vgg19": Architecture(vgg.vgg19, vgg.PAPER),
}


def parameters(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(parameter.numel() for parameter in network.parameters())

"""The networks, by name."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

from torch import nn

from export.architectures import efficientnet_lite0, lenet5


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
    "efficientnet_lite0": Architecture(
        efficientnet_lite0.build, efficientnet_lite0.PAPER, pretrained=efficientnet_lite0.pretrained
    ),
    "lenet5": Architecture(lenet5.build, lenet5.PAPER),
}


def parameters(network: nn.Module) -> int:
    """How many numbers of a network are trained."""
    return sum(parameter.numel() for parameter in network.parameters())

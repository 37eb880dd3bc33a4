"""Networks with random weights, of which no number is trivial.

What a builder leaves at 0 or 1 would hide mistakes: a batch norm that does nothing can be lost on the way, and
nobody sees it.  So batch norms get statistics near those of what they are given, and what starts at one value is
spread.
"""

from collections.abc import Callable
from contextlib import ExitStack
from typing import Final

import torch
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from export import verification
from service.metadata import ImageInput

_IMAGES: Final = 4
_LOW: Final = 0.3


def build(make: Callable[[], nn.Module], spec: ImageInput, *, seed: int) -> nn.Module:
    """A network with random weights, in evaluation mode; the same seed gives the same one.

    Its activations stay in the range that trained networks have, however deep it is.

    Args:
        make: Builds it with the initialisation of its paper.
        spec: The input that it takes.
        seed: Of the weights.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        network = make().eval()
        _draw_constants(network)
        _draw_batch_norms(network, verification.inputs(spec, _IMAGES))
    return network


def _draw_constants(network: nn.Module) -> None:
    """Give a spread to every parameter that has one value: biases and scales, and heads that start at zero."""
    for module in network.modules():
        constants = [] if isinstance(module, _BatchNorm) else module.parameters(recurse=False)
        for parameter in constants:
            first = parameter.flatten()[:1]
            if not bool((parameter == first).all()):
                continue
            if bool(first):
                parameter.data.mul_(_between(0.5, 1.5, parameter))
            else:
                nn.init.normal_(parameter, std=0.1)


def _draw_batch_norms(network: nn.Module, images: Tensor) -> None:
    """Run the network, and set each batch norm just before its turn, from what it is about to be given."""
    norms = [module for module in network.modules() if isinstance(module, _BatchNorm)]
    with torch.inference_mode(), ExitStack() as hooks:
        for norm in norms:
            hooks.enter_context(norm.register_forward_pre_hook(_draw))
        network(images)


def _draw(norm: nn.Module, given: tuple[Tensor]) -> None:
    """Statistics off by up to half, scales around 1, and biases as large.

    Without those biases a deep random network is chaotic: each layer blows up what rounding left behind.  For the
    same reason a channel that hardly varies counts as one that does, and a branch beside a shortcut that its builder
    would start at zero starts low.
    """
    assert isinstance(norm, _BatchNorm)  # noqa: S101  (the hook stands on nothing else)
    places = [axis for axis in range(given[0].ndim) if axis != 1]
    variance, mean = torch.var_mean(given[0], dim=places)  # each (C,)
    variance = variance.maximum(variance.mean() / 2)
    size = torch.where(norm.weight == 0, _LOW, 1.0)
    norm.get_buffer("running_mean").copy_(mean + variance.sqrt() * _between(-0.25, 0.25, mean))
    norm.get_buffer("running_var").copy_(variance * _between(0.5, 1.5, mean))
    norm.weight.copy_(size * _between(0.5, 1.5, mean))
    norm.bias.copy_(size * torch.randn_like(mean))


def _between(low: float, high: float, like: Tensor) -> Tensor:
    return torch.empty_like(like).uniform_(low, high)

"""A network for another number of colour channels or classes: its first and its last layer are drawn anew."""

import torch
from torch import Tensor, nn

from export.errors import RecipeError
from service.metadata import ImageInput


def adapt(network: nn.Module, spec: ImageInput, *, classes: int | None) -> nn.Module:
    """Give a network the channels of an input and a number of classes, where it has others.

    The weights of the first convolution and of the last linear layer or convolution are then drawn anew, as PyTorch
    draws them, and all others stay.

    Args:
        network: It is changed in place.
        spec: The input that it shall take.
        classes: How many outputs it shall have; None to leave them as they are.

    Raises:
        RecipeError: It has no such layers, or does not take images of this size.
    """
    layers = [module for module in network.modules() if isinstance(module, nn.Conv2d | nn.Linear)]
    first = next((layer for layer in layers if isinstance(layer, nn.Conv2d)), None)
    if first is None:
        raise RecipeError("the network has no convolution to begin with")
    if first.in_channels != spec.channels:
        _redraw(first, {"in_channels": spec.channels}, (first.out_channels, spec.channels, *first.kernel_size))
    answers = _answers(network, spec)
    if classes is not None and classes != answers:
        _redraw_last(layers[-1], answers, classes)
        if _answers(network, spec) != classes:
            raise RecipeError(f"the network cannot be given {classes} classes: its last layer does not decide them")
    return network


def _redraw_last(layer: nn.Conv2d | nn.Linear, answers: int, classes: int) -> None:
    if isinstance(layer, nn.Linear) and layer.out_features == answers:
        _redraw(layer, {"out_features": classes}, (classes, layer.in_features))
    elif isinstance(layer, nn.Conv2d) and layer.out_channels == answers and layer.groups == 1:
        _redraw(layer, {"out_channels": classes}, (classes, layer.in_channels, *layer.kernel_size))
    else:
        raise RecipeError(f"the network cannot be given {classes} classes: its last layer does not decide them")


def _redraw(layer: nn.Conv2d | nn.Linear, sizes: dict[str, int], shape: tuple[int, ...]) -> None:
    for name, size in sizes.items():
        setattr(layer, name, size)
    layer.weight = nn.Parameter(torch.empty(shape))
    if layer.bias is not None:
        layer.bias = nn.Parameter(torch.empty(shape[0]))
    layer.reset_parameters()


def _answers(network: nn.Module, spec: ImageInput) -> int:
    """How many classes a network has, found out by running it once.

    Raises:
        RecipeError: It does not take such images, or does not answer with classes.
    """
    training = network.training
    network.eval()
    try:
        with torch.inference_mode():
            output = network(torch.zeros(1, *spec.shape))
    except RuntimeError as error:
        why = " ".join(str(error).split())
        raise RecipeError(f"the network does not take images of {spec.height}x{spec.width} pixels: {why}") from error
    finally:
        network.train(training)
    if not isinstance(output, Tensor) or output.ndim != 2:
        raise RecipeError("the network does not answer with one number for each class")
    return int(output.shape[1])

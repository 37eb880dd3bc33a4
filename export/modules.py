"""A PyTorch module of one's own, named by its Python path, as `package.file:factory`."""

import importlib
import sys
from pathlib import Path

import torch
from torch import Tensor, nn

from export.errors import RecipeError
from export.recipes import OwnModule
from service.metadata import ClassOutput


def is_path(architecture: str) -> bool:
    """Whether this names a module of one's own, and no architecture of ours."""
    return ":" in architecture


def build(path: str) -> nn.Module:
    """Call the factory; its file may lie in the working directory.

    Args:
        path: `package.file:factory`, where the factory is a function without arguments, or a class.

    Raises:
        RecipeError: It cannot be imported or called, or gives no PyTorch module.
    """
    file, _, factory = path.partition(":")
    if not (file and factory):
        raise RecipeError(f"{path!r} is no Python path; accepted: package.file:factory")
    if (here := str(Path.cwd())) not in sys.path:
        sys.path.insert(0, here)
    try:
        made = getattr(importlib.import_module(file), factory)()
    except Exception as error:
        # It is the user's code: anything may come out of it.
        raise RecipeError(f"{path} gives no network: {type(error).__name__}: {error}") from error
    if not isinstance(made, nn.Module):
        raise RecipeError(f"{path} gives no PyTorch module, but a {type(made).__name__}")
    return made


def output_of(network: nn.Module, made_from: OwnModule) -> ClassOutput:
    """What the output of a module means; it is run once to see its shape.

    Args:
        network: In evaluation mode.
        made_from: Its input, and what its user says of its output.

    Raises:
        RecipeError: It does not take such images, gives no tensor, or the labels are not as many as its classes.
    """
    spec, path = made_from.input, made_from.path
    try:
        with torch.inference_mode():
            output = network(torch.zeros(2, *spec.shape))
    except Exception as error:
        # It is the user's code: anything may come out of it.
        raise RecipeError(f"{path} does not take images {spec.shape}: {type(error).__name__}: {error}") from error
    if not isinstance(output, Tensor):
        raise RecipeError(f"{path} gives a {type(output).__name__}; accepted: one tensor")
    shape = tuple(output.shape[1:])
    values = made_from.values or ("logits" if len(shape) == 1 else "none")
    if values != "none" and len(shape) != 1:
        raise RecipeError(f"{path} gives {shape} for an image; classes are one row of numbers")
    if made_from.labels is not None and (values == "none" or shape != (len(made_from.labels),)):
        raise RecipeError(f"there are {len(made_from.labels)} labels, and {path} gives {shape} for an image")
    name = {"none": "output", "logits": "logits", "sigmoid_logits": "logits"}.get(values, "probabilities")
    return ClassOutput(name=name, values=values, labels=made_from.labels)

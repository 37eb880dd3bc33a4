"""Weights from a file: read without running what is in it, and refused where they are of another network."""

import hashlib
import re
from collections import OrderedDict
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import safetensors
import safetensors.torch
import torch
from torch import Tensor, nn

from export.errors import CheckpointError

# Where programs that train put the weights, beside the state of the optimiser.
_WRAPPERS: Final = ("state_dict", "model_state_dict", "model")
# Batches that were counted while training; nothing is computed with it.
_COUNTER: Final = "num_batches_tracked"
_VERSIONS: Final = "_metadata"
_SHOWN: Final = 5


def read(path: Path) -> dict[str, Tensor]:
    """Read a state dict: of `torch.save`, alone or under `state_dict` or `model`, or a safetensors file.

    Raises:
        CheckpointError: The file cannot be read, is damaged, or holds something else.
    """
    try:
        found = safetensors.torch.load_file(path) if path.suffix == ".safetensors" else _loaded(path)
    except OSError as error:
        raise CheckpointError(f"{path} cannot be read: {error.strerror or error}") from error
    except Exception as error:
        # Whatever a damaged file makes of the readers: there is no list of it.
        raise CheckpointError(
            f"{path} is damaged, or holds more than weights; accepted is what `torch.save(network.state_dict(), FILE)`"
            " writes, or a safetensors file"
        ) from error
    if not found or not all(isinstance(value, Tensor) for value in found.values()):
        raise CheckpointError(f"{path} holds no state dict: names of weights, and a tensor for each")
    return found


def is_published_as(path: Path, url: str) -> bool:
    """Whether a file is, to the byte, what is published at an address.

    Addresses of PyTorch's weights end with the first digits of their SHA-256, as `resnet50-11ad3fa6.pth`.
    """
    digits = re.search(r"-([0-9a-f]{8,})\.pth$", url)
    return digits is not None and _digest(path).startswith(digits[1])


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def _loaded(path: Path) -> dict[str, Any]:
    found: object = torch.load(path, map_location="cpu", weights_only=True)
    for wrapper in _WRAPPERS:
        if isinstance(found, dict) and isinstance(found.get(wrapper), dict):
            found = found[wrapper]
    return found if isinstance(found, dict) else {}


def load(network: nn.Module, path: Path, *, left_out: Iterable[str] = ()) -> None:
    """Put the weights of a file into a network.

    Args:
        network: It is changed in place.
        path: Of the file.  What all its names begin with, as `module.`, is left off where they fit without it.
        left_out: Beginnings of names that the network was built without.

    Raises:
        CheckpointError: The file cannot be read, or is of another network; the names and shapes that differ are named.
    """
    wanted = network.state_dict()
    there = read(path)
    found = _without_prefix(there, wanted)
    given = OrderedDict((name, value) for name, value in found.items() if not name.startswith(tuple(left_out)))
    # Some modules read their weights by the version that PyTorch writes beside them; without one, they are of today.
    setattr(given, _VERSIONS, getattr(there, _VERSIONS, getattr(wanted, _VERSIONS, None)))
    missing = [name for name in wanted if name not in given and not name.endswith(_COUNTER)]
    unknown = [name for name in given if name not in wanted]
    shapes = [
        f"{name} is {tuple(given[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in given and given[name].shape != wanted[name].shape
    ]
    differences = (("it lacks", missing), ("the network has no", unknown), ("of another shape:", shapes))
    if wrong := [f"{what} {_some(names)}" for what, names in differences if names]:
        raise CheckpointError(f"{path} is of another network: {'; '.join(wrong)}")
    network.load_state_dict(given, strict=False)


def _without_prefix(found: Mapping[str, Tensor], wanted: Iterable[str]) -> Mapping[str, Tensor]:
    first = next(iter(wanted), "")
    if first in found:
        return found
    prefix = next((name.removesuffix(first) for name in found if name.endswith(f".{first}")), "")
    return {name.removeprefix(prefix): value for name, value in found.items() if name.startswith(prefix)}


def _some(names: list[str]) -> str:
    more = len(names) - _SHOWN
    return ", ".join(names[:_SHOWN]) + (f" and {more} more" if more > 0 else "")

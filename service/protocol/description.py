"""What the protocol says of a model: its metadata, and its configuration as Triton has it."""

from collections.abc import Sequence
from typing import Any, Final

from service.encoded_image import FORMATS
from service.errors import ModelTaskError
from service.model import Model
from service.protocol.inference import datatype_of, takes_images
from service.signature import Tensor

PLATFORM: Final = "onnxruntime_onnx"
BACKEND: Final = "onnxruntime"
LABELS: Final = "labels.txt"

Object = dict[str, Any]


def metadata(model: Model, *, versions: Sequence[int]) -> Object:
    """The metadata of a model: its own inputs and outputs only, so that clients that walk them keep working.

    Args:
        model: The model.
        versions: Which of its versions are ready.

    Raises:
        ModelTaskError: It has inputs or outputs that are no tensors.
    """
    return {
        "name": model.name,
        "versions": [str(version) for version in versions],
        "platform": PLATFORM,
        "inputs": [_tensor(tensor) for tensor in model.signature.inputs],
        "outputs": [_tensor(tensor) for tensor in model.signature.outputs],
        "properties": _properties(model),
    }


def configuration(model: Model, *, max_batch_size: int, instances: int) -> Object:
    """The configuration of a model.

    Args:
        model: The model.
        max_batch_size: The largest batch, where the model has a batch axis and says nothing itself.
        instances: How many runs go side by side.

    Raises:
        ModelTaskError: It has inputs or outputs that are no tensors.
    """
    batch = batch_size(model, usual=max_batch_size)
    return {
        "name": model.name,
        "platform": PLATFORM,
        "backend": BACKEND,
        "default_model_filename": "model.onnx",
        "max_batch_size": batch,
        "version_policy": {"specific": {"versions": [model.version]}},
        "input": [_input(model, tensor, batched=batch > 0) for tensor in model.signature.inputs],
        "output": [_output(model, tensor, batched=batch > 0) for tensor in model.signature.outputs],
        "instance_group": [
            {
                "name": model.name,
                "kind": "KIND_GPU" if model.device.used == "cuda" else "KIND_CPU",
                "count": instances,
                "gpus": [0] if model.device.used == "cuda" else [],
            }
        ],
    }


def batch_size(model: Model, *, usual: int) -> int:
    """The largest batch of a model; 0 where its first axis is not that of a batch."""
    return (model.max_batch_size or usual) if model.batched else 0


def _tensor(tensor: Tensor) -> Object:
    datatype = datatype_of(tensor)
    if datatype is None:
        raise ModelTaskError(f"{tensor.name!r} has a type for which the protocol has no name")
    return {"name": tensor.name, "datatype": datatype.name, "shape": _sizes(tensor)}


def _sizes(tensor: Tensor) -> list[int]:
    return [-1] if tensor.shape is None else [-1 if size is None else size for size in tensor.shape]


def _input(model: Model, tensor: Tensor, *, batched: bool) -> Object:
    found = _config_tensor(tensor, batched=batched)
    found["format"] = "FORMAT_NONE"
    if takes_images(model) and tensor.name == model.image_input.name and len(found["dims"]) == 3:
        found["format"] = f"FORMAT_{model.image_input.layout.upper()}"
    return found


def _output(model: Model, tensor: Tensor, *, batched: bool) -> Object:
    labels = LABELS if model.labels(tensor.name) else ""
    return {**_config_tensor(tensor, batched=batched), "label_filename": labels}


def _config_tensor(tensor: Tensor, *, batched: bool) -> Object:
    datatype = datatype_of(tensor)
    if datatype is None:
        raise ModelTaskError(f"{tensor.name!r} has a type for which the protocol has no name")
    return {
        "name": tensor.name,
        "data_type": datatype.config_name,
        "dims": _sizes(tensor)[1:] if batched else _sizes(tensor),
    }


def _properties(model: Model) -> dict[str, str]:
    """Strings for people and programs that know this service."""
    found = {"device": model.device.used, "layers": str(len(model.layers))}
    if takes_images(model):
        found["images"] = f"BYTES on {model.image_input.name}: {', '.join(FORMATS)}"
    return found

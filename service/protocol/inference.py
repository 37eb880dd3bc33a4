"""What a request asks of a model, checked and computed.

On a model that takes images, a `BYTES` tensor is encoded images: they are decoded and fitted as under `/v1`.  In
`outputs`, any layer of the model may be named beside its own outputs.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from service.addressing import check_count
from service.errors import (
    AnswerTooLargeError,
    ExecutionError,
    ModelTaskError,
    ParameterError,
    RequestTooLargeError,
    UnknownLayerError,
)
from service.image import decode_all
from service.model import Model
from service.protocol.answers import OutputTensor
from service.protocol.classification import classes
from service.protocol.datatypes import BYTES, FP32, Datatype, of_array, of_element
from service.protocol.requests import InferRequest, InputTensor, WantedOutput
from service.protocol.tensors import Array, from_binary
from service.settings import Settings
from service.signature import Tensor
from service.timing import Timings

# How the accepted formats of images begin.
_IMAGES: Final = (b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n", b"GIF8", b"RIFF")
_JSON_BYTES: Final = 16  # the most that JSON needs for one float32, with its comma


@dataclass(frozen=True)
class _Target:
    """An output of a request, and the tensor of the graph that it is.

    Args:
        wanted: What the request says.
        tensor: Its name in the graph.
        values: How many values it has for one image, where that is known.
    """

    wanted: WantedOutput
    tensor: str
    values: int | None


def takes_images(model: Model) -> bool:
    """Whether a `BYTES` tensor is encoded images for a model."""
    return model.metadata is not None


def infer(model: Model, request: InferRequest, *, settings: Settings, timings: Timings) -> tuple[OutputTensor, ...]:
    """Compute what a request asks for.

    Args:
        model: Any model.
        request: The request.
        settings: For the limits.
        timings: Gets the time of decoding and computing, and the size of the batch.

    Returns:
        What it wants, in its order; every output of the model where it names none.

    Raises:
        ParameterError: The request does not fit the model.
        RequestError: An image cannot be used.
        AnswerTooLargeError: The answer would be larger than allowed, or has more outputs.
        ExecutionError: The runtime failed.
    """
    check_count(len(request.outputs), most=settings.max_layers)
    targets = _targets(model, request)
    names = list(dict.fromkeys(target.tensor for target in targets))
    timings.items = _batch_size(model, request)
    _check_size(targets, timings.items, max_bytes=settings.max_answer_bytes)
    if holds_images(model, request):
        found = _run_images(model, request, names, settings=settings, timings=timings)
    else:
        found = _run_tensors(model, request.inputs, names, timings=timings)
    return tuple(_output(model, target, found[target.tensor]) for target in targets)


def raw(model: Model, body: memoryview) -> InferRequest:
    """Make a request of a body that is nothing but the one input of a model; every answer is binary.

    On a model that takes images, bytes that begin as an image does are one.

    Raises:
        ParameterError: The model has several inputs, or the bytes do not fit.
    """
    inputs = model.signature.inputs
    if len(inputs) != 1:
        raise ParameterError(f"a raw body is for models with one input; {model.name!r} has {len(inputs)}")
    (spec,) = inputs
    datatype = _datatype(spec)
    if datatype is BYTES or (takes_images(model) and bytes(body[:8]).startswith(_IMAGES)):
        data = np.array([bytes(body)], object)
        return InferRequest((InputTensor(spec.name, BYTES, data),), binary=True)
    shape = _raw_shape(spec, len(body) // datatype.dtype.itemsize)
    return InferRequest((InputTensor(spec.name, datatype, from_binary(body, spec.name, datatype, shape)),), binary=True)


def datatype_of(tensor: Tensor) -> Datatype | None:
    """The datatype of an input or output; None where the protocol has none for it."""
    return of_element(tensor.element)


def _datatype(tensor: Tensor) -> Datatype:
    found = datatype_of(tensor)
    if found is None:
        raise ModelTaskError(f"{tensor.name!r} has a type for which the protocol has no name")
    return found


def _raw_shape(spec: Tensor, elements: int) -> tuple[int, ...]:
    """The shape of a raw tensor: the one size that is open follows from the number of its elements."""
    shape = list(spec.shape or (None,))
    if shape.count(None) > 1 and shape[0] is None:
        shape[0] = 1
    if shape.count(None) > 1:
        raise ParameterError(f"input {spec.name!r} has shape {shape}: a raw body is for inputs with one open size")
    known = math.prod(size for size in shape if size is not None)
    return tuple(size if size is not None else max(elements // known, 1) for size in shape)


def _targets(model: Model, request: InferRequest) -> list[_Target]:
    own = {tensor.name: tensor for tensor in model.signature.outputs}
    wanted = request.outputs or [WantedOutput(name, request.binary) for name in own]
    return [_target(model, own, output) for output in wanted]


def _target(model: Model, own: Mapping[str, Tensor], wanted: WantedOutput) -> _Target:
    if wanted.name in own:
        return _Target(wanted, wanted.name, _values(own[wanted.name].shape))
    try:
        layer = model.layers.find(wanted.name)
    except UnknownLayerError as error:
        raise ParameterError(
            f"model {model.name!r} has no output {wanted.name!r}; its outputs: {', '.join(own)}; as a layer: {error}"
        ) from error
    return _Target(wanted, layer.tensor, layer.values)


def _values(shape: Sequence[int | None] | None) -> int | None:
    """Of an output for one image."""
    sizes = None if shape is None else shape[1:]
    return None if sizes is None or None in sizes else math.prod(size for size in sizes if size is not None)


def _check_size(targets: Sequence[_Target], batch: int, *, max_bytes: int) -> None:
    """Refuse an answer that is known to be too large, before it is computed."""
    known = [t for t in targets if t.values is not None and t.wanted.classes is None]
    size = batch * sum((t.values or 0) * (FP32.dtype.itemsize if t.wanted.binary else _JSON_BYTES) for t in known)
    if size > max_bytes:
        raise AnswerTooLargeError(
            f"the answer would have up to {size:,} bytes; {max_bytes:,} are allowed (setting max_answer_bytes):"
            " ask for fewer outputs or a smaller batch, or for binary data"
        )


def holds_images(model: Model, request: InferRequest) -> bool:
    """Whether the input of a request is encoded images."""
    return takes_images(model) and len(request.inputs) == 1 and request.inputs[0].datatype is BYTES


def _batch_size(model: Model, request: InferRequest) -> int:
    shape = request.inputs[0].data.shape
    batched = model.batched or takes_images(model)
    return shape[0] if shape and batched else 1


def _run_images(
    model: Model, request: InferRequest, names: Sequence[str], *, settings: Settings, timings: Timings
) -> Mapping[str, Array]:
    images = _images(model, request.inputs[0], max_images=settings.max_images)
    decoding = request.decoding or settings.decoding
    with timings.measure("decode"):
        pixels = decode_all(images, model.image_input, max_pixels=settings.max_pixels, decoding=decoding)
    with timings.measure("compute"):
        return dict(zip(names, model.tensors(pixels, names), strict=True))


def _images(model: Model, tensor: InputTensor, *, max_images: int) -> list[bytes]:
    name = model.image_input.name
    if tensor.name != name:
        raise ParameterError(f"model {model.name!r} has no input {tensor.name!r}; its inputs: {name}")
    shape = tensor.data.shape
    if not (len(shape) == 1 or shape[1:] == (1,)) or not shape[0]:
        raise ParameterError(
            f"input {name!r} has shape {list(shape)}; encoded images have [N], one element for each image"
        )
    if shape[0] > max_images:
        raise RequestTooLargeError(f"{shape[0]} images; at most {max_images} are accepted (setting max_images)")
    return list(tensor.data.reshape(-1))


def _run_tensors(
    model: Model, tensors: Sequence[InputTensor], names: Sequence[str], *, timings: Timings
) -> Mapping[str, Array]:
    feeds = _feeds(model, tensors)
    with timings.measure("compute"):
        try:
            return model.run(feeds, names)
        except ExecutionError as error:
            if not _open_sizes(model, feeds):
                raise
            shapes = ", ".join(f"{name} {list(data.shape)}" for name, data in feeds.items())
            raise ParameterError(
                f"the network cannot compute with inputs of these shapes ({shapes}): {error}"
            ) from error


def _open_sizes(model: Model, feeds: Mapping[str, Array]) -> bool:
    """Whether a caller chose sizes, beside that of the batch, that the network may not be able to compute with."""
    return any(not data.size for data in feeds.values()) or any(
        tensor.shape is None or None in tensor.shape[1:] or not model.batched for tensor in model.signature.inputs
    )


def _feeds(model: Model, tensors: Sequence[InputTensor]) -> dict[str, Array]:
    specs = {spec.name: spec for spec in model.signature.inputs}
    unknown = [tensor.name for tensor in tensors if tensor.name not in specs]
    missing = specs.keys() - {tensor.name for tensor in tensors}
    if unknown or missing:
        found = f"has no input {unknown[0]!r}" if unknown else f"needs input {min(missing)!r}, which is missing"
        raise ParameterError(f"model {model.name!r} {found}; its inputs: {', '.join(specs)}")
    feeds = {tensor.name: _feed(model, specs[tensor.name], tensor) for tensor in tensors}
    if model.batched and len({len(data) for data in feeds.values()}) > 1:
        shapes = ", ".join(f"{name} {list(data.shape)}" for name, data in feeds.items())
        raise ParameterError(f"the inputs differ in their batch, which is the first axis: {shapes}")
    return feeds


def _feed(model: Model, spec: Tensor, tensor: InputTensor) -> Array:
    datatype = _datatype(spec)
    if tensor.datatype is not datatype:
        raise ParameterError(
            f"input {spec.name!r} of model {model.name!r} is {datatype.name}; the request has"
            f" {tensor.datatype.name}{_about_images(model, tensor.datatype)}"
        )
    if not _fits(tensor.data.shape, spec.shape):
        accepted = [-1 if size is None else size for size in spec.shape or ()]
        raise ParameterError(
            f"input {spec.name!r} of model {model.name!r} has shape {accepted} (-1 is any size); the request has"
            f" {list(tensor.data.shape)}"
        )
    return _decoded(tensor) if datatype is BYTES else tensor.data


def _about_images(model: Model, datatype: Datatype) -> str:
    if datatype is not BYTES or takes_images(model):
        return ""
    return "; encoded images are accepted where a metadata.json says how they become its input"


def _fits(shape: Sequence[int], expected: Sequence[int | None] | None) -> bool:
    if expected is None:
        return True
    return len(shape) == len(expected) and all(e in (None, s) for s, e in zip(shape, expected, strict=True))


def _decoded(tensor: InputTensor) -> Array:
    """ONNX Runtime takes text."""
    made = np.empty(tensor.data.size, object)
    try:
        made[:] = [element.decode() for element in tensor.data.reshape(-1)]
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"input {tensor.name!r} holds bytes that are no UTF-8, and the network takes text"
        ) from error
    return made.reshape(tensor.data.shape)


def _output(model: Model, target: _Target, data: Array) -> OutputTensor:
    wanted = target.wanted
    datatype = of_array(data.dtype)
    if datatype is None:
        raise ParameterError(f"output {wanted.name!r} has type {data.dtype}, for which the protocol has no name")
    if wanted.classes is None:
        return OutputTensor(wanted.name, datatype, data, wanted.binary)
    found = classes(
        data,
        wanted.name,
        datatype,
        model.labels(target.tensor),
        top_k=wanted.classes,
        batched=model.batched or (takes_images(model) and data.ndim > 1),
    )
    return OutputTensor(wanted.name, BYTES, found, wanted.binary)

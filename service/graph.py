"""Surgery on ONNX graphs: read one, cut it at a tensor, put image bytes in front, softmax behind.

Every function leaves the model that it is given as it was.  Nodes, initialisers and tensors keep their names.
"""

import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Any, Final, Literal

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from service import soundness
from service.errors import ModelFileError
from service.initialisers import SMALL
from service.metadata import ImageInput

PIXELS: Final = "striate.pixels"
PROBABILITIES: Final = "striate.probabilities"

Sizes = Mapping[str, Sequence[int | None]]
Layout = Literal["nchw", "nhwc"]
Activation = Literal["softmax", "sigmoid"]

# Below it, every initialiser must be listed as an input too, and could be overridden by a caller.
_MIN_IR_VERSION: Final = 4
# As many as pictures have: grey, RGB, RGB and transparency.
_CHANNELS: Final = (1, 3, 4)
# What ONNX raises where a graph breaks its rules.
_REFUSALS: Final = (onnx.checker.ValidationError, onnx.shape_inference.InferenceError, RuntimeError, ValueError)


def parse(data: bytes, *, name: str) -> ModelProto:
    """Parse the bytes of an ONNX file.

    Args:
        data: The whole file.
        name: What to call it in messages.

    Raises:
        ModelFileError: It is no ONNX model, it keeps weights in other files, or it is not safe to look at.
    """
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ModelFileError(f"{name} is no ONNX file, or it was cut short ({len(data):,} bytes)") from error
    if not model.graph.node:
        raise ModelFileError(f"{name} holds no nodes: it is no ONNX model, or an empty one")
    soundness.require(model, name=name, data_bytes=len(data))
    return model


def inputs(model: ModelProto) -> tuple[ValueInfoProto, ...]:
    """The inputs that a caller gives: old files list their initialisers among the inputs too."""
    initialisers = {tensor.name for tensor in model.graph.initializer}
    return tuple(value for value in model.graph.input if value.name not in initialisers)


def image_sizes(model: ModelProto, spec: ImageInput | None) -> Sizes:
    """The dimensions that the inputs have for one image, where the file leaves them open."""
    known = {value.name: dimensions(value) for value in inputs(model)}
    sizes: dict[str, Sequence[int | None]] = {name: (1, *shape[1:]) for name, shape in known.items() if shape}
    if spec is not None and spec.name in known:
        sizes[spec.name] = (1, *spec.shape)
    return sizes


def guessed_layout(shape: Sequence[int | None]) -> Layout:
    """The order of the axes of an image input, by where its channels seem to be: nchw unless only the end fits.

    >>> guessed_layout((1, 224, 224, 3)), guessed_layout((None, None, None, None))
    ('nhwc', 'nchw')
    """
    return "nhwc" if len(shape) > 2 and shape[-1] in _CHANNELS and shape[1] not in _CHANNELS else "nchw"


def dimensions(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    """The shape of a tensor, None for a dimension that is not fixed; None for all of it where it is unknown."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    # Some exporters write 0 or -1 for a dimension that is not fixed.
    return tuple(d.dim_value if d.dim_value > 0 else None for d in tensor.shape.dim)


def cut(model: ModelProto, tensors: Sequence[str]) -> ModelProto:
    """The part of a model that computes some of its tensors, which become its outputs, in this order.

    Args:
        model: Any model.
        tensors: Names of tensors that nodes of the main graph put out.

    Raises:
        KeyError: No node puts out a tensor of this name.
    """
    producers = {output: i for i, node in enumerate(model.graph.node) for output in node.output if output}
    wanted: set[int] = set()
    waiting = [producers[tensor] for tensor in tensors]
    while waiting:
        i = waiting.pop()
        if i not in wanted:
            wanted.add(i)
            waiting.extend(producers[name] for name in reads(model.graph.node[i]) if name in producers)
    nodes = [model.graph.node[i] for i in sorted(wanted)]
    needed = {name for node in nodes for name in reads(node)}
    return _with_graph(
        model,
        nodes=nodes,
        inputs=[value for value in model.graph.input if value.name in needed],
        outputs=[_value_info(model, tensor) for tensor in tensors],
        initialisers=[tensor for tensor in model.graph.initializer if tensor.name in needed],
    )


def with_pixels(model: ModelProto, spec: ImageInput) -> ModelProto:
    """The same model, taking images as bytes: the input `PIXELS` is uint8 (N, height, width, C), 0 to 255.

    The normalisation of `ImageInput` runs in the graph, as one multiplication and one addition for each value:
    (pixel * rescale_factor - mean) / std = pixel * (rescale_factor / std) + (-mean / std).  A model whose layout is
    `nhwc` gets the values in that order.  All this is written in operators that opset 7 has.

    Raises:
        ModelFileError: The model has no such input, or the input has another shape.
    """
    value = _image_input(model, spec)
    factor = spec.rescale_factor / np.array(spec.std)
    offset = -np.array(spec.mean) / np.array(spec.std)
    planes = spec.layout == "nchw"
    nodes = [
        _constant("striate.factor", factor, planes=planes),
        _constant("striate.offset", offset, planes=planes),
        # To (N, C, H, W) while it is bytes: a quarter of the traffic.
        *([helper.make_node("Transpose", [PIXELS], ["striate.planes"], perm=[0, 3, 1, 2])] if planes else []),
        helper.make_node("Cast", ["striate.planes" if planes else PIXELS], ["striate.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["striate.float", "striate.factor"], ["striate.scaled"]),
        helper.make_node("Add", ["striate.scaled", "striate.offset"], ["striate.normalised"]),
        # A network in half precision takes its own type; ONNX Runtime drops a cast to the same one.
        helper.make_node("Cast", ["striate.normalised"], [spec.name], to=value.type.tensor_type.elem_type),
    ]
    shape = [_batch(value), spec.height, spec.width, spec.channels]
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, shape)
    return _with_graph(
        model,
        nodes=[*nodes, *model.graph.node],
        inputs=[pixels, *(other for other in model.graph.input if other.name != spec.name)],
        outputs=model.graph.output,
        initialisers=model.graph.initializer,
    )


def with_probabilities(model: ModelProto, output: str, *, values: Activation | None = "softmax") -> ModelProto:
    """The same model with one output, `PROBABILITIES` float32 (N, classes), made of one of its own.

    Args:
        model: A classifier.
        output: Its output: (N, classes), perhaps with axes of size 1 behind, as (N, classes, 1, 1).
        values: What makes probabilities of it: the softmax of an image's values, the sigmoid of each; None where
            they are probabilities already.
    """
    nodes = [
        helper.make_node("Cast", [output], ["striate.scores"], to=TensorProto.FLOAT),
        helper.make_node("Flatten", ["striate.scores"], ["striate.classes"], axis=1),
    ]
    if values == "softmax":
        nodes.append(helper.make_node("Softmax", ["striate.classes"], [PROBABILITIES], axis=1))
    else:
        operator = "Identity" if values is None else "Sigmoid"
        nodes.append(helper.make_node(operator, ["striate.classes"], [PROBABILITIES]))
    return _with_graph(
        model,
        nodes=[*model.graph.node, *nodes],
        inputs=model.graph.input,
        outputs=[helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["batch", None])],
        initialisers=model.graph.initializer,
    )


def inferred(
    model: ModelProto, sizes: Sizes | None = None, constants: Mapping[str, NDArray[Any]] | None = None
) -> Mapping[str, ValueInfoProto]:
    """The type and shape of every tensor that ONNX can infer, by name; also within branches and loop bodies.

    Args:
        model: Any model.
        sizes: What to take for the dimensions of inputs that are not fixed.
        constants: Values of tensors that nodes compute without looking at an input, where they are known.
    """
    folded = constants or {}
    # Shapes do not depend on the values of large weights: without them, inference is ten times faster.
    small, large = (
        [t for t in model.graph.initializer if (math.prod(t.dims) <= SMALL) == wanted] for wanted in (True, False)
    )
    given = [_sized(value, (sizes or {}).get(value.name)) for value in inputs(model)]
    light = ModelProto(ir_version=max(model.ir_version, _MIN_IR_VERSION), opset_import=model.opset_import)
    light.functions.extend(model.functions)
    light.graph.CopyFrom(
        GraphProto(
            name=model.graph.name or "network",
            node=(node for node in model.graph.node if folded.keys().isdisjoint(node.output)),
            input=[*given, *(helper.make_tensor_value_info(t.name, t.data_type, t.dims) for t in large)],
            output=model.graph.output,
            initializer=[*small, *(numpy_helper.from_array(values, name) for name, values in folded.items())],
            value_info=model.graph.value_info,
        )
    )
    try:
        graph = onnx.shape_inference.infer_shapes(light, data_prop=True).graph
    except _REFUSALS as error:
        raise ModelFileError(f"model.onnx is no valid graph: {' '.join(str(error).split())[:300]}") from error
    return {value.name: value for value in (*_inner(graph), *graph.value_info, *given, *graph.output)}


def _inner(graph: GraphProto) -> Iterator[ValueInfoProto]:
    """What is known of the tensors of branches and loop bodies."""
    for node in graph.node:
        for attribute in node.attribute:
            for body in (attribute.g, *attribute.graphs):
                yield from (*body.value_info, *_inner(body))


def computed(model: ModelProto) -> Iterator[NodeProto]:
    """The nodes of the main graph whose result depends on an input, in order of execution."""
    dependent = {value.name for value in inputs(model)}
    for node in model.graph.node:
        if dependent.intersection(reads(node)):
            dependent.update(node.output)
            yield node


def reads(node: NodeProto) -> Iterator[str]:
    """Every tensor that a node reads, also from within its branches and loop bodies."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from reads(inner)
            yield from (output.name for output in body.output)


def _value_info(model: ModelProto, tensor: str) -> ValueInfoProto:
    """What the file says of a tensor; where it says nothing, the name alone, and the runtime infers the rest."""
    for value in (*model.graph.output, *model.graph.value_info):
        if value.name == tensor:
            return value
    return ValueInfoProto(name=tensor)


def _image_input(model: ModelProto, spec: ImageInput) -> ValueInfoProto:
    found = {value.name: value for value in inputs(model)}
    if spec.name not in found:
        raise ModelFileError(
            f"model.onnx has no input {spec.name!r}, which metadata.json names; it has {sorted(found)}"
        )
    shape = dimensions(found[spec.name])
    if shape is not None and not _fits(shape, spec.shape):
        raise ModelFileError(
            f"input {spec.name!r} of model.onnx has shape {shape}; metadata.json says (N, *{spec.shape})"
        )
    return found[spec.name]


def _fits(shape: Sequence[int | None], expected: Sequence[int]) -> bool:
    """Whether a shape with its batch axis can be the one that is expected of each image."""
    return len(shape) == 1 + len(expected) and all(d in (None, e) for d, e in zip(shape[1:], expected, strict=True))


def _batch(value: ValueInfoProto) -> int | str:
    """The size of the first axis of an input, or its name where it is not fixed."""
    shape = dimensions(value)
    return (shape[0] if shape else None) or _batch_name(value)


def _batch_name(value: ValueInfoProto) -> str:
    first = value.type.tensor_type.shape.dim[:1]
    return first[0].dim_param if first and first[0].dim_param else "batch"


def _constant(name: str, values: NDArray[np.float64], *, planes: bool) -> NodeProto:
    """One float32 for each channel: a node, since files of IR 3 would want initialisers among their inputs."""
    shape = (1, -1, 1, 1) if planes else (1, 1, 1, -1)
    tensor = numpy_helper.from_array(values.astype(np.float32).reshape(shape), name)
    return helper.make_node("Constant", [], [name], value=tensor)


def _sized(value: ValueInfoProto, sizes: Sequence[int | None] | None) -> ValueInfoProto:
    """An input with the sizes given for it, where it has none of its own."""
    if sizes is None:
        return value
    own = dimensions(value) or (None,) * len(sizes)
    if len(own) != len(sizes):
        return value
    shape = [mine or other for mine, other in zip(own, sizes, strict=True)]
    return helper.make_tensor_value_info(value.name, value.type.tensor_type.elem_type, shape)


def _with_graph(
    model: ModelProto,
    *,
    nodes: Iterable[NodeProto],
    inputs: Iterable[ValueInfoProto],
    outputs: Iterable[ValueInfoProto],
    initialisers: Sequence[TensorProto],
) -> ModelProto:
    """A model with another main graph, and the opsets and functions of the one given.

    Weights are no inputs in it: ONNX Runtime could not fold what a caller may override.
    """
    weights = {tensor.name for tensor in initialisers}
    made = ModelProto(
        ir_version=max(model.ir_version, _MIN_IR_VERSION),
        producer_name=model.producer_name,
        opset_import=model.opset_import,
        functions=model.functions,
    )
    # In place: a graph that is handed to a model is copied, with all its weights.
    graph = made.graph
    graph.name = model.graph.name or "network"
    graph.node.extend(nodes)
    graph.input.extend(value for value in inputs if value.name not in weights)
    graph.output.extend(outputs)
    graph.initializer.extend(initialisers)
    graph.sparse_initializer.extend(model.graph.sparse_initializer)
    return made

"""Surgery on ONNX graphs: read one, cut it at a tensor, put image bytes in front, softmax behind.

Every function leaves the model that it is given as it was.  Nodes, initialisers and tensors keep their names.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

import numpy as np
import onnx
from google.protobuf.message import DecodeError
from numpy.typing import NDArray
from onnx import GraphProto, ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from service.errors import ModelFileError
from service.metadata import ImageInput

PIXELS: Final = "striate.pixels"
PROBABILITIES: Final = "striate.probabilities"


def parse(data: bytes, *, name: str) -> ModelProto:
    """Parse the bytes of an ONNX file.

    Args:
        data: The whole file.
        name: What to call it in messages.

    Raises:
        ModelFileError: It is no ONNX model, or it keeps weights in other files.
    """
    try:
        model = onnx.load_model_from_string(data)
    except DecodeError as error:
        raise ModelFileError(f"{name} is no ONNX file, or it was cut short ({len(data):,} bytes)") from error
    if not model.graph.node:
        raise ModelFileError(f"{name} holds no nodes: it is no ONNX model, or an empty one")
    outside = [tensor.name for tensor in model.graph.initializer if tensor.data_location == TensorProto.EXTERNAL]
    if outside:
        raise ModelFileError(
            f"{name} keeps {len(outside)} weights in other files (the first: {outside[0]!r});"
            " only models in one file are served"
        )
    return model


def inputs(model: ModelProto) -> tuple[ValueInfoProto, ...]:
    """The inputs that a caller gives: old files list their initialisers among the inputs too."""
    initialisers = {tensor.name for tensor in model.graph.initializer}
    return tuple(value for value in model.graph.input if value.name not in initialisers)


def dimensions(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    """The shape of a tensor, None for a dimension that is not fixed; None for all of it where it is unknown."""
    tensor = value.type.tensor_type
    if not tensor.HasField("shape"):
        return None
    return tuple(d.dim_value if d.HasField("dim_value") else None for d in tensor.shape.dim)


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
            waiting.extend(producers[name] for name in _reads(model.graph.node[i]) if name in producers)
    nodes = [model.graph.node[i] for i in sorted(wanted)]
    needed = {name for node in nodes for name in _reads(node)}
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
    (pixel * rescale_factor - mean) / std = pixel * (rescale_factor / std) + (-mean / std).

    Raises:
        ModelFileError: The model has no such input, or the input has another shape.
    """
    value = _image_input(model, spec)
    factor = spec.rescale_factor / np.array(spec.std)
    offset = -np.array(spec.mean) / np.array(spec.std)
    constants = {"striate.factor": _per_channel(factor), "striate.offset": _per_channel(offset)}
    nodes = [
        helper.make_node("Transpose", [PIXELS], ["striate.planes"], perm=[0, 3, 1, 2]),  # (N, C, H, W) uint8
        helper.make_node("Cast", ["striate.planes"], ["striate.float"], to=TensorProto.FLOAT),
        helper.make_node("Mul", ["striate.float", "striate.factor"], ["striate.scaled"]),
        helper.make_node("Add", ["striate.scaled", "striate.offset"], [spec.name]),
    ]
    batch = value.type.tensor_type.shape.dim[0]
    shape = [batch.dim_value or batch.dim_param or "batch", spec.height, spec.width, spec.channels]
    pixels = helper.make_tensor_value_info(PIXELS, TensorProto.UINT8, shape)
    return _with_graph(
        model,
        nodes=[*nodes, *model.graph.node],
        inputs=[pixels, *(other for other in model.graph.input if other.name != spec.name)],
        outputs=model.graph.output,
        initialisers=[*(numpy_helper.from_array(a, name) for name, a in constants.items()), *model.graph.initializer],
    )


def with_probabilities(model: ModelProto, logits: str) -> ModelProto:
    """The same model with one output, `PROBABILITIES` float32 (N, classes): the softmax of its logits."""
    softmax = helper.make_node("Softmax", [logits], [PROBABILITIES], axis=1)
    return _with_graph(
        model,
        nodes=[*model.graph.node, softmax],
        inputs=model.graph.input,
        outputs=[helper.make_tensor_value_info(PROBABILITIES, TensorProto.FLOAT, ["batch", None])],
        initialisers=model.graph.initializer,
    )


def inferred(model: ModelProto) -> Mapping[str, ValueInfoProto]:
    """The type and shape of every tensor of the main graph that ONNX can infer, by name."""
    graph = onnx.shape_inference.infer_shapes(model, data_prop=True).graph
    return {value.name: value for value in (*graph.value_info, *inputs(model), *graph.output)}


def computed(model: ModelProto) -> Iterator[NodeProto]:
    """The nodes of the main graph whose result depends on an input, in order of execution."""
    dependent = {value.name for value in inputs(model)}
    for node in model.graph.node:
        if dependent.intersection(_reads(node)):
            dependent.update(node.output)
            yield node


def _reads(node: NodeProto) -> Iterator[str]:
    """Every tensor that a node reads, also from within its branches and loop bodies."""
    yield from (name for name in node.input if name)
    for attribute in node.attribute:
        for body in (attribute.g, *attribute.graphs):
            for inner in body.node:
                yield from _reads(inner)
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
    expected = (spec.channels, spec.height, spec.width)
    if shape is None or len(shape) != 4 or any(d not in (None, e) for d, e in zip(shape[1:], expected, strict=True)):
        raise ModelFileError(
            f"input {spec.name!r} of model.onnx has shape {shape}; metadata.json says (N, *{expected})"
        )
    return found[spec.name]


def _per_channel(values: NDArray[np.float64]) -> NDArray[np.float32]:
    return values.astype(np.float32).reshape(1, -1, 1, 1)  # (1, C, 1, 1)


def _with_graph(
    model: ModelProto,
    *,
    nodes: Iterable[NodeProto],
    inputs: Iterable[ValueInfoProto],
    outputs: Iterable[ValueInfoProto],
    initialisers: Iterable[TensorProto],
) -> ModelProto:
    """A model with another main graph, and the opsets, functions and IR version of the one given."""
    graph = GraphProto(
        name=model.graph.name,
        node=nodes,
        input=inputs,
        output=outputs,
        initializer=initialisers,
        sparse_initializer=model.graph.sparse_initializer,
    )
    return ModelProto(
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        opset_import=model.opset_import,
        functions=model.functions,
        graph=graph,
    )

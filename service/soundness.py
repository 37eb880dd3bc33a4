"""What a graph must be, so that all that looks at it ends, and takes no more than it should.

Whoever wrote a file chooses what is in it: a circle of nodes, functions that call each other a thousand million times,
weights that say they are larger than the file, or that lie in another one.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Final, TypeAlias

from onnx import AttributeProto, FunctionProto, GraphProto, ModelProto, NodeProto, TensorProto

from service.errors import ModelFileError

_MOST_NODES: Final = 16_384  # those of functions counted wherever they are called; the largest known have a fifth
_LONGEST_SHAPE: Final = 65_536  # values of a tensor that nodes compute as they compute shapes
# Through these, ONNX follows the values of shapes.
_OF_SHAPES: Final = frozenset(
    {"Add", "Cast", "Concat", "Div", "Expand", "Gather", "Identity", "Mul", "Reshape", "Slice", "Squeeze", "Sub"}
    | {"Tile", "Unsqueeze", "Where"}
)

FunctionKey: TypeAlias = tuple[str, str]


def require(model: ModelProto, *, name: str, data_bytes: int) -> None:
    """Refuse a graph that is not safe to look at.

    Args:
        model: As it was parsed.
        name: What to call it in messages.
        data_bytes: Of the file.

    Raises:
        ModelFileError: It is not; the message says why.
    """
    tensors = list(_tensors(model))
    outside = [tensor.name for tensor in tensors if tensor.data_location == TensorProto.EXTERNAL]
    if outside:
        raise ModelFileError(
            f"{name} keeps {len(outside)} weights in other files (the first: {outside[0]!r});"
            " only models in one file are served"
        )
    for tensor in tensors:
        # Two values of four bits share a byte, and none is smaller.
        if any(size < 0 for size in tensor.dims) or math.prod(tensor.dims) > 2 * data_bytes:
            raise ModelFileError(f"{name} says that tensor {tensor.name!r} is {list(tensor.dims)}, and cannot hold it")
    _require_few_nodes(model, name)
    _require_order(model.graph, name)
    _require_short_shapes(model.graph, name)


def _require_order(graph: GraphProto, name: str) -> None:
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    for node in graph.node:
        missing = [each for each in node.input if each and each not in known]
        if missing:
            raise ModelFileError(f"{name}: a node reads {missing[0]!r}, which no node before it computes")
        known.update(node.output)


def _require_few_nodes(model: ModelProto, name: str) -> None:
    functions = {(function.domain, function.name): function for function in model.functions}
    counts: dict[FunctionKey, int] = {}
    for function in model.functions:
        _count(function, functions, counts, path=(), name=name)
    total = sum(counts.get((node.domain, node.op_type), 1) for node in _nodes(model.graph.node))
    if total > _MOST_NODES:
        raise ModelFileError(f"{name} has {total:,} nodes; accepted: up to {_MOST_NODES:,}")


def _count(
    function: FunctionProto,
    functions: dict[FunctionKey, FunctionProto],
    counts: dict[FunctionKey, int],
    *,
    path: tuple[FunctionKey, ...],
    name: str,
) -> int:
    """How many nodes a call of a function is."""
    key = (function.domain, function.name)
    if key in path:
        raise ModelFileError(f"{name}: function {function.name!r} calls itself")
    if key not in counts:
        calls = (functions.get((node.domain, node.op_type)) for node in _nodes(function.node))
        inner = [
            1 if called is None else _count(called, functions, counts, path=(*path, key), name=name) for called in calls
        ]
        counts[key] = 1 + sum(inner)
    return counts[key]


def _require_short_shapes(graph: GraphProto, name: str) -> None:
    """Refuse vectors that double and double again: ONNX would write all of their values down."""
    lengths = {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
    for node in graph.node:
        if node.op_type == "Constant":
            length = max((math.prod(tensor.dims) for tensor in _held(node.attribute)), default=1)
        elif node.op_type in ("Shape", "Size"):
            length = 1
        elif node.op_type in _OF_SHAPES and all(each in lengths for each in node.input if each):
            each_length = [lengths[each] for each in node.input if each]
            length = sum(each_length) if node.op_type == "Concat" else max(each_length, default=1)
        else:
            continue
        if length > _LONGEST_SHAPE and node.op_type == "Concat":
            raise ModelFileError(f"{name} computes a shape of {length:,} sizes; accepted: up to {_LONGEST_SHAPE:,}")
        lengths.update(dict.fromkeys(node.output, length))


def _tensors(model: ModelProto) -> Iterator[TensorProto]:
    """Every tensor that a file holds, wherever in it."""
    for graph in _graphs(model):
        yield from graph.initializer
        for sparse in graph.sparse_initializer:
            yield from (sparse.values, sparse.indices)
    nodes = (*model.graph.node, *(node for function in model.functions for node in function.node))
    for node in _nodes(nodes):
        yield from _held(node.attribute)


def _held(attributes: Iterable[AttributeProto]) -> Iterator[TensorProto]:
    for attribute in attributes:
        if attribute.HasField("t"):
            yield attribute.t
        yield from attribute.tensors
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    yield model.graph
    nodes = (*model.graph.node, *(node for function in model.functions for node in function.node))
    for node in _nodes(nodes):
        yield from _bodies(node)


def _nodes(nodes: Sequence[NodeProto] | Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Nodes, and those of their branches and loop bodies."""
    for node in nodes:
        yield node
        for body in _bodies(node):
            yield from _nodes(body.node)


def _bodies(node: NodeProto) -> Iterator[GraphProto]:
    for attribute in node.attribute:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs

"""What a graph must be, so that all that looks at it ends, and takes no more than it should.

Whoever wrote a file chooses what is in it: a circle of nodes, functions that call each other a thousand million times,
weights that say they are larger than the file, or that lie in another one.
"""

import math
from collections import ChainMap
from collections.abc import Iterable, Iterator, Mapping, MutableMapping, Sequence
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
Lengths: TypeAlias = MutableMapping[str, int | None]
"""How many values the tensors of these names have; None where that depends on the images."""


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
    _require_short_shapes(model, name)


def _require_order(graph: GraphProto, name: str) -> None:
    known = {value.name for value in graph.input} | {tensor.name for tensor in graph.initializer}
    known |= {sparse.values.name for sparse in graph.sparse_initializer}
    for node in graph.node:
        missing = [each for each in node.input if each and each not in known]
        if missing:
            raise ModelFileError(f"{name}: a node reads {missing[0]!r}, which no node before it computes")
        known.update(node.output)


def _require_few_nodes(model: ModelProto, name: str) -> None:
    functions = _by_key(model.functions)
    if len(functions) < len(model.functions):
        raise ModelFileError(f"{name} has two functions of one name")  # which one is called, not all agree upon
    counts: dict[FunctionKey, int] = {}
    for function in model.functions:
        _count(function, functions, counts, path=(), name=name)
    total = sum(_weight(node, counts) for node in _nodes(model.graph.node))
    if total > _MOST_NODES:
        raise ModelFileError(f"{name} has {total:,} nodes; accepted: up to {_MOST_NODES:,}")


def _count(
    function: FunctionProto,
    functions: dict[FunctionKey, FunctionProto],
    counts: dict[FunctionKey, int],
    *,
    path: tuple[FunctionKey, ...],
    name: str,
) -> None:
    """Count how many nodes a call of a function is."""
    key = (function.domain, function.name)
    if key in path:
        raise ModelFileError(f"{name}: function {function.name!r} calls itself")
    if key in counts:
        return
    for node in _nodes(function.node):
        if called := functions.get((node.domain, node.op_type)):
            _count(called, functions, counts, path=(*path, key), name=name)
    counts[key] = 1 + sum(_weight(node, counts) for node in _nodes(function.node))


def _weight(node: NodeProto, counts: Mapping[FunctionKey, int]) -> int:
    """How many nodes a node counts as: its branches and loop bodies may be empty, and as many as a file has bytes."""
    return counts.get((node.domain, node.op_type), 1) + sum(1 for _ in _bodies(node.attribute))


def _require_short_shapes(model: ModelProto, name: str) -> None:
    """Refuse vectors that double and double again: ONNX would write all of their values down."""
    _Vectors(model.functions, name).follow(model.graph, {}, {})


class _Vectors:
    """How many values vectors have that are computed from constants, wherever in a file.

    Args:
        functions: Of the file; that they end was seen before.
        name: What to call the file in messages.
    """

    def __init__(self, functions: Iterable[FunctionProto], name: str) -> None:
        self._functions = _by_key(functions)
        self._name = name

    def follow(
        self, graph: GraphProto | FunctionProto, lengths: Lengths, given: Mapping[str, AttributeProto]
    ) -> Lengths:
        """The lengths of vectors behind the nodes of a graph or a function.

        Args:
            graph: Its nodes are in their order.
            lengths: Of vectors that it reads from outside.
            given: Attributes of the call, where it is a function.

        Raises:
            ModelFileError: One is too long.
        """
        found = ChainMap({}, lengths)
        if isinstance(graph, GraphProto):
            found |= {tensor.name: math.prod(tensor.dims) for tensor in graph.initializer}
        for node in graph.node:
            attributes = {each.name: given.get(each.ref_attr_name, each) for each in node.attribute}
            for body in _bodies(attributes.values()):
                self.follow(body, found, given)
            called = self._functions.get((node.domain, node.op_type))
            if called is None:
                length = _length(node, attributes, found)
                self._require_short(node, length)
                made: Lengths = dict.fromkeys(node.output, length)
            else:
                made = self._behind(called, node, attributes, found)
            found |= made
        return found

    def _behind(
        self,
        called: FunctionProto,
        node: NodeProto,
        attributes: Mapping[str, AttributeProto],
        lengths: Lengths,
    ) -> Lengths:
        """The lengths of what a call of a function puts out; None where they depend on the images."""
        handed = dict(zip(called.input, map(lengths.get, node.input), strict=False))
        defaults = {each.name: each for each in called.attribute_proto}
        found = self.follow(called, handed, defaults | dict(attributes))
        return dict(zip(node.output, map(found.get, called.output), strict=False))

    def _require_short(self, node: NodeProto, length: int | None) -> None:
        if node.op_type == "Concat" and length is not None and length > _LONGEST_SHAPE:
            raise ModelFileError(
                f"{self._name} computes a shape of {length:,} sizes; accepted: up to {_LONGEST_SHAPE:,}"
            )


def _length(node: NodeProto, attributes: Mapping[str, AttributeProto], lengths: Lengths) -> int | None:
    """How many values a node puts out; None where that depends on the images."""
    if node.op_type == "Constant":
        numbers = (max(len(each.ints), len(each.floats)) for each in attributes.values())
        return max((1, *numbers, *(math.prod(tensor.dims) for tensor in _held(attributes.values()))))
    if node.op_type in ("Shape", "Size"):
        return 1
    read = [lengths.get(each) for each in node.input if each]
    known = [length for length in read if length is not None]
    if node.op_type not in _OF_SHAPES or len(known) < len(read):
        return None
    return sum(known) if node.op_type == "Concat" else max(known, default=1)


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
        yield from (attribute.t, *attribute.tensors)
        for sparse in (attribute.sparse_tensor, *attribute.sparse_tensors):
            yield from (sparse.values, sparse.indices)


def _graphs(model: ModelProto) -> Iterator[GraphProto]:
    yield model.graph
    nodes = (*model.graph.node, *(node for function in model.functions for node in function.node))
    for node in _nodes(nodes):
        yield from _bodies(node.attribute)


def _by_key(functions: Iterable[FunctionProto]) -> dict[FunctionKey, FunctionProto]:
    return {(function.domain, function.name): function for function in functions}


def _nodes(nodes: Sequence[NodeProto] | Iterable[NodeProto]) -> Iterator[NodeProto]:
    """Nodes, and those of their branches and loop bodies."""
    for node in nodes:
        yield node
        for body in _bodies(node.attribute):
            yield from _nodes(body.node)


def _bodies(attributes: Iterable[AttributeProto]) -> Iterator[GraphProto]:
    for attribute in attributes:
        if attribute.HasField("g"):
            yield attribute.g
        yield from attribute.graphs

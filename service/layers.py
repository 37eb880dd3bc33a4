"""The layer table of a model: what each layer is called, and what its output looks like.

A model that was exported here names its layers by the module path of PyTorch, with aliases where several
modules share one output.  Any other ONNX file is named by its tensors, with the node names as aliases.
"""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from onnx import ModelProto, NodeProto, TensorProto

from service import graph
from service.errors import ParameterError, UnknownLayerError
from service.metadata import LayerEntry

TENSOR_PREFIX: Final = "tensor:"

# Initialisers of these are running statistics or sizes, not parameters.
_NOT_PARAMETERS: Final = {"BatchNormalization": (3, 4), "Resize": (1, 2, 3), "Upsample": (1,)}
_FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.BFLOAT16, TensorProto.DOUBLE)
_NEAREST: Final = 3


@dataclass(frozen=True)
class Layer:
    """One layer.

    Args:
        index: Its place in the order of execution, from 0.
        path: Its canonical name.
        aliases: Other names for the same tensor.
        tensor: The name of its output in model.onnx.
        operator: The ONNX operator that puts it out, as `Conv`.
        shape: Of its output for one image, without the batch axis; None where a size is not fixed,
            None for all of it where it cannot be told.
        parameters: How many learned numbers its operator holds.
    """

    index: int
    path: str
    aliases: tuple[str, ...]
    tensor: str
    operator: str
    shape: tuple[int | None, ...] | None
    parameters: int

    @property
    def values(self) -> int | None:
        """How many numbers its output holds for one image; None where a size is not fixed."""
        if self.shape is None or None in self.shape:
            return None
        return math.prod(size for size in self.shape if size is not None)


class LayerTable:
    """The layers of a model in order of execution, found by any of their names."""

    def __init__(self, layers: Iterable[Layer]) -> None:
        self._layers = tuple(layers)
        self._by_tensor = {layer.tensor: layer for layer in self._layers}
        self._by_name = {alias: layer for layer in self._layers for alias in layer.aliases}
        self._by_name |= {layer.path: layer for layer in self._layers}

    def __len__(self) -> int:
        return len(self._layers)

    def __iter__(self) -> Iterator[Layer]:
        return iter(self._layers)

    def find(self, name: str) -> Layer:
        """Find a layer by path, alias, index, or the name of its tensor.

        A path or alias goes before an index, so that the path `3` of a plain sequence of modules is reached;
        `tensor:NAME` is always the tensor.  Index 0 is the first layer, -1 the last.

        Raises:
            UnknownLayerError: Nothing has this name; the nearest names are in the error.
        """
        if name.startswith(TENSOR_PREFIX):
            found = self._by_tensor.get(name.removeprefix(TENSOR_PREFIX))
        else:
            found = self._by_name.get(name) or self._at(name) or self._by_tensor.get(name)
        if found is None:
            raise self._unknown(name)
        return found

    def find_all(self, names: Sequence[str]) -> tuple[Layer, ...]:
        """Find several layers.

        Raises:
            UnknownLayerError: Nothing has one of these names.
            ParameterError: Two names are the same layer, or there are none.
        """
        if not names:
            raise ParameterError("layer is missing: give a path, an alias or an index, once for each layer")
        found = tuple(self.find(name) for name in names)
        if len(set(found)) < len(found):
            raise ParameterError(f"layer names the same layer twice: {', '.join(names)}")
        return found

    def _at(self, name: str) -> Layer | None:
        """The layer at an index, where the name is one."""
        digits = name.removeprefix("-")
        if not (digits.isascii() and digits.isdecimal() and len(digits) < 10):
            return None
        index = int(name)
        return self._layers[index] if -len(self) <= index < len(self) else None

    def _unknown(self, name: str) -> UnknownLayerError:
        nearest = difflib.get_close_matches(name, (*self._by_name, *self._by_tensor), n=_NEAREST, cutoff=0.4)
        message = f"no layer {name!r} among {len(self)} (index 0 to {len(self) - 1}, or -1 to -{len(self)})"
        return UnknownLayerError(message, nearest=list(dict.fromkeys(nearest)))


def table(model: ModelProto, entries: Sequence[LayerEntry] | None) -> LayerTable:
    """Make the layer table of a model.

    Args:
        model: The published graph.
        entries: Where metadata.json says the modules are found; None for a file from elsewhere.

    Raises:
        UnknownLayerError: An entry names a tensor that no node puts out.
    """
    nodes = {output: node for node in graph.computed(model) for output in node.output if output}
    if entries is None:
        entries = _entries_of_nodes(nodes)
    missing = [entry.tensor for entry in entries if entry.tensor not in nodes]
    if missing:
        raise UnknownLayerError(f"model.onnx computes no tensor {missing[0]!r}, which its layer table names")
    shapes = _shapes(model)
    weights = {tensor.name: tensor for tensor in model.graph.initializer}
    return LayerTable(
        Layer(
            index=index,
            path=entry.path,
            aliases=entry.aliases,
            tensor=entry.tensor,
            operator=nodes[entry.tensor].op_type,
            shape=shapes.get(entry.tensor),
            parameters=_parameters(nodes[entry.tensor], weights),
        )
        for index, entry in enumerate(entries)
    )


def _entries_of_nodes(nodes: Mapping[str, NodeProto]) -> list[LayerEntry]:
    """One entry for each tensor: a node name is an alias where it is the only one of its kind."""
    names = [node.name for node in nodes.values()]
    return [
        LayerEntry(
            path=tensor,
            tensor=tensor,
            aliases=(node.name,) if node.name and node.name != tensor and names.count(node.name) == 1 else (),
        )
        for tensor, node in nodes.items()
    ]


def _shapes(model: ModelProto) -> dict[str, tuple[int | None, ...]]:
    """The shape of each tensor for one image, where it can be told."""
    found = {name: graph.dimensions(value) for name, value in graph.inferred(model).items()}
    return {name: shape[1:] for name, shape in found.items() if shape}


def _parameters(node: NodeProto, weights: Mapping[str, TensorProto]) -> int:
    """The numbers of a node's weights.  Scalars (the limits of a Clip, say) are settings, not weights."""
    ignored = _NOT_PARAMETERS.get(node.op_type, ())
    tensors = (weights.get(name) for i, name in enumerate(node.input) if i not in ignored)
    return sum(math.prod(t.dims) for t in tensors if t is not None and t.dims and t.data_type in _FLOATS)

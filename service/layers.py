"""The layer table of a model: what each layer is called, and what its output looks like.

A model that was exported here names its layers by the module path of PyTorch, with aliases where several
modules share one output.  Any other ONNX file is named by its tensors, with the node names as aliases.
"""

import difflib
import math
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Final

from onnx import ModelProto, NodeProto

from service import graph, run_memory
from service.connectivity import receptive_fields
from service.cost import Cost, Costs
from service.errors import ModelFileError, ParameterError, UnknownLayerError
from service.metadata import ImageInput, LayerEntry
from service.operators import Tensors, Window, unconverted, window
from service.receptive_field import UNKNOWN, ReceptiveField

TENSOR_PREFIX: Final = "tensor:"

_NEAREST: Final = 3
_CHANNEL_BLOCK: Final = 16  # floats of 512 bits: to a multiple of it, ONNX Runtime fills up the channels of maps


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
        window: What it moves over maps, where it is a convolution or a pooling.
        cost: What it takes to compute and to keep; None in a table that was made without a graph.
        receptive_field: Which pixels of the input its units see.
    """

    index: int
    path: str
    aliases: tuple[str, ...]
    tensor: str
    operator: str
    shape: tuple[int | None, ...] | None
    parameters: int
    window: Window | None = None
    cost: Cost | None = None
    receptive_field: ReceptiveField = UNKNOWN

    @property
    def values(self) -> int | None:
        """How many numbers its output holds for one image; None where a size is not fixed."""
        if self.shape is None or None in self.shape:
            return None
        return math.prod(size for size in self.shape if size is not None)


class LayerTable:
    """The layers of a model in order of execution, found by any of their names.

    Args:
        layers: In order of execution.
        multiply_adds: Of the whole model, for one image; None where it cannot be told.
        run_bytes: What its tensors take at once, for one image; None where it was not worked out.
    """

    def __init__(
        self, layers: Iterable[Layer], *, multiply_adds: int | None = None, run_bytes: int | None = None
    ) -> None:
        self._layers = tuple(layers)
        self.multiply_adds = multiply_adds
        self.run_bytes = run_bytes
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


def table(
    model: ModelProto,
    entries: Sequence[LayerEntry] | None,
    *,
    image: ImageInput | None = None,
    max_run_bytes: int | None = None,
) -> LayerTable:
    """Make the layer table of a model.

    Args:
        model: The published graph.
        entries: Where metadata.json says the modules are found; None for a file from elsewhere.
        image: The image input, whose size is taken where the file leaves it open; None where nothing says so.
        max_run_bytes: The most memory that a run of one image may take; None for no limit.

    Raises:
        ModelFileError: A run would take more memory than it may.
        UnknownLayerError: An entry names a tensor that no node puts out.
    """
    computed = list(graph.computed(model))
    nodes = {output: node for node in computed for output in node.output if output}
    foreign = entries is None
    if entries is None:
        entries = _entries_of_nodes(nodes)
    missing = [entry.tensor for entry in entries if entry.tensor not in nodes]
    if missing:
        raise UnknownLayerError(f"model.onnx computes no tensor {missing[0]!r}, which its layer table names")
    tensors = Tensors(model, graph.image_sizes(model, image))
    _require_memory(run_memory.bytes_at_once(model, tensors), max_run_bytes)
    run_bytes = run_memory.bytes_at_once(model, tensors, channel_block=_CHANNEL_BLOCK)
    facts = _Facts(model, computed, tensors, image)
    # A module is what computes; in a copy in other numbers its tensor is a conversion of what it put out.
    made = [entry.tensor if foreign else unconverted(entry.tensor, nodes) for entry in entries]
    rows = (_layer(index, entry, nodes[made[index]], facts) for index, entry in enumerate(entries))
    return LayerTable(rows, multiply_adds=facts.costs.multiply_adds, run_bytes=run_bytes)


def _require_memory(needed: int, most: int | None) -> None:
    if most is not None and needed > most:
        raise ModelFileError(
            f"a run of model.onnx takes at least {needed:,} bytes for one image; accepted: up to {most:,}"
            " (setting max_run_bytes)"
        )


class _Facts:
    """What the rows of a table are made of."""

    def __init__(
        self, model: ModelProto, computed: Sequence[NodeProto], tensors: Tensors, image: ImageInput | None
    ) -> None:
        self.tensors = tensors
        name, spatial = _image_axes(model, self.tensors, image)
        self.batch = (self.tensors.shape(name) or (None,))[0] or 1
        self.costs = Costs(computed, self.tensors, batch=self.batch)
        self.seen = receptive_fields(computed, self.tensors, image=name, spatial=spatial)

    def shape(self, tensor: str) -> tuple[int | None, ...] | None:
        """Of a tensor for one image.  One whose first axis has another size than the batch has no batch axis."""
        shape = self.tensors.shape(tensor)
        return shape[1:] if shape and shape[0] in (None, self.batch) else shape


def _layer(index: int, entry: LayerEntry, node: NodeProto, facts: _Facts) -> Layer:
    cost = replace(facts.costs.of(node.output[0]), bytes=facts.costs.of(entry.tensor).bytes)
    return Layer(
        index=index,
        path=entry.path,
        aliases=entry.aliases,
        tensor=entry.tensor,
        operator=node.op_type,
        shape=facts.shape(entry.tensor),
        parameters=cost.parameters,
        window=window(node, facts.tensors),
        cost=cost,
        receptive_field=facts.seen.get(entry.tensor, UNKNOWN),
    )


def _image_axes(model: ModelProto, tensors: Tensors, image: ImageInput | None) -> tuple[str, Sequence[int]]:
    """The name of the image input and its spatial axes: the first with more than two axes, where nothing says so."""
    shapes = {value.name: tensors.shape(value.name) or () for value in graph.inputs(model)}
    name = image.name if image else next((name for name, shape in shapes.items() if len(shape) > 2), "")
    rank = len(shapes.get(name, ()))
    layout = image.layout if image else graph.guessed_layout(shapes.get(name, ()))
    return name, range(2, rank) if layout == "nchw" else range(1, rank - 1)


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

"""Finds out whether the classes of a network come from its last maps by averages over space and one linear layer.

Then the evidence for a class can be told place by place (`service.attribution.class_activation_map`).
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto

from service.graph import Sizes
from service.initialisers import Initialisers
from service.operators import CONVERSIONS, Tensors, attributes
from service.weights import Weights, weights_of

# Leave the values of pooled maps, and their order, as they are.
_TRANSPARENT: Final = ("Flatten", "Reshape", "Squeeze", "Unsqueeze", "Identity", "Dropout", *CONVERSIONS)
# Come behind the logits.
_ACTIVATIONS: Final = ("Softmax", "LogSoftmax", "Sigmoid")
_SPACE: Final = {2, 3}


@dataclass(frozen=True)
class Head:
    """The logits are linear in the means of maps.

    Args:
        tensor: The maps that are pooled, (N, C, H, W).
        weights: Of the linear layer behind the pooling, (classes, C) float32; None where the maps themselves are
            pooled to logits, one for each class.
        bias: (classes,) float32; None where there is none.
    """

    tensor: str
    weights: NDArray[np.float32] | None
    bias: NDArray[np.float32] | None

    def logits(self, maps: NDArray[np.float32]) -> NDArray[np.float32]:
        """What the head makes of the maps.

        Shape:
            maps: (N, C, H, W).  Returns (N, classes).
        """
        means: NDArray[np.float32] = maps.mean(axis=(2, 3))  # (N, C)
        found = means if self.weights is None else means @ self.weights.T
        return found if self.bias is None else found + self.bias


@dataclass(frozen=True)
class NoHead:
    """The logits come about in another way; `reason` says what stands there instead."""

    reason: str


def find_head(
    model: ModelProto, output: str, sizes: Sizes | None = None, initialisers: Initialisers | None = None
) -> Head | NoHead:
    """Look at what is in front of an output.

    Found are `GlobalAveragePool`, `ReduceMean` over space, or `AveragePool` over the whole map, and behind it `Gemm`,
    `MatMul` (and `Add`), a 1x1 `Conv`, or nothing; `Flatten` and its like may stand anywhere between.

    Args:
        model: A classifier, (N, C, H, W) inside.
        output: The tensor that holds its logits, or what a softmax or sigmoid makes of them.
        sizes: Shapes to take for inputs whose own are not fixed, by name.
        initialisers: The values of those that the graph does not hold.
    """
    nodes = {name: node for node in model.graph.node for name in node.output}
    linear = _behind(output, nodes, (*_TRANSPARENT, *_ACTIVATIONS))
    if linear is None:
        return NoHead(f"no operator puts out {output!r}")
    weights = _matrix(model, linear, initialisers or {})
    pool = linear if weights is None else _behind(weights.source, nodes, _TRANSPARENT)
    tensors = Tensors(model, sizes)
    if pool is None or not _pools(pool, tensors):
        return NoHead(_explanation(linear, pool))
    if pool.input[0] not in nodes:
        return NoHead("what is pooled is the input itself")
    return _head(pool.input[0], weights, tensors.shape(pool.input[0]))


def _head(maps: str, weights: Weights | None, shape: Sequence[int | None] | None) -> Head | NoHead:
    if shape is None or len(shape) != 4:
        return NoHead(f"what is pooled there, {maps!r}, is no layer with maps (N, C, H, W)")
    if weights is None:
        return Head(maps, None, None)
    if shape[1] not in (None, weights.values.shape[1]):
        return NoHead(f"the linear layer reads {weights.values.shape[1]} values, and {shape[1]} channels are pooled")
    return Head(maps, weights.values, weights.bias)


def _behind(tensor: str, nodes: Mapping[str, NodeProto], skipped: Sequence[str]) -> NodeProto | None:
    """The operator that made a tensor, not counting those that are skipped; None where an input of the graph did."""
    node = nodes.get(tensor)
    while node is not None and node.op_type in skipped:
        node = nodes.get(node.input[0])
    return node


def _matrix(model: ModelProto, node: NodeProto, initialisers: Initialisers) -> Weights | None:
    """The weights of a linear layer as (classes, C); None where it is none."""
    found = weights_of(model, node.output[0], initialisers)
    if found is None or node.op_type == "ConvTranspose":
        return None
    if node.op_type != "Conv":
        return found
    given = attributes(node)
    if found.values.shape[2:] != (1, 1) or given.get("group", 1) != 1 or any(given.get("pads", ())):
        return None
    return Weights(found.source, found.values[:, :, 0, 0], found.bias)


def _pools(node: NodeProto, tensors: Tensors) -> bool:
    """Whether an operator takes the mean of each map."""
    match node.op_type:
        case "GlobalAveragePool":
            return True
        case "ReduceMean":
            return {axis % 4 for axis in tensors.integers(node, "axes", 1) or ()} == _SPACE
        case "AveragePool":
            given = attributes(node)
            extent = (tensors.shape(node.input[0]) or ())[2:]
            return tuple(given["kernel_shape"]) == extent and not any(given.get("pads", ()))
    return False


def _explanation(linear: NodeProto, pool: NodeProto | None) -> str:
    last = f"{linear.output[0]!r} ({linear.op_type})"
    if pool is linear:
        return f"they come from {last}"
    before = "the input" if pool is None else f"{pool.output[0]!r} ({pool.op_type})"
    return f"they come from {last} behind {before}"

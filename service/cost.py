"""What a layer costs: learned numbers, multiply-adds, floating-point operations, bytes.

Counted are the operators that multiply maps with weights: convolutions and dense layers.  The rest (pooling,
activations, normalisation, sums of branches) counts as no multiply-adds, as is usual where networks are compared:
ResNet-50 has 4.09 thousand million.  Padding is counted like pixels.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto, TensorProto

from service import graph
from service.operators import KERNELS, Shape, Tensors, attributes, is_standard

# Inputs of these are running statistics, sizes, limits or scales, not parameters.
_NOT_PARAMETERS: Final[Mapping[str, Sequence[int]]] = {
    "BatchNormalization": (3, 4),
    "Clip": (1, 2),
    "DequantizeLinear": (1, 2),
    "Dropout": (1, 2),
    "Pad": (1, 2, 3),
    "QLinearConv": (1, 2, 4, 5, 6, 7),
    "QLinearMatMul": (1, 2, 4, 5, 6, 7),
    "QuantizeLinear": (1, 2),
    "Resize": (1, 2, 3),
    "Upsample": (1,),
}
_LEARNED: Final = (
    TensorProto.FLOAT,
    TensorProto.FLOAT16,
    TensorProto.BFLOAT16,
    TensorProto.DOUBLE,
    TensorProto.INT8,
    TensorProto.UINT8,
)
# The inputs that are multiplied, and the one that holds a bias.
_DENSE: Final[Mapping[str, tuple[int, int]]] = {
    "Gemm": (0, 1),
    "MatMul": (0, 1),
    "MatMulInteger": (0, 1),
    "QLinearMatMul": (0, 3),
}
_BIAS: Final[Mapping[str, int]] = {"Conv": 2, "ConvTranspose": 2, "Gemm": 2, "QLinearConv": 8}
# They multiply with weights, in ways that are not counted here.
_UNCOUNTED: Final = frozenset({"Einsum", "GRU", "LSTM", "RNN", "DeformConv", "Attention"})


@dataclass(frozen=True)
class Sums:
    """What has to be computed to get a layer: all that it depends on, and itself.

    Args:
        parameters: Learned numbers; those that several layers share count once.
        multiply_adds: For one image; None where it cannot be told.
        flops: Floating-point operations for one image; None where it cannot be told.
    """

    parameters: int
    multiply_adds: int | None
    flops: int | None


@dataclass(frozen=True)
class Dense:
    """A dense layer with as many inputs and outputs as a layer has for one image: every input to every output.

    Args:
        weights: inputs * outputs.
        flops: 2 * inputs * outputs.
        times_less_work: How many times fewer floating-point operations the layer takes.
        times_less_storage: How many times fewer numbers it keeps; None where it keeps none.
    """

    weights: int
    flops: int
    times_less_work: float
    times_less_storage: float | None


@dataclass(frozen=True)
class Cost:
    """What a layer costs.

    Args:
        parameters: Learned numbers that its operator holds.
        multiply_adds: For one image, 0 where it multiplies no weights; None where it cannot be told.
        flops: outputs * (2 * K - 1) for K products that make up an output, and one more for each output with a bias.
        bytes: Of its output for one image; None where a size is not fixed.
        cumulative: The same with all that it depends on.
        dense: A dense layer in its place; None where it multiplies no weights, or a size is not fixed.
    """

    parameters: int
    multiply_adds: int | None
    flops: int | None
    bytes: int | None
    cumulative: Sums
    dense: Dense | None


@dataclass(frozen=True)
class _Work:
    """Multiply-adds and floating-point operations of a node."""

    multiply_adds: int
    flops: int


_NONE: Final = _Work(0, 0)


class Costs:
    """The costs of the nodes of a model.

    Args:
        nodes: Those that depend on an input, in order of execution.
        tensors: What is known of their inputs and outputs.
        batch: How many images the shapes of `tensors` are for.
    """

    def __init__(self, nodes: Sequence[NodeProto], tensors: Tensors, *, batch: int = 1) -> None:
        self._tensors = tensors
        self._batch = batch
        self._places = {name: i for i, node in enumerate(nodes) for name in node.output if name}
        self._nodes = nodes
        self._weights = [_weights(node, tensors) for node in nodes]
        self._work = [_work(node, tensors, batch=batch) for node in nodes]
        self._sums = _Summed(nodes, self._weights, self._work)

    def of(self, tensor: str) -> Cost:
        """The cost of the layer whose output a tensor is.

        Raises:
            KeyError: None of the nodes puts it out.
        """
        place = self._places[tensor]
        work, parameters = self._work[place], sum(self._weights[place].values())
        values, size = _values(self._tensors.shape(tensor), self._batch), self._tensors.element_bytes(tensor)
        return Cost(
            parameters=parameters,
            multiply_adds=work.multiply_adds if work else None,
            flops=work.flops if work else None,
            bytes=None if values is None or size is None else values * size,
            cumulative=self._sums.of(place),
            dense=self._dense(self._nodes[place], values, work, parameters),
        )

    @property
    def multiply_adds(self) -> int | None:
        """Of the whole graph, for one image; None where it cannot be told."""
        known = [work.multiply_adds for work in self._work if work is not None]
        return sum(known) if len(known) == len(self._work) else None

    def _dense(self, node: NodeProto, outputs: int | None, work: _Work | None, parameters: int) -> Dense | None:
        maps = next((name for name in node.input if self._tensors.weight(name) is None), "")
        inputs = _values(self._tensors.shape(maps), self._batch)
        if not (inputs and outputs and work and work.flops):
            return None
        weights = inputs * outputs
        return Dense(
            weights=weights,
            flops=2 * weights,
            times_less_work=2 * weights / work.flops,
            times_less_storage=weights / parameters if parameters else None,
        )


class _Summed:
    """Running sums over a graph in which branches share what lies before them."""

    def __init__(
        self, nodes: Sequence[NodeProto], weights: Sequence[Mapping[str, int]], work: Sequence[_Work | None]
    ) -> None:
        self._sizes = {name: size for held in weights for name, size in held.items()}
        columns = {name: len(nodes) + i for i, name in enumerate(self._sizes)}
        places: dict[str, int] = {}
        # Row i: the nodes that node i depends on, and behind them the weights that it and they hold.
        needed = np.zeros((len(nodes), len(nodes) + len(columns)), np.bool_)
        for i, node in enumerate(nodes):
            for source in {places[name] for name in graph.reads(node) if name in places}:
                needed[i] |= needed[source]
            needed[i, [i, *(columns[name] for name in weights[i])]] = True
            places |= {name: i for name in node.output if name}
        before, held = needed[:, : len(nodes)], needed[:, len(nodes) :]
        self._parameters = _times(held, list(self._sizes.values()))
        self._unknown = _times(before, [each is None for each in work])
        self._multiply_adds = _times(before, [each.multiply_adds if each else 0 for each in work])
        self._flops = _times(before, [each.flops if each else 0 for each in work])

    def of(self, place: int) -> Sums:
        known = not self._unknown[place]
        return Sums(
            parameters=int(self._parameters[place]),
            multiply_adds=int(self._multiply_adds[place]) if known else None,
            flops=int(self._flops[place]) if known else None,
        )


def _times(chosen: NDArray[np.bool_], values: Sequence[int]) -> NDArray[np.int64]:
    """For each row, the sum of the values that are chosen."""
    return np.asarray(chosen @ np.array(values, np.int64), np.int64)


def _weights(node: NodeProto, tensors: Tensors) -> dict[str, int]:
    """The size of each tensor of learned numbers of a node.  Scalars (a slope, say) are settings, not weights."""
    ignored = _NOT_PARAMETERS.get(node.op_type, ())
    found = ((i, tensors.weight(name)) for i, name in enumerate(node.input) if name and i not in ignored)
    bias = _BIAS.get(node.op_type)
    # A Constant's tensor need not have a name of its own.
    return {
        tensor.name or f"{node.output[0]} {i}": math.prod(tensor.dims)
        for i, tensor in found
        # Elsewhere 32-bit integers are sizes and axes.
        if tensor is not None and tensor.dims and (tensor.data_type in _LEARNED or i == bias)
    }


def _work(node: NodeProto, tensors: Tensors, *, batch: int) -> _Work | None:
    """What a node computes for one image; None where it cannot be told."""
    if not is_standard(node) or node.op_type in _UNCOUNTED:
        return None
    if node.op_type in KERNELS:
        return _convolution(node, tensors, batch)
    if node.op_type in _DENSE:
        return _product(node, tensors, batch)
    return _NONE


def _convolution(node: NodeProto, tensors: Tensors, batch: int) -> _Work | None:
    kernels = _fixed(tensors.shape(node.input[KERNELS[node.op_type]]))
    outputs = _values(tensors.shape(node.output[0]), batch)
    inputs = _values(tensors.shape(node.input[0]), batch)
    if kernels is None or outputs is None or inputs is None:
        return None
    # (M, C / groups, *kernel) for a convolution, (C, M / groups, *kernel) for a transposed one: each output is a sum
    # of products there, each input goes into products here.
    products = (inputs if node.op_type == "ConvTranspose" else outputs) * math.prod(kernels[1:])
    return _Work(products, 2 * products - outputs + outputs * _has_bias(node))


def _product(node: NodeProto, tensors: Tensors, batch: int) -> _Work | None:
    """A matrix product: each output is a sum over the last axis of the left matrix."""
    left = tensors.shape(node.input[_DENSE[node.op_type][0]])
    outputs = _values(tensors.shape(node.output[0]), batch)
    if left is None or outputs is None:
        return None
    length = left[0 if attributes(node).get("transA", 0) else -1]
    if length is None:
        return None
    return _Work(outputs * length, outputs * (2 * length - 1) + outputs * _has_bias(node))


def _has_bias(node: NodeProto) -> int:
    index = _BIAS.get(node.op_type)
    return int(index is not None and len(node.input) > index and bool(node.input[index]))


def _fixed(shape: Shape | None) -> tuple[int, ...] | None:
    if shape is None:
        return None
    known = tuple(size for size in shape if size is not None)
    return known if len(known) == len(shape) else None


def _values(shape: Shape | None, batch: int) -> int | None:
    """How many numbers a tensor holds for one image."""
    sizes = _fixed(shape)
    if not sizes:
        return None
    return math.prod(sizes[1:] if sizes[0] == batch else sizes)

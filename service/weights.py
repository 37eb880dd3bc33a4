"""Reads the learned weights of operators out of an ONNX graph."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, numpy_helper

from service.initialisers import Initialisers, is_apart
from service.operators import attributes, unconverted

# An Add is one where it is the bias of a MatMul.
OPERATORS: Final = ("Conv", "ConvTranspose", "Gemm", "MatMul", "Add")


@dataclass(frozen=True)
class Weights:
    """The learned numbers of one operator.

    Args:
        source: The tensor that the operator reads.
        values: (out, in / groups, …) of a convolution, … its extent; (out, in) of a linear layer.
        bias: (out,); None where there is none.

    Shape:
        float32 both.
    """

    source: str
    values: NDArray[np.float32]
    bias: NDArray[np.float32] | None


class Constants:
    """The tensors of a graph that depend on no input, by name: initialisers, constant nodes, 8-bit weights."""

    def __init__(self, model: ModelProto, initialisers: Initialisers) -> None:
        self._apart = initialisers
        self._tensors: dict[str, TensorProto] = {tensor.name: tensor for tensor in model.graph.initializer}
        for node in model.graph.node:
            if node.op_type == "Constant" and "value" in (values := attributes(node)):
                self._tensors[node.output[0]] = values["value"]
            elif node.op_type == "Identity" and node.input[0] in self._tensors:
                self._tensors[node.output[0]] = self._tensors[node.input[0]]
            elif node.op_type == "DequantizeLinear" and self._tensors.keys() >= set(node.input):
                self._tensors[node.output[0]] = self._dequantised(node)

    def __contains__(self, name: object) -> bool:
        return name in self._tensors

    def array(self, name: str) -> NDArray[Any]:
        """The values of a tensor.

        Raises:
            KeyError: There is no constant of this name.
        """
        tensor = self._tensors[name]
        return self._apart[tensor.name] if is_apart(tensor) else numpy_helper.to_array(tensor)

    def _dequantised(self, node: NodeProto) -> TensorProto:
        """(values - zero point) * scale; both are one number, or one for each index of an axis."""
        values, scale, *rest = (self.array(name) for name in node.input)
        shape = [1] * values.ndim
        if scale.ndim:
            shape[attributes(node).get("axis", 1)] = -1
        zero = rest[0].reshape(shape).astype(np.int32) if rest else 0
        return numpy_helper.from_array((values.astype(np.int32) - zero) * scale.reshape(shape))


def weights_of(model: ModelProto, tensor: str, initialisers: Initialisers | None = None) -> Weights | None:
    """The weights of the operator that puts out a tensor; None where it has none.

    Of `Conv`, `ConvTranspose`, `Gemm`, and `MatMul` with or without an `Add` behind, weights that are constants of the
    file.

    Args:
        model: The graph.
        tensor: The output of a node.
        initialisers: The values of those that the graph does not hold.
    """
    nodes = {output: node for node in model.graph.node for output in node.output}
    constants, node = Constants(model, initialisers or {}), nodes[unconverted(tensor, nodes)]
    if node.op_type == "Add":
        return _with_bias(node, nodes, constants)
    if node.op_type not in OPERATORS or len(node.input) < 2 or node.input[1] not in constants:
        return None
    if node.op_type == "MatMul":
        return _of_product(node, constants)
    return _of_gemm(node, constants) if node.op_type == "Gemm" else _of_convolution(node, constants)


def _of_convolution(node: NodeProto, constants: Constants) -> Weights:
    values = constants.array(node.input[1])
    if node.op_type == "ConvTranspose":  # (in, out / groups, …)
        groups = attributes(node).get("group", 1)
        grouped = values.reshape(groups, -1, *values.shape[1:])  # (groups, in / groups, out / groups, …)
        values = grouped.swapaxes(1, 2).reshape(-1, grouped.shape[1], *values.shape[2:])
    return Weights(node.input[0], _floats(values), _bias(node, constants, len(values), factor=1))


def _of_gemm(node: NodeProto, constants: Constants) -> Weights | None:
    given: Mapping[str, Any] = {"alpha": 1.0, "beta": 1.0, "transA": 0, "transB": 0, **attributes(node)}
    if given["transA"]:
        return None
    values = constants.array(node.input[1])
    values = given["alpha"] * (values if given["transB"] else values.T)
    return Weights(node.input[0], _floats(values), _bias(node, constants, len(values), factor=given["beta"]))


def _of_product(node: NodeProto, constants: Constants) -> Weights | None:
    values = constants.array(node.input[1])
    return Weights(node.input[0], _floats(values.T), None) if values.ndim == 2 else None


def _with_bias(node: NodeProto, nodes: Mapping[str, NodeProto], constants: Constants) -> Weights | None:
    """Of an Add of a product and a constant, in whichever order."""
    for product, bias in (node.input, reversed(node.input)):
        behind = nodes.get(product)
        if bias in constants and behind is not None and behind.op_type == "MatMul" and behind.input[1] in constants:
            found = _of_product(behind, constants)
            values = _floats(constants.array(bias)).ravel()
            if found is not None and values.size in (1, len(found.values)):
                return Weights(found.source, found.values, _spread(values, len(found.values)))
    return None


def _bias(node: NodeProto, constants: Constants, size: int, *, factor: float) -> NDArray[np.float32] | None:
    if len(node.input) < 3 or node.input[2] not in constants:
        return None
    values = factor * _floats(constants.array(node.input[2])).ravel()
    return _spread(values, size)


def _spread(values: NDArray[np.float32], size: int) -> NDArray[np.float32]:
    """One number for each output, also where one stands for all."""
    return _floats(np.broadcast_to(values, size))


def _floats(values: NDArray[Any]) -> NDArray[np.float32]:
    return np.ascontiguousarray(values, np.float32)

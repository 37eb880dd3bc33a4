"""Promises of service.weights."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper, numpy_helper

from service.weights import weights_of
from tests import tiny_models

MATRIX = np.array([[1, 2], [3, 4], [5, 6]], np.float32)  # (out, in)
BIAS = np.array([7, 8, 9], np.float32)


def network(*nodes: NodeProto, **weights: NDArray[Any]) -> ModelProto:
    """A network whose last output is `y`."""
    return tiny_models.model(nodes, weights, input_shape=["batch", 2], output=("y", ["batch", None]))


def node(operator: str, *inputs: str, output: str = "y", **attributes: Any) -> NodeProto:  # noqa: ANN401
    """One node."""
    return helper.make_node(operator, inputs, [output], **attributes)


LINEAR = {
    "gemm": network(node("Gemm", "images", "w", "b"), w=MATRIX.T, b=BIAS),
    "gemm, transposed and scaled": network(
        node("Gemm", "images", "w", "b", transB=1, alpha=0.5, beta=2.0), w=2 * MATRIX, b=BIAS / 2
    ),
    "product and sum": network(node("MatMul", "images", "w", output="p"), node("Add", "p", "b"), w=MATRIX.T, b=BIAS),
    "sum, the other way round": network(
        node("MatMul", "images", "w", output="p"), node("Add", "b", "p"), w=MATRIX.T, b=BIAS
    ),
    "a constant node": network(
        helper.make_node("Constant", [], ["w"], value=numpy_helper.from_array(MATRIX.T)),
        node("Gemm", "images", "w", "b"),
        b=BIAS,
    ),
}


@pytest.mark.parametrize("model", LINEAR.values(), ids=LINEAR)
def test_a_linear_layer_is_outputs_by_inputs(model: ModelProto) -> None:
    """However it is written."""
    found = weights_of(model, "y")
    assert found is not None
    assert found.source == "images"
    assert found.values.tolist() == MATRIX.tolist()
    assert found.bias is not None
    assert found.bias.tolist() == BIAS.tolist()


def test_one_number_may_be_the_bias_of_all() -> None:
    """A Gemm spreads it."""
    found = weights_of(network(node("Gemm", "images", "w", "b"), w=MATRIX.T, b=np.array([7], np.float32)), "y")
    assert found is not None
    assert found.bias is not None
    assert found.bias.tolist() == [7, 7, 7]


def test_a_product_has_no_bias() -> None:
    """None, not zeros."""
    found = weights_of(network(node("MatMul", "images", "w"), w=MATRIX.T), "y")
    assert found is not None
    assert found.bias is None


def test_a_convolution_is_as_it_is_stored() -> None:
    """(out, in / groups, height, width)."""
    kernels = np.arange(4 * 1 * 3 * 2, dtype=np.float32).reshape(4, 1, 3, 2)
    found = weights_of(network(node("Conv", "images", "w", group=2), w=kernels), "y")
    assert found is not None
    np.testing.assert_array_equal(found.values, kernels)


def test_a_transposed_convolution_is_turned_to_outputs_by_inputs() -> None:
    """ONNX stores (in, out / groups): output 1 of group 0 and output 2 of group 1 see the inputs of their groups."""
    stored = np.arange(4 * 2, dtype=np.float32).reshape(4, 2, 1, 1)  # 4 inputs, 2 groups, 2 outputs each
    found = weights_of(network(node("ConvTranspose", "images", "w", group=2), w=stored), "y")
    assert found is not None
    assert found.values.shape == (4, 2, 1, 1)
    assert found.values[:, :, 0, 0].tolist() == [[0, 2], [1, 3], [4, 6], [5, 7]]


@pytest.mark.parametrize(
    "model",
    [
        network(node("Relu", "images")),
        network(node("Add", "images", "b"), b=np.ones(2, np.float32)),
        network(node("MatMul", "images", "images")),
        network(node("Gemm", "images", "w", transA=1), w=MATRIX.T),
    ],
    ids=["no operator with weights", "a sum with no product", "two computed tensors", "turned images"],
)
def test_what_has_no_learned_weights_has_none(model: ModelProto) -> None:
    """None."""
    assert weights_of(model, "y") is None


def test_weights_in_8_bits_are_told_as_the_numbers_that_they_stand_for() -> None:
    """(values - zero point) * scale, one scale for each output; behind the rounding of the operator's output too."""
    found = weights_of(
        network(
            node("DequantizeLinear", "w8", "ws", "wz", output="w", axis=0),
            node("DequantizeLinear", "b32", "bs", output="b"),
            node("Gemm", "images", "w", "b", output="exact", transB=1),
            node("QuantizeLinear", "exact", "s", "z", output="rounded"),
            node("DequantizeLinear", "rounded", "s", "z"),
            w8=np.array([[1, 2], [3, 4], [5, 6]], np.int8),
            ws=np.array([1, 2, 4], np.float32),
            wz=np.array([0, 1, 0], np.int8),
            b32=np.array([2, 4, 6], np.int32),
            bs=np.array(0.5, np.float32),
            s=np.array(1, np.float32),
            z=np.array(0, np.uint8),
        ),
        "y",
    )
    assert found is not None
    assert found.values.tolist() == [[1, 2], [4, 6], [20, 24]]
    assert found.bias is not None
    assert found.bias.tolist() == [1, 2, 3]

"""Promises of service.heads."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, helper
from onnx.reference import ReferenceEvaluator

from service import graph
from service.heads import Head, NoHead, find_head
from tests import tiny_models

WEIGHTS = np.array([[1, 2], [-3, 4], [0, 6]], np.float32)  # (classes, C)
BIAS = np.array([7, 8, 9], np.float32)
AXES = np.array([2, 3])
FLAT = np.array([-1, 2])
IMAGES = np.random.default_rng(0).normal(size=(2, 2, 3, 4)).astype(np.float32)


def node(operator: str, *inputs: str, output: str = "logits", **attributes: Any) -> NodeProto:  # noqa: ANN401
    """One node."""
    return helper.make_node(operator, inputs, [output], **attributes)


RELU = node("Relu", "images", output="maps")
POOL = node("GlobalAveragePool", "maps", output="pooled")
FLATTEN = node("Flatten", "pooled", output="flat")
GEMM = node("Gemm", "flat", "w", "b", transB=1)
CONV = node("Conv", "images", "k", "b", output="maps")
KERNEL = WEIGHTS.reshape(3, 2, 1, 1)


def network(nodes: Sequence[NodeProto], output: str = "logits", **weights: NDArray[Any]) -> ModelProto:
    """A network that takes (N, 2, 3, 4)."""
    return tiny_models.model(nodes, weights, input_shape=["batch", 2, 3, 4], output=(output, ["batch", None]))


HEADS: Mapping[str, ModelProto] = {
    "pool, flatten, gemm": network([RELU, POOL, FLATTEN, GEMM], w=WEIGHTS, b=BIAS),
    "mean, reshape, gemm": network(
        [
            RELU,
            node("ReduceMean", "maps", "axes", output="pooled"),
            node("Reshape", "pooled", "shape", output="flat"),
            GEMM,
        ],
        axes=AXES,
        shape=FLAT,
        w=WEIGHTS,
        b=BIAS,
    ),
    "mean over the last axes, product, sum": network(
        [
            RELU,
            node("ReduceMean", "maps", "axes", output="pooled", keepdims=0),
            node("Identity", "pooled", output="flat"),
            node("MatMul", "flat", "w", output="product"),
            node("Add", "product", "b"),
        ],
        axes=np.array([-1, -2]),
        w=WEIGHTS.T,
        b=BIAS,
    ),
    "average over the whole map, gemm": network(
        [RELU, node("AveragePool", "maps", output="pooled", kernel_shape=[3, 4]), FLATTEN, GEMM], w=WEIGHTS, b=BIAS
    ),
    "pool, 1x1 convolution, flatten": network(
        [RELU, POOL, node("Conv", "pooled", "w", "b", output="c"), node("Flatten", "c")],
        w=WEIGHTS.reshape(3, 2, 1, 1),
        b=BIAS,
    ),
    "1x1 convolution, pool, flatten": network([CONV, POOL, node("Flatten", "pooled")], k=KERNEL, b=BIAS),
}


@pytest.mark.parametrize("model", HEADS.values(), ids=HEADS)
def test_a_head_makes_the_logits_of_the_maps(model: ModelProto) -> None:
    """What it computes from the maps that it names is what the network puts out."""
    head = find_head(model, "logits", graph.image_sizes(model, None))
    assert isinstance(head, Head)
    maps, logits = ReferenceEvaluator(_with_output(model, head.tensor)).run([head.tensor, "logits"], {"images": IMAGES})
    assert isinstance(maps, np.ndarray)
    assert isinstance(logits, np.ndarray)
    assert head.tensor == "maps"
    np.testing.assert_allclose(head.logits(maps), logits, rtol=1e-5)


def test_what_a_softmax_reads_are_the_logits() -> None:
    """A network that ends in probabilities has the head in front of them."""
    model = network([RELU, POOL, FLATTEN, GEMM, node("Softmax", "logits", output="y")], "y", w=WEIGHTS, b=BIAS)
    head = find_head(model, "y")
    assert isinstance(head, Head)
    assert head.weights is not None
    assert head.weights.tolist() == WEIGHTS.tolist()


NO_HEADS: Mapping[str, tuple[ModelProto, str]] = {
    "two linear layers": (
        network(
            [
                RELU,
                POOL,
                FLATTEN,
                node("Gemm", "flat", "v", output="hidden"),
                node("Relu", "hidden", output="active"),
                node("Gemm", "active", "w", "b", transB=1),
            ],
            v=np.eye(2, dtype=np.float32),
            w=WEIGHTS,
            b=BIAS,
        ),
        "they come from 'logits' (Gemm) behind 'active' (Relu)",
    ),
    "no pooling": (
        network([RELU, node("Flatten", "maps", output="flat"), GEMM], w=np.ones((3, 24), np.float32), b=BIAS),
        "they come from 'logits' (Gemm) behind 'maps' (Relu)",
    ),
    "the largest value instead of the mean": (
        network([RELU, node("GlobalMaxPool", "maps", output="pooled"), FLATTEN, GEMM], w=WEIGHTS, b=BIAS),
        "behind 'pooled' (GlobalMaxPool)",
    ),
    "a mean over channels": (
        network([RELU, node("ReduceMean", "maps", "axes", keepdims=0)], axes=np.array([1])),
        "they come from 'logits' (ReduceMean)",
    ),
    "the mean of a part": (
        network(
            [
                RELU,
                node("AveragePool", "maps", output="pooled", kernel_shape=[3, 3]),
                node("Flatten", "pooled", output="flat"),
                GEMM,
            ],
            w=np.ones((3, 4), np.float32),
            b=BIAS,
        ),
        "behind 'pooled' (AveragePool)",
    ),
    "the input is pooled": (
        network([node("GlobalAveragePool", "images", output="pooled"), FLATTEN, GEMM], w=WEIGHTS, b=BIAS),
        "what is pooled is the input itself",
    ),
    "a linear layer of the input": (
        network([node("Flatten", "images", output="flat"), GEMM], w=np.ones((3, 24), np.float32), b=BIAS),
        "behind the input",
    ),
    "a nonlinear layer behind": (
        network([CONV, POOL, node("Relu", "pooled")], k=KERNEL, b=BIAS),
        "they come from 'logits' (Relu)",
    ),
}


@pytest.mark.parametrize(("model", "reason"), NO_HEADS.values(), ids=NO_HEADS)
def test_any_other_head_is_none_and_says_what_stands_there(model: ModelProto, reason: str) -> None:
    """The reason names the operators."""
    found = find_head(model, "logits", graph.image_sizes(model, None))
    assert isinstance(found, NoHead)
    assert reason in found.reason


def _with_output(model: ModelProto, tensor: str) -> ModelProto:
    copy = ModelProto()
    copy.CopyFrom(model)
    copy.graph.output.append(helper.make_empty_tensor_value_info(tensor))
    return copy


def test_a_head_in_8_bits_is_found_behind_its_rounding() -> None:
    """Pooled maps and weights are rounded on the way; the maps are those that are pooled."""
    model = network(
        [
            node("Relu", "images", output="maps"),
            node("GlobalAveragePool", "maps", output="pooled"),
            node("QuantizeLinear", "pooled", "s", "z", output="rounded"),
            node("DequantizeLinear", "rounded", "s", "z", output="means"),
            node("Flatten", "means", output="flat"),
            node("DequantizeLinear", "w8", "s", output="w"),
            node("Gemm", "flat", "w"),
        ],
        w8=np.array([[1, 2], [3, 4]], np.int8),
        s=np.array(0.5, np.float32),
        z=np.array(0, np.uint8),
    )
    head = find_head(model, "logits")
    assert isinstance(head, Head)
    assert head.tensor == "maps"
    assert head.weights is not None
    assert head.weights.tolist() == [[0.5, 1.5], [1, 2]]

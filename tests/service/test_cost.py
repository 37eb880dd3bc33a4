"""Promises of service.cost: numbers that can be worked out on paper."""

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, helper

from service import layers
from service.cost import Cost, Dense, Sums
from service.metadata import LayerEntry
from tests import tiny_models

node = helper.make_node


def cost(model: ModelProto, tensor: str = "logits") -> Cost:
    """Of the layer with this output."""
    found = layers.table(model, None).find(f"tensor:{tensor}").cost
    assert found is not None
    return found


def edges(*, shape: tuple[str | int, ...] = ("batch", 1, 280, 320)) -> ModelProto:
    """The edge detector of the texts: each pixel minus its left neighbour, in a picture 320 wide and 280 high."""
    kernel = np.array([-1, 1], np.float32).reshape(1, 1, 1, 2)
    return tiny_models.model(
        [node("Conv", ["images", "kernel"], ["logits"])],
        {"kernel": kernel},
        input_shape=shape,
        output=("logits", [None] * 4),
    )


def test_the_edge_example_has_the_figures_of_the_texts() -> None:
    """319 * 280 outputs of 3 operations; dense: 8.0e9 weights, 60,000 times the work, 4.0e9 times the storage."""
    (layer,) = layers.table(edges(), None)
    assert layer.shape == (1, 280, 319)
    assert layer.cost == Cost(
        parameters=2,
        multiply_adds=178_640,
        flops=267_960,
        bytes=4 * 280 * 319,
        cumulative=Sums(parameters=2, multiply_adds=178_640, flops=267_960),
        dense=Dense(
            weights=8_003_072_000,
            flops=16_006_144_000,
            times_less_work=16_006_144_000 / 267_960,
            times_less_storage=4_001_536_000.0,
        ),
    )
    assert layer.cost.dense is not None
    assert int(layer.cost.dense.times_less_work) == 59_733


def test_sizes_that_are_not_fixed_give_none() -> None:
    """The parameters are known all the same."""
    found = cost(edges(shape=("batch", 1, "height", "width")))
    assert (found.parameters, found.multiply_adds, found.flops, found.bytes, found.dense) == (2, None, None, None, None)
    assert found.cumulative == Sums(parameters=2, multiply_adds=None, flops=None)


@pytest.mark.parametrize("batch", ["batch", 1, 5])
def test_costs_are_those_of_one_image(batch: str | int) -> None:
    """Whatever number of images the file is made for."""
    found = cost(edges(shape=(batch, 1, 280, 320)))
    assert (found.multiply_adds, found.bytes) == (178_640, 4 * 280 * 319)


def test_a_bias_is_one_more_operation_for_each_output() -> None:
    """`brightness`: 4 outputs of one product and a bias, then 3 of one product and a bias."""
    model = tiny_models.brightness()
    assert (cost(model, "conv_out").multiply_adds, cost(model, "conv_out").flops) == (4, 4 * (2 - 1) + 4)
    assert (cost(model).multiply_adds, cost(model).flops) == (3, 3 * (2 - 1) + 3)
    assert cost(model).cumulative == Sums(parameters=2 + 6, multiply_adds=7, flops=14)


def test_groups_divide_the_products() -> None:
    """Depthwise: each of 4 channels of 3x3 has a kernel of 3x3 of its own: 4 * 9 * 9 products."""
    model = tiny_models.model(
        [node("Conv", ["images", "kernel"], ["logits"], group=4, pads=[1, 1, 1, 1])],
        {"kernel": np.ones((4, 1, 3, 3), np.float32)},
        input_shape=["batch", 4, 3, 3],
        output=("logits", [None] * 4),
    )
    assert (cost(model).parameters, cost(model).multiply_adds) == (36, 324)


def test_a_transposed_convolution_multiplies_each_input_with_the_kernel() -> None:
    """4 inputs, 2 output channels, 3x3: 72 products."""
    model = tiny_models.model(
        [node("ConvTranspose", ["images", "kernel"], ["logits"], strides=[2, 2])],
        {"kernel": np.ones((1, 2, 3, 3), np.float32)},
        input_shape=["batch", 1, 2, 2],
        output=("logits", [None] * 4),
    )
    assert cost(model).multiply_adds == 72


def test_branches_that_share_what_lies_before_them_count_it_once() -> None:
    """One trunk (4 products, 1 weight) under two branches that share one kernel (4 products each)."""
    model = tiny_models.model(
        [
            node("Conv", ["images", "trunk"], ["x"]),
            node("Conv", ["x", "shared"], ["a"]),
            node("Conv", ["x", "shared"], ["b"]),
            node("Add", ["a", "b"], ["logits"]),
            node("Conv", ["images", "apart"], ["side"]),
        ],
        {name: np.ones((1, 1, 1, 1), np.float32) for name in ("trunk", "shared", "apart")},
        input_shape=["batch", 1, 2, 2],
        output=("logits", [None] * 4),
    )
    assert cost(model).cumulative == Sums(parameters=2, multiply_adds=12, flops=12)
    assert (cost(model).multiply_adds, cost(model).dense) == (0, None)
    assert layers.table(model, None).multiply_adds == 16


def test_an_operator_that_cannot_be_counted_makes_the_sums_unknown() -> None:
    """Nothing is better than too little."""
    model = tiny_models.model(
        [node("Einsum", ["images", "w"], ["x"], equation="nchw,cd->ndhw"), node("Relu", ["x"], ["logits"])],
        {"w": np.ones((1, 1), np.float32)},
        input_shape=["batch", 1, 2, 2],
        output=("logits", [None] * 4),
    )
    assert cost(model, "x").flops is None
    assert (cost(model).flops, cost(model).cumulative.flops) == (0, None)
    assert layers.table(model, None).multiply_adds is None


def test_weights_and_bias_in_integers_count_like_those_in_floats() -> None:
    """2 x 3 weights and a bias of 3; scales and zero points are no parameters, and rounding costs nothing."""
    nodes = [
        node("DequantizeLinear", ["w8", "s"], ["w"]),
        node("DequantizeLinear", ["b32", "s"], ["b"]),
        node("Gemm", ["images", "w", "b"], ["exact"]),
        node("QuantizeLinear", ["exact", "s", "z"], ["rounded"]),
        node("DequantizeLinear", ["rounded", "s", "z"], ["logits"]),
    ]
    weights: dict[str, NDArray[Any]] = {
        "w8": np.ones((2, 3), np.int8),
        "b32": np.ones(3, np.int32),
        "s": np.array(1, np.float32),
        "z": np.array(0, np.uint8),
    }
    model = tiny_models.model(nodes, weights, input_shape=["batch", 2], output=("logits", ["batch", 3]))
    found = cost(model)
    assert (found.parameters, found.multiply_adds) == (0, 0)
    assert found.cumulative == Sums(parameters=9, multiply_adds=6, flops=12)
    [named] = layers.table(model, [LayerEntry(path="head", tensor="logits", aliases=())])
    assert named.cost is not None
    assert (named.operator, named.parameters, named.cost.multiply_adds, named.cost.bytes) == ("Gemm", 9, 6, 12)

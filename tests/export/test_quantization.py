"""A network in 8-bit integers, small enough to work out."""

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, helper

from export.half_precision import halved
from export.quantization import quantised
from service import graph, runtime
from tests import tiny_models

KERNEL = np.array([[[[1.0]]], [[[0.01]]]], np.float32)


def network() -> ModelProto:
    """Each pixel times 1 and times 0.01, a batch norm that doubles both, a ReLU, the mean of each map."""
    ones, zeros = np.ones(2, np.float32), np.zeros(2, np.float32)
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["conv"]),
        helper.make_node("BatchNormalization", ["conv", "two", "zero", "zero", "one"], ["bn"], epsilon=0.0),
        helper.make_node("Relu", ["bn"], ["relu"]),
        helper.make_node("GlobalAveragePool", ["relu"], ["logits"]),
    ]
    weights = {"kernel": KERNEL, "two": 2 * ones, "zero": zeros, "one": ones}
    return tiny_models.model(nodes, weights, input_shape=["batch", 1, 2, 2], output=("logits", ["batch", 2, 1, 1]))


def images(*values: float) -> NDArray[np.float32]:
    """One image."""
    return np.array(values, np.float32).reshape(1, 1, 2, 2)


def run(model: ModelProto, given: NDArray[np.float32]) -> NDArray[np.float32]:
    """The output for one image."""
    session = runtime.Session(model, device=runtime.open_device("cpu"), threads=1)
    return session.run({"images": given})["logits"]


def test_values_on_the_levels_come_through_as_they_are() -> None:
    """Pixels have 256 levels, 1 apart, and the map behind the ReLU, from 0 to 256, levels 256/255 apart.

    Of the small kernel, which has a scale of its own, 1.28 and 2.56 become 1 and 3 of those.
    """
    made = quantised(network(), "images", [images(-127, 0, 1, 128)])
    found = run(made, images(-5, 0, 64, 128))
    np.testing.assert_allclose(found.ravel(), [2 * 192 / 4, 4 * 256 / 255 / 4], rtol=0.002)


def test_what_lies_outside_of_the_range_is_cut_off() -> None:
    """The range is that of the images that it was taken from."""
    made = quantised(network(), "images", [images(-127, 0, 1, 128)])
    found = run(made, images(1000, 1000, 1000, 1000))
    np.testing.assert_allclose(found.ravel()[0], 2 * 128, rtol=0.01)


def test_a_rounded_map_keeps_its_name_and_activations_read_what_is_exact() -> None:
    """The convolution is folded into the batch norm; neither the input of the ReLU nor the output is rounded."""
    made = quantised(network(), "images", [images(-127, 0, 1, 128)])
    nodes = {output: node for node in made.graph.node for output in node.output}
    assert "conv" not in nodes
    assert nodes["relu"].op_type == "DequantizeLinear"
    [relu] = [node for node in made.graph.node if node.op_type == "Relu"]
    assert nodes[relu.input[0]].op_type == "Conv"
    assert list(relu.input) == ["bn"]
    assert nodes["logits"].op_type == "GlobalAveragePool"
    weights = {tensor.name: tensor for tensor in made.graph.initializer}
    assert {weight.data_type for name, weight in weights.items() if name.startswith("kernel_quantized")} == {3}


def test_the_model_that_is_given_stays_as_it_was() -> None:
    """Both ways of copying leave their original alone."""
    model = network()
    before = model.SerializeToString(deterministic=True)
    quantised(model, "images", [images(0, 1, 2, 3)])
    halved(model)
    assert model.SerializeToString(deterministic=True) == before


def test_half_precision_keeps_the_types_of_input_and_output() -> None:
    """A client sees no difference; inside are 16-bit floats."""
    made = halved(network())
    [given], [answer] = graph.inputs(made), made.graph.output
    assert (given.type.tensor_type.elem_type, answer.type.tensor_type.elem_type) == (1, 1)
    assert {tensor.data_type for tensor in made.graph.initializer} == {10}
    found = run(made, images(-5, 0, 64, 128))
    np.testing.assert_allclose(found.ravel(), [2 * 192 / 4, 0.02 * 192 / 4], rtol=1e-3)

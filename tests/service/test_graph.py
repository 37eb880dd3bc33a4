"""Promises of service.graph."""

import numpy as np
import onnx
import pytest
from onnx import ModelProto, TensorProto, helper

from service import graph
from service.errors import ModelFileError
from service.metadata import ImageInput
from service.runtime import Array, Session, open_device
from tests import tiny_models


def run(model: ModelProto, **feeds: Array) -> dict[str, Array]:
    """Run a model on the CPU."""
    return Session(model, device=open_device("cpu"), threads=1).run(feeds)


def test_a_cut_graph_ends_at_the_tensor() -> None:
    """What lies behind the tensor is gone, nodes and weights; what lies before it is all there."""
    part = graph.cut(tiny_models.brightness(), ["relu_out"])
    assert [node.name for node in part.graph.node] == ["convolution", "detector"]
    assert [tensor.name for tensor in part.graph.initializer] == ["kernel", "bias"]
    onnx.checker.check_model(tiny_models.brightness())


def test_a_cut_graph_gives_the_tensors_in_the_order_asked_for() -> None:
    """2 * 1 - 1 = 1 at the convolution; the mean of four ones behind the pooling."""
    part = graph.cut(tiny_models.brightness(), ["pool_out", "conv_out"])
    found = run(part, images=np.ones((1, 1, 2, 2), np.float32))
    assert list(found) == ["pool_out", "conv_out"]
    assert found["conv_out"].tolist() == [[[[1, 1], [1, 1]]]]
    assert found["pool_out"].tolist() == [[[[1]]]]


def test_a_cut_leaves_the_model_as_it_was() -> None:
    """Cutting is not in place."""
    model = tiny_models.brightness()
    before = model.SerializeToString()
    graph.cut(model, ["conv_out"])
    assert model.SerializeToString() == before


def test_a_cut_keeps_what_a_branch_reads_from_outside() -> None:
    """The body of an If reads a tensor of the main graph without listing it among its inputs."""
    value = helper.make_tensor_value_info("out", TensorProto.FLOAT, None)
    branches = [
        helper.make_graph([helper.make_node("Mul", ["doubled", factor], ["out"])], "branch", [], [value])
        for factor in ("two", "three")
    ]
    model = tiny_models.model(
        [
            helper.make_node("Mul", ["images", "two"], ["doubled"]),
            helper.make_node("If", ["yes"], ["chosen"], then_branch=branches[0], else_branch=branches[1]),
            helper.make_node("Neg", ["chosen"], ["logits"]),
        ],
        {"two": np.array([2], np.float32), "three": np.array([3], np.float32), "yes": np.array([True])},
        input_shape=["batch", 1],
        output=("logits", ["batch", 1]),
    )
    found = run(graph.cut(model, ["chosen"]), images=np.array([[5]], np.float32))
    assert found["chosen"].tolist() == [[20]]


def test_pixels_are_normalised_in_the_graph() -> None:
    """(pixel * rescale_factor - mean) / std for each channel, images first, channels moved in front."""
    spec = tiny_models.image_input(channels=3, rescale_factor=0.5, mean=(1.0, 2.0, 3.0), std=(1.0, 2.0, 4.0))
    model = tiny_models.brightness(channels=3)
    model.graph.node.insert(0, helper.make_node("Identity", ["images"], ["seen"]))
    pixels = np.arange(12, dtype=np.uint8).reshape(1, 2, 2, 3)
    found = run(graph.with_pixels(graph.cut(model, ["seen"]), spec), **{graph.PIXELS: pixels})["seen"]
    expected = (pixels * 0.5 - np.array([1, 2, 3])) / np.array([1, 2, 4])
    assert found.dtype == np.float32
    np.testing.assert_allclose(found, expected.transpose(0, 3, 1, 2), rtol=1e-6)


def test_probabilities_are_the_softmax_of_the_logits() -> None:
    """Logits (0, 1, 2) for white pictures."""
    model = graph.with_probabilities(tiny_models.brightness(), "logits")
    (found,) = run(model, images=np.ones((2, 1, 2, 2), np.float32)).values()
    expected = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    np.testing.assert_allclose(found, [expected, expected], rtol=1e-6)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        pytest.param(tiny_models.image_input(name="pictures"), "no input 'pictures'.*'images'", id="name"),
        pytest.param(tiny_models.image_input(size=4), r"shape \(None, 1, 2, 2\); .*\(1, 4, 4\)", id="size"),
        pytest.param(tiny_models.image_input(channels=3), r"shape \(None, 1, 2, 2\); .*\(3, 2, 2\)", id="channels"),
    ],
)
def test_an_input_that_does_not_fit_is_refused(spec: ImageInput, message: str) -> None:
    """Metadata of another network are an error that says what differs."""
    with pytest.raises(ModelFileError, match=message):
        graph.with_pixels(tiny_models.brightness(), spec)


@pytest.mark.parametrize("size", [0, 1, 100, 400])
def test_a_file_that_was_cut_short_is_refused(size: int) -> None:
    """Part of a file is never taken for a model."""
    data = tiny_models.brightness().SerializeToString()
    assert len(data) > 400
    with pytest.raises(ModelFileError, match="model.onnx"):
        graph.parse(data[:size], name="model.onnx")


def test_weights_in_other_files_are_refused() -> None:
    """A model that reads other files is not served: a path in it could point anywhere."""
    model = tiny_models.brightness()
    weight = model.graph.initializer[0]
    weight.data_location = TensorProto.EXTERNAL
    weight.external_data.add(key="location", value="../../etc/passwd")
    with pytest.raises(ModelFileError, match="in other files.*'kernel'"):
        graph.parse(model.SerializeToString(), name="model.onnx")


def test_weights_that_are_listed_as_inputs_are_no_inputs() -> None:
    """Files of IR 3 list every initialiser among the inputs."""
    model = tiny_models.brightness()
    model.graph.input.append(helper.make_tensor_value_info("kernel", TensorProto.FLOAT, [1, 1, 1, 1]))
    assert [value.name for value in graph.inputs(model)] == ["images"]

"""Promises of service.heat_plans."""

from pathlib import Path

import numpy as np
import pytest
from onnx import ModelProto, helper

from service.engine import open_engine
from service.errors import ModelTaskError, ParameterError, RequestTooLargeError, UnknownLayerError
from service.heat_plans import MAX_RUNS, HeatRequest, Method, plan
from service.metadata import ClassOutput, LayerEntry
from service.model import Model
from service.settings import Settings
from tests import tiny_models

DEEP = tuple(LayerEntry(path=name, tensor=name, aliases=()) for name in ("conv", "hidden", "logits"))
NO_LABELS = ClassOutput(name="logits", values="logits", labels=None)
NO_CLASSES = ClassOutput(name="logits", values="none", labels=None)


@pytest.fixture
def model(repository: Path, settings: Settings) -> Model:
    """`brightness`: its head is the mean of `block.relu` and one linear layer."""
    tiny_models.publish(repository)
    return open_engine(settings).registry.load("brightness")


@pytest.fixture
def deep(repository: Path, settings: Settings) -> Model:
    """A network of 16x16 pixels with two linear layers behind its maps."""
    tiny_models.publish(repository, deep_network(), name="deep", input=tiny_models.image_input(size=16), layers=DEEP)
    return open_engine(settings).registry.load("deep")


def deep_network() -> ModelProto:
    """A convolution, and two linear layers."""
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["conv"]),
        helper.make_node("Flatten", ["conv"], ["flat"]),
        helper.make_node("Gemm", ["flat", "first"], ["hidden"]),
        helper.make_node("Gemm", ["hidden", "second"], ["logits"]),
    ]
    weights = {
        "kernel": np.ones((2, 1, 1, 1), np.float32),
        "first": np.ones((512, 4), np.float32),
        "second": np.ones((4, 3), np.float32),
    }
    return tiny_models.model(nodes, weights, input_shape=["batch", 1, 16, 16], output=("logits", ["batch", 3]))


def request(model: Model, method: Method | None, layer: str) -> HeatRequest:
    """A request for a layer."""
    return HeatRequest(method, layer=model.layers.find(layer))


def test_the_head_tells_the_method(model: Model) -> None:
    """A class activation map of the layer that is pooled."""
    made = plan(model, HeatRequest(), images=1)
    assert (made.method, made.layer, made.shape, made.target) == ("cam", "block.relu", (2, 2), None)


def test_without_such_a_head_it_is_eigen_cam(deep: Model) -> None:
    """Of the last layer with maps."""
    made = plan(deep, HeatRequest(), images=1)
    assert (made.method, made.layer, made.shape) == ("eigen-cam", "conv", (16, 16))


def test_another_layer_is_for_eigen_cam(model: Model) -> None:
    """The class activation map is of one layer only."""
    assert plan(model, request(model, None, "conv"), images=1).method == "eigen-cam"
    assert plan(model, request(model, None, "block"), images=1).method == "cam"


def test_classes_are_found_by_number_or_label(model: Model) -> None:
    """Both of them."""
    made = plan(model, HeatRequest(target="Bright", versus="0"), images=1)
    assert (made.target, made.versus) == (2, 0)


def test_a_model_without_classes_has_eigen_cam(repository: Path, settings: Settings) -> None:
    """Its output is none of classes: it has no evidence for any."""
    tiny_models.publish(repository, output=NO_CLASSES)
    model = open_engine(settings).registry.load("brightness")
    assert plan(model, HeatRequest(), images=1).method == "eigen-cam"
    with pytest.raises(ModelTaskError, match="is no classifier"):
        plan(model, HeatRequest("occlusion"), images=1)


def test_without_labels_a_label_is_refused(repository: Path, settings: Settings) -> None:
    """Numbers are accepted."""
    tiny_models.publish(repository, output=NO_LABELS)
    model = open_engine(settings).registry.load("brightness")
    assert plan(model, HeatRequest(target="2"), images=1).target == 2
    with pytest.raises(ParameterError, match="has no labels"):
        plan(model, HeatRequest(target="bright"), images=1)


def test_windows_are_a_seventh_and_half_of_it(deep: Model) -> None:
    """Of 16 pixels: 2, and 1."""
    windows = plan(deep, HeatRequest("occlusion"), images=1).windows
    assert windows is not None
    assert (windows.side, windows.stride) == (2, 1)


@pytest.mark.parametrize(
    ("asked", "message"),
    [
        (HeatRequest("eigen-cam", target="1"), "eigen-cam, which asks for no class; class is for cam, score-cam, occl"),
        (HeatRequest("eigen-cam", versus="1"), "eigen-cam, which asks for no class; vs is for"),
        (HeatRequest("cam", channels=1), "method is cam; channels is for score-cam"),
        (HeatRequest(window=1), "without a method this model gets cam; window is for occlusion"),
        (HeatRequest("score-cam", stride=1), "stride is for occlusion"),
        (HeatRequest("cam", target="1", versus="middle"), "class and vs are both class 1"),
        (HeatRequest("cam", target="3"), "class is 3; accepted: 0 to 2"),
        (HeatRequest("cam", target="brigt"), "the nearest: bright"),
        (HeatRequest("score-cam", channels=2), "channels is 2; accepted: 1 to 1"),
        (HeatRequest("score-cam", channels=0), "channels is 0; accepted: 1 to 1"),
        (HeatRequest("occlusion", window=3), "window is 3; accepted: 1 to 2 pixels: the network sees 2x2"),
        (HeatRequest("occlusion", window=0), "window is 0; accepted: 1 to 2"),
        (HeatRequest("occlusion", window=1, stride=2), "stride is 2; accepted: 1 to 1 pixels"),
    ],
)
def test_a_wrong_parameter_is_refused(model: Model, asked: HeatRequest, message: str) -> None:
    """The error says what is accepted."""
    with pytest.raises(ParameterError, match=message):
        plan(model, asked, images=1)


def test_a_layer_that_a_method_cannot_use_is_refused(model: Model) -> None:
    """One that is not pooled, one without maps, and any for occlusion."""
    with pytest.raises(ParameterError, match="the class activation map of this model is of layer 'block.relu'"):
        plan(model, request(model, "cam", "conv"), images=1)
    with pytest.raises(ParameterError, match=r"layer 'head' has outputs of shape \(3,\); heat maps need maps"):
        plan(model, request(model, "score-cam", "head"), images=1)
    with pytest.raises(ParameterError, match="layer is for cam, eigen-cam, score-cam"):
        plan(model, request(model, "occlusion", "conv"), images=1)


def test_a_class_activation_map_of_another_head_is_refused(deep: Model) -> None:
    """The error says why, and what works."""
    with pytest.raises(ModelTaskError, match="they come from 'logits' .*; methods that work: eigen-cam, score-cam"):
        plan(deep, HeatRequest("cam"), images=1)
    with pytest.raises(ParameterError, match="this model gets eigen-cam, .*; class is for score-cam, occlusion"):
        plan(deep, HeatRequest(target="0"), images=1)


def test_runs_are_bounded(deep: Model) -> None:
    """225 windows for each image; the error says what would fit."""
    assert plan(deep, HeatRequest("occlusion"), images=2).runs * 2 <= MAX_RUNS
    with pytest.raises(
        RequestTooLargeError,
        match="225 runs of the network for each image, 675 in all; .* would fit with 2 images, or stride=2",
    ):
        plan(deep, HeatRequest("occlusion"), images=3)
    with pytest.raises(RequestTooLargeError, match="it would fit with 2 images, or window=2 and stride=2$"):
        plan(deep, HeatRequest("occlusion", window=1), images=4)


def test_a_model_without_maps_has_no_layer_to_look_at(repository: Path, settings: Settings) -> None:
    """Its only layer is a vector."""
    nodes = [
        helper.make_node("Flatten", ["images"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"]),
    ]
    network = tiny_models.model(
        nodes,
        {"weights": np.ones((4, 3), np.float32)},
        input_shape=["batch", 1, 2, 2],
        output=("logits", ["batch", 3]),
    )
    tiny_models.publish(repository, network, layers=DEEP[-1:])
    model = open_engine(settings).registry.load("brightness")
    with pytest.raises(UnknownLayerError, match="no layer with spatial maps"):
        plan(model, HeatRequest(), images=1)

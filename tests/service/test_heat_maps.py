"""Promises of service.heat_maps."""

from pathlib import Path

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from onnx import ModelProto, helper
from torch import nn

from export.conversion import convert
from service.engine import open_engine
from service.errors import ImageDecodeError, ParameterError
from service.heat_maps import HeatMaps, heat_maps, mean_color
from service.heat_plans import HeatRequest, Method, plan
from service.image import decode
from service.metadata import ClassOutput, LayerEntry
from service.model import Model
from service.settings import Settings
from service.timing import Timings
from tests import images, tiny_models

# The right half is white: `block.relu` is 1 there, and 0 on the left; the logits are (0, 0.5, 1).
HALF = images.encode(np.array([[0, 255], [0, 255]], np.uint8))
COLORS = ("red", "green", "blue")


def load(repository: Path, settings: Settings) -> Model:
    """The only model of a repository."""
    (folder,) = repository.iterdir()
    return open_engine(settings).registry.load(folder.name)


def compute(model: Model, *pictures: bytes, **asked: object) -> HeatMaps:
    """Plan and compute."""
    made = plan(model, HeatRequest(**asked), images=len(pictures))  # type: ignore[arg-type]
    return heat_maps(model, pictures, made, max_pixels=100, timings=Timings())


def colors(size: int = 3) -> ModelProto:
    """Tells red, green and blue pictures apart: three maps, as the channels are, and four times their means."""
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["flat"]),
        helper.make_node("Gemm", ["flat", "weights"], ["logits"]),
    ]
    eye = np.eye(3, dtype=np.float32)
    return tiny_models.model(
        nodes,
        {"kernel": eye.reshape(3, 3, 1, 1), "weights": 4 * eye},
        input_shape=["batch", 3, size, size],
        output=("logits", ["batch", 3]),
    )


@pytest.fixture
def painter(repository: Path, settings: Settings) -> Model:
    """`colors`, with a mean colour of (51, 102, 153)."""
    tiny_models.publish(
        repository,
        colors(),
        name="colors",
        input=tiny_models.image_input(channels=3, size=3, mean=(0.2, 0.4, 0.6)),
        output=ClassOutput(name="logits", values="logits", labels=COLORS),
        layers=(LayerEntry(path="maps", tensor="maps", aliases=()),),
    )
    return load(repository, settings)


def test_the_mean_over_a_class_activation_map_is_the_logit(repository: Path, settings: Settings) -> None:
    """By hand: bright is twice the map, and the most probable class; middle is the map itself."""
    tiny_models.publish(repository)
    model = load(repository, settings)
    (best,) = compute(model, HALF).maps
    assert (best.class_id, best.versus, best.values.tolist()) == (2, None, [[0, 2], [0, 2]])
    assert best.values.mean() == 1
    (middle,) = compute(model, HALF, target="middle").maps
    assert (middle.class_id, middle.values.tolist()) == (1, [[0, 1], [0, 1]])


def test_two_classes_are_compared_by_the_difference_of_their_weights(repository: Path, settings: Settings) -> None:
    """Bright rather than middle: 2 - 1 times the map."""
    tiny_models.publish(repository)
    (found,) = compute(load(repository, settings), HALF, target="2", versus="1").maps
    assert (found.class_id, found.versus, found.values.tolist()) == (2, 1, [[0, 1], [0, 1]])


def test_each_image_has_a_class_of_its_own(painter: Model) -> None:
    """The most probable one; red lies on the left of the first picture."""
    red, blue = np.zeros((2, 3, 3, 3), np.uint8)
    red[:, 0, 0] = 255
    blue[..., 2] = 255
    first, second = compute(painter, images.encode(red), images.encode(blue)).maps
    assert (first.class_id, second.class_id) == (0, 2)
    np.testing.assert_allclose(first.values, [[4 * 0.8, -4 * 0.2, -4 * 0.2]] * 3, rtol=1e-5)
    np.testing.assert_allclose(second.values, np.full((3, 3), 4 * 0.4), rtol=1e-5)


class Small(nn.Module):
    """A convolution, a batch norm, a detector, the mean, a dropout, a linear layer."""

    def __init__(self) -> None:
        """Random weights."""
        super().__init__()
        self.features = nn.Sequential(nn.Conv2d(3, 6, 3, stride=2), nn.BatchNorm2d(6), nn.ReLU())
        self.pool = nn.AdaptiveAvgPool2d(1)
        self.dropout = nn.Dropout(0.2)
        self.classes = nn.Linear(6, 5)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        """Logits.

        Shape:
            x: (N, 3, 9, 9).  Returns (N, 5).
        """
        logits: torch.Tensor = self.classes(self.dropout(torch.flatten(self.pool(self.features(x)), 1)))
        return logits


def grad_cam(network: Small, x: torch.Tensor, target: int, versus: int | None) -> torch.Tensor:
    """The definition, with gradients, before the rectifier."""
    maps = network.features(x)
    logits = network.classes(torch.flatten(network.pool(maps), 1))[0]
    score = logits[target] - (logits[versus] if versus is not None else 0)
    (gradients,) = torch.autograd.grad(score, maps)
    found: torch.Tensor = (gradients.mean(dim=(2, 3), keepdim=True) * maps).sum(dim=1)[0].detach()
    return found


@pytest.mark.parametrize(("target", "versus"), [(3, None), (0, 4)])
def test_a_class_activation_map_is_grad_cam(
    repository: Path, settings: Settings, target: int, versus: int | None
) -> None:
    """Times the number of places, 16; and the mean and the bias are PyTorch's logit."""
    torch.manual_seed(0)
    network = Small().eval()
    spec = tiny_models.image_input(channels=3, size=9, mean=(0.4, 0.5, 0.6), std=(0.2, 0.3, 0.4))
    converted = convert(network, spec)
    output = ClassOutput(name="logits", values="logits", labels=None)
    tiny_models.publish(repository, converted.model, input=spec, output=output, layers=converted.layers)
    picture = images.encode(np.random.default_rng(3).integers(0, 256, (9, 9, 3), dtype=np.uint8))
    other = str(versus) if versus is not None else None
    made = compute(load(repository, settings), picture, target=str(target), versus=other)
    assert (made.plan.method, made.plan.layer) == ("cam", "features.2")

    pixels = decode(picture, spec, max_pixels=100)
    x = torch.from_numpy((pixels / 255 - np.array(spec.mean)) / np.array(spec.std)).float().permute(2, 0, 1)[None]
    (found,) = made.maps
    expected = grad_cam(network, x, target, versus)
    np.testing.assert_allclose(found.values, 16 * expected, rtol=1e-4, atol=1e-5)
    if versus is None:
        logit = network(x)[0, target].item()
        assert found.values.mean() + network.classes.bias[target].item() == pytest.approx(logit, rel=1e-5)


def test_maps_that_are_pooled_to_logits_are_the_class_activation_maps(repository: Path, settings: Settings) -> None:
    """No linear layer behind: each class has a map of its own."""
    nodes = [
        helper.make_node("Conv", ["images", "kernel"], ["maps"]),
        helper.make_node("GlobalAveragePool", ["maps"], ["pooled"]),
        helper.make_node("Flatten", ["pooled"], ["logits"]),
    ]
    kernel = np.array([0, 1, 3], np.float32).reshape(3, 1, 1, 1)
    network = tiny_models.model(
        nodes, {"kernel": kernel}, input_shape=["batch", 1, 2, 2], output=("logits", ["batch", 3])
    )
    tiny_models.publish(repository, network, layers=(LayerEntry(path="maps", tensor="maps", aliases=()),))
    (found,) = compute(load(repository, settings), HALF).maps
    assert (found.class_id, found.values.tolist()) == (2, [[0, 3], [0, 3]])


def test_a_layer_without_a_name_is_named_by_its_tensor(repository: Path, settings: Settings) -> None:
    """What is pooled is a function in the source network, not a module of its table."""
    tiny_models.publish(repository, layers=tiny_models.LAYERS[:1])
    assert compute(load(repository, settings), HALF).plan.layer == "tensor:relu_out"


def test_eigen_cam_asks_for_no_class(repository: Path, settings: Settings) -> None:
    """Of one channel it is that channel."""
    tiny_models.publish(repository)
    (found,) = compute(load(repository, settings), HALF, method="eigen-cam").maps
    assert (found.class_id, found.versus) == (None, None)
    np.testing.assert_allclose(found.values, [[0, 1], [0, 1]], atol=1e-6)


def probabilities(pixels: NDArray[np.generic]) -> NDArray[np.float64]:
    """Of `colors`: (n, 3, 3, 3) uint8 to (n, 3)."""
    powers = np.exp(4 * (pixels.astype(np.float64) / 255 - np.array([0.2, 0.4, 0.6])).mean(axis=(1, 2)))
    return np.asarray(powers / powers.sum(axis=1, keepdims=True))


@pytest.mark.parametrize("versus", [None, "blue"])
def test_score_cam_is_its_definition(painter: Model, versus: str | None) -> None:
    """The channels are the maps; weights are as the probability where only what they mark is seen, in log space."""
    picture = np.random.default_rng(4).integers(0, 256, (3, 3, 3), dtype=np.uint8)
    maps = (picture / 255 - np.array([0.2, 0.4, 0.6])).transpose(2, 0, 1)
    masks = [(one - one.min()) / (one.max() - one.min()) for one in maps]
    colour = np.array([51, 102, 153])
    seen = np.stack([np.rint(colour + mask[..., np.newaxis] * (picture - colour)) for mask in masks])
    found = probabilities(seen)
    weights = found[:, 1] / (found[:, 2] if versus else 1)
    expected = np.tensordot(weights / weights.sum(), maps, axes=1)
    (heat,) = compute(painter, images.encode(picture), method="score-cam", target="green", versus=versus).maps
    np.testing.assert_allclose(heat.values, expected, rtol=1e-3, atol=1e-3)


@pytest.mark.parametrize("versus", [None, "blue"])
def test_occlusion_is_its_definition(painter: Model, versus: str | None) -> None:
    """By how much the probability falls where a pixel has the mean colour."""
    picture = np.random.default_rng(5).integers(0, 256, (3, 3, 3), dtype=np.uint8)

    def score(pixels: NDArray[np.uint8]) -> float:
        (found,) = probabilities(pixels[np.newaxis])
        return float(found[1] - (found[2] if versus else 0))

    expected = np.zeros((3, 3))
    for place in np.ndindex(3, 3):
        hidden = picture.copy()
        hidden[place] = (51, 102, 153)
        expected[place] = score(picture) - score(hidden)
    (heat,) = compute(painter, images.encode(picture), method="occlusion", target="green", versus=versus).maps
    np.testing.assert_allclose(heat.values, expected, atol=1e-6)


def test_the_mean_colour_is_one_of_bytes() -> None:
    """Zero to the network, as far as bytes can say it."""
    spec = tiny_models.image_input(channels=3, mean=(0.5, -1.0, 2.0))
    assert mean_color(spec).tolist() == [127.5, 0, 255]


@pytest.mark.parametrize("method", ["cam", "score-cam", "occlusion"])
def test_a_class_is_not_compared_with_itself(repository: Path, settings: Settings, method: Method) -> None:
    """Where the most probable class turns out to be the one to compare with."""
    tiny_models.publish(repository)
    with pytest.raises(ParameterError, match="vs is class 2, the most probable class of image 1: give class"):
        compute(load(repository, settings), images.plain(0), HALF, method=method, versus="2")


@pytest.mark.parametrize("method", ["cam", "score-cam", "occlusion"])
def test_a_class_that_there_is_not_is_refused(repository: Path, settings: Settings, method: Method) -> None:
    """Without labels it is known when the classes are."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="logits", labels=None))
    with pytest.raises(ParameterError, match="class is 3; accepted: 0 to 2"):
        compute(load(repository, settings), HALF, method=method, target="3")


def test_a_broken_image_is_named(repository: Path, settings: Settings) -> None:
    """And none is computed."""
    tiny_models.publish(repository)
    with pytest.raises(ImageDecodeError, match="image 1"):
        compute(load(repository, settings), HALF, HALF[:45])

"""Promises of service.model."""

from collections.abc import Sequence
from pathlib import Path
from queue import SimpleQueue
from threading import Thread
from typing import Any

import numpy as np
import pytest

from service.compute import Compute
from service.errors import ModelFileError, ModelTaskError
from service.heads import Head, NoHead
from service.metadata import ClassOutput
from service.model import Limits, Model
from service.repository import scan
from service.runtime import Device
from service.sessions import SessionCache
from tests import tiny_models

BLACK_AND_WHITE = np.stack([np.zeros((2, 2, 1), np.uint8), np.full((2, 2, 1), 255, np.uint8)])


def load(repository: Path, cache: SessionCache | None = None, limits: Limits | None = None) -> Model:
    """Load the only model of a repository."""
    (folder,) = scan(repository)
    compute, cache = Compute(Device("cpu", "cpu"), cores=1), cache or SessionCache(max_bytes=2**20)
    return Model(folder, compute=compute, cache=cache, limits=limits or Limits())


def softmax(logits: Sequence[float]) -> list[float]:
    """The definition."""
    powers = np.exp(logits)
    return [float(value) for value in powers / powers.sum()]


def test_images_are_classified(repository: Path) -> None:
    """Black has the logits (0, 0, 0); white is 2 * 1 - 1 = 1 everywhere, and has (0, 1, 2)."""
    tiny_models.publish(repository)
    found = load(repository).probabilities(BLACK_AND_WHITE)
    np.testing.assert_allclose(found, [softmax([0, 0, 0]), softmax([0, 1, 2])], rtol=1e-6)


def test_probabilities_are_taken_as_they_are(repository: Path) -> None:
    """A network whose output is probabilities gets no second softmax."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="probabilities", labels=None))
    assert load(repository).probabilities(BLACK_AND_WHITE).tolist() == [[0, 0, 0], [0, 1, 2]]


def test_feature_maps_are_the_outputs_of_the_layers(repository: Path) -> None:
    """In the order asked for, for each image."""
    tiny_models.publish(repository)
    model = load(repository)
    relu, conv = model.feature_maps(BLACK_AND_WHITE, model.layers.find_all(["block", "conv"]))
    assert conv.tolist() == [[[[-1, -1], [-1, -1]]], [[[1, 1], [1, 1]]]]
    assert relu.tolist() == [[[[0, 0], [0, 0]]], [[[1, 1], [1, 1]]]]


def test_a_cut_graph_is_kept(repository: Path) -> None:
    """The second request for a layer makes no session; its order does not matter."""
    path = tiny_models.publish(repository) / "model.onnx"
    model = load(repository)
    first = model.feature_maps(BLACK_AND_WHITE, model.layers.find_all(["conv", "pool"]))
    path.unlink()
    second = model.feature_maps(BLACK_AND_WHITE, model.layers.find_all(["pool", "conv"]))
    assert [one.tolist() for one in first] == [one.tolist() for one in reversed(second)]


def test_what_becomes_of_the_file_does_not_matter(repository: Path) -> None:
    """A new cut is made of the file that was loaded, though another one lies there, or none."""
    path = tiny_models.publish(repository) / "model.onnx"
    model = load(repository)
    path.write_bytes(path.read_bytes()[:-1])
    (conv,) = model.feature_maps(BLACK_AND_WHITE, model.layers.find_all(["conv"]))
    assert conv.tolist() == [[[[-1, -1], [-1, -1]]], [[[1, 1], [1, 1]]]]
    path.unlink()
    assert model.weights(model.layers.find("conv")) is not None
    (pool,) = model.feature_maps(BLACK_AND_WHITE, model.layers.find_all(["pool"]))
    assert pool.tolist() == [[[[0]]], [[[1]]]]


def test_a_request_that_still_runs_when_a_model_goes_leaves_nothing(repository: Path) -> None:
    """It gets its answer, and nobody would ever drop what was kept for it."""
    tiny_models.publish(repository)
    cache = SessionCache(max_bytes=2**20)
    model = load(repository, cache)
    model.close()
    assert model.feature_maps(BLACK_AND_WHITE, model.layers.find_all(["pool"]))[0].ravel().tolist() == [0, 1]
    assert model.run({"images": np.ones((1, 1, 2, 2), np.float32)}, ["conv_out"])["conv_out"].max() == 1
    assert cache.bytes == 0


@pytest.mark.parametrize("batch", [1, 2, 3])
def test_a_fixed_batch_takes_any_number_of_images(repository: Path, batch: int) -> None:
    """A network made for `batch` images at once answers for five, each as if it were alone."""
    tiny_models.publish(repository, tiny_models.brightness(batch=batch))
    model = load(repository)
    values = [0, 255, 128, 200, 255]
    pixels = np.array(values, np.uint8).reshape(5, 1, 1, 1).repeat(2, axis=1).repeat(2, axis=2)
    (pooled,) = model.feature_maps(pixels, model.layers.find_all(["pool"]))
    expected = [max(0.0, 2 * value / 255 - 1) for value in values]
    np.testing.assert_allclose(pooled.ravel(), expected, atol=1e-6)
    assert model.probabilities(pixels).shape == (5, 3)


def test_an_answer_does_not_depend_on_its_neighbours(repository: Path) -> None:
    """An image alone and in a batch has the same probabilities."""
    tiny_models.publish(repository)
    model = load(repository)
    alone = [model.probabilities(BLACK_AND_WHITE[i : i + 1])[0] for i in range(2)]
    np.testing.assert_allclose(model.probabilities(BLACK_AND_WHITE), alone, atol=1e-5)


def test_without_metadata_images_are_refused(repository: Path) -> None:
    """The error says which fields to write; the layers are known all the same."""
    tiny_models.publish(repository, described=False)
    model = load(repository)
    assert [layer.path for layer in model.layers] == ["conv_out", "relu_out", "pool_out", "flat", "logits"]
    for ask in (model.probabilities, lambda pixels: model.feature_maps(pixels, [model.layers.find("0")])):
        with pytest.raises(ModelTaskError, match=r"no metadata.json.*height, width.*mean, std.*labels"):
            ask(BLACK_AND_WHITE)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        pytest.param({"input": tiny_models.image_input(size=3)}, "shape", id="input size"),
        pytest.param(
            {"output": ClassOutput(name="scores", values="logits", labels=None)}, "no output 'scores'", id="output"
        ),
        pytest.param(
            {"output": ClassOutput(name="logits", values="logits", labels=("a",))},
            "1 labels; .* 3 classes",
            id="labels",
        ),
    ],
)
def test_metadata_that_do_not_fit_are_refused(repository: Path, changes: dict[str, Any], message: str) -> None:
    """The error says what differs, when the model is loaded and not when it is first asked."""
    tiny_models.publish(repository, **changes)
    with pytest.raises(ModelFileError, match=message):
        load(repository)


def test_sigmoids_stand_for_themselves(repository: Path) -> None:
    """Each class gets the sigmoid of its own value, and they do not add up to 1."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="sigmoid_logits", labels=None))
    expected = [[0.5, 0.5, 0.5], [0.5, 1 / (1 + np.exp(-1)), 1 / (1 + np.exp(-2))]]
    np.testing.assert_allclose(load(repository).probabilities(BLACK_AND_WHITE), expected, rtol=1e-6)


def test_values_behind_a_sigmoid_are_taken_as_they_are(repository: Path) -> None:
    """They get no second one."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="sigmoid", labels=None))
    assert load(repository).probabilities(BLACK_AND_WHITE).tolist() == [[0, 0, 0], [0, 1, 2]]


def test_a_network_without_classes_has_feature_maps_only(repository: Path) -> None:
    """It loads and warms up; classifying it says why not."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="none", labels=None))
    model = load(repository)
    model.warm_up()
    assert model.feature_maps(BLACK_AND_WHITE, [model.layers.find("pool")])[0].ravel().tolist() == [0, 1]
    for ask in (lambda: model.probabilities(BLACK_AND_WHITE), lambda: model.class_output):
        with pytest.raises(ModelTaskError, match=r"no classifier.*'logits' holds no classes"):
            ask()


def test_tensors_are_computed_with_a_name_in_the_table_or_without(repository: Path) -> None:
    """In the order asked for."""
    tiny_models.publish(repository)
    flat, conv = load(repository).tensors(BLACK_AND_WHITE, ["flat", "conv_out"])
    assert flat.tolist() == [[0], [1]]
    assert conv.tolist() == [[[[-1, -1], [-1, -1]]], [[[1, 1], [1, 1]]]]


def test_weights_are_read_from_the_file(repository: Path) -> None:
    """None where the operator of a layer has none."""
    tiny_models.publish(repository)
    model = load(repository)
    found = model.weights(model.layers.find("head"))
    assert found is not None
    assert found.values.tolist() == [[0], [1], [2]]
    assert model.weights(model.layers.find("pool")) is None


def test_the_head_is_found_once(repository: Path) -> None:
    """When first asked for; then the file is not needed any more."""
    path = tiny_models.publish(repository) / "model.onnx"
    model = load(repository)
    head = model.head
    path.unlink()
    assert isinstance(head, Head)
    assert head.tensor == "relu_out"
    assert model.head is head


def test_a_model_without_classes_has_no_head(repository: Path) -> None:
    """Also one without metadata."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="none", labels=None))
    assert load(repository).head == NoHead("it has no classes")


def test_a_model_that_does_not_end_is_refused(repository: Path) -> None:
    """Its first run, which nobody asked for, does not hold up those behind it for ever."""
    tiny_models.publish(repository, tiny_models.endless())
    model = load(repository, limits=Limits(run_seconds=0.1))
    told: SimpleQueue[str] = SimpleQueue()

    def warm_up() -> None:
        with pytest.raises(ModelFileError) as raised:
            model.warm_up()
        told.put(str(raised.value))

    Thread(target=warm_up, daemon=True).start()
    assert told.get(timeout=60) == "model.onnx does not classify an image within 0.1 s"

"""Networks whose output is a picture or a map, served over a real socket: as numbers and as pictures."""

import io
from collections.abc import Iterator
from contextlib import AbstractContextManager, nullcontext
from pathlib import Path

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from export import stages
from export.recipes import UNTRAINED
from export.stages import Destination
from tests.e2e.conftest import Server, started
from tests.e2e.test_ideas import fetch

# The name of the model, the layer that is its output, and the shape of that for one picture.
OUTPUTS = [
    ("conv-autoencoder-random", "reconstruction", (1, 28, 28)),
    ("pixel-labeler-random", "guess", (8, 128, 128)),
    ("spatial-transducer-random", "conv4", (3, 64, 64)),
]


@pytest.fixture(scope="module")
def untrained(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with the networks that need training, before any."""
    root: Path = tmp_path_factory.mktemp("models")
    for name in ("conv_autoencoder", "pixel_labeler", "spatial_transducer"):
        made_from = UNTRAINED[name]
        stages.random(made_from, Destination(root), name=made_from.name, seed=0, command="a test", step=silent)
    with started(root) as running:
        yield running


def silent(what: str) -> AbstractContextManager[object]:
    """Tells nobody."""
    del what
    return nullcontext()


def picture(server: Server, model: str, layer: str, photo: bytes) -> NDArray[np.uint8]:
    """A layer of a photo as a picture."""
    query = {"layer": layer, "format": "png"}
    answer = httpx2.post(f"{server.url}/v1/models/{model}/feature-maps", params=query, content=photo, timeout=60)
    assert answer.status_code == 200, answer.text
    with Image.open(io.BytesIO(answer.content)) as drawn:
        return np.asarray(drawn.convert("L"))


@pytest.mark.parametrize(("model", "layer", "shape"), OUTPUTS)
def test_the_output_is_a_feature_map_and_a_picture(
    untrained: Server, chelsea: bytes, model: str, layer: str, shape: tuple[int, int, int]
) -> None:
    """By the name of the module that makes it; the picture is not of one grey."""
    maps = fetch(untrained, model, layer, chelsea)
    assert maps.shape == shape
    drawn = picture(untrained, model, layer, chelsea)
    assert min(drawn.shape) >= min(shape[1:])
    assert drawn.std() > 5


def test_each_guess_of_the_labeler_can_be_fetched(untrained: Server, chelsea: bytes) -> None:
    """Probabilities at every pixel, from the first guess to the last."""
    guesses = [fetch(untrained, "pixel-labeler-random", f"guess:{i}", chelsea) for i in (1, 2, 3)]
    for guess in guesses:
        np.testing.assert_allclose(guess.sum(axis=0), 1, rtol=1e-5)
    np.testing.assert_array_equal(fetch(untrained, "pixel-labeler-random", "guess", chelsea), guesses[-1])
    assert not np.array_equal(guesses[0], guesses[1])


@pytest.mark.parametrize("size", [(40, 60), (51, 33)])
def test_the_output_of_the_transducer_scales_with_a_tensor_of_any_size(
    untrained: Server, size: tuple[int, int]
) -> None:
    """The tensor endpoint takes any height and width, and gives maps of half of them, rounded up."""
    output = infer(untrained, "spatial-transducer-random", size)
    assert (output["name"], output["shape"]) == ("maps", [1, 3, -(-size[0] // 2), -(-size[1] // 2)])


def infer(server: Server, model: str, size: tuple[int, int]) -> dict[str, object]:
    """The output for a tensor of this height and width."""
    values = np.random.default_rng(0).random((1, 3, *size), dtype=np.float32)
    tensor = {"name": "images", "shape": values.shape, "datatype": "FP32", "data": values.ravel().tolist()}
    answer = httpx2.post(f"{server.url}/v2/models/{model}/infer", json={"inputs": [tensor]}, timeout=60)
    assert answer.status_code == 200, answer.text
    output: dict[str, object]
    (output,) = answer.json()["outputs"]
    return output


def test_a_network_without_classes_says_so(server: Server, chelsea: bytes) -> None:
    """Where it is asked for classes."""
    answer = httpx2.post(f"{server.url}/v1/models/filter-bank/classify", content=chelsea, timeout=60)
    assert answer.status_code == 422
    assert "is no classifier" in answer.json()["detail"]


def test_the_filters_of_a_photo_are_those_of_its_luminance(server: Server, chelsea: bytes) -> None:
    """Sobel-Feldman gradients and the edge example, written out in slices."""
    grey = fetch(server, "filter-bank", "luminance", chelsea)[0]
    assert grey.shape == (280, 320)
    right = fetch(server, "filter-bank", "sobel_x", chelsea)[0]
    down = fetch(server, "filter-bank", "sobel_y", chelsea)[0]
    across = grey[:-2] + 2 * grey[1:-1] + grey[2:]
    np.testing.assert_allclose(right, across[:, 2:] - across[:, :-2], atol=1e-5)
    along = grey[:, :-2] + 2 * grey[:, 1:-1] + grey[:, 2:]
    np.testing.assert_allclose(down, along[2:] - along[:-2], atol=1e-5)
    norm = fetch(server, "filter-bank", "gradient_norm", chelsea)[0]
    np.testing.assert_allclose(norm, np.hypot(right, down), atol=1e-5)
    edge = fetch(server, "filter-bank", "edge", chelsea)[0]
    np.testing.assert_allclose(edge, grey[:, 1:] - grey[:, :-1], atol=1e-5)


def test_the_filters_take_a_tensor_of_any_size(server: Server) -> None:
    """What a kernel needs around a pixel is missing at the borders, and nothing else."""
    assert infer(server, "filter-bank", (9, 14))["shape"] == [1, 6, 7, 12]


@pytest.mark.parametrize("layer", ["sobel_x", "sobel_y", "gradient_norm", "edge", "blur", "sharpen", "filters"])
def test_every_filter_is_a_picture(server: Server, chelsea: bytes, layer: str) -> None:
    """Not of one grey."""
    assert picture(server, "filter-bank", layer, chelsea).std() > 5


def test_the_edge_example_is_told_in_the_layer_table(server: Server) -> None:
    """320x280 pixels, 319x280 units: 267,960 operations, where a dense matrix has 8 thousand million entries."""
    rows = httpx2.get(f"{server.url}/v1/models/filter-bank/layers", timeout=60).json()["layers"]
    (edge,) = (row for row in rows if row["path"] == "edge")
    assert (edge["shape"], edge["parameters"], edge["flops"]) == ([1, 280, 319], 2, 267_960)
    assert edge["dense"]["weights"] == 8_003_072_000


def test_a_kernel_that_is_written_down_can_be_read(server: Server) -> None:
    """As it is written."""
    answer = httpx2.get(f"{server.url}/v1/models/filter-bank/layers/sobel_x/filters", timeout=60)
    assert answer.status_code == 200, answer.text
    assert str([[[[-1.0, 0.0, 1.0], [-2.0, 0.0, 2.0], [-1.0, 0.0, 1.0]]]]) in str(answer.json())

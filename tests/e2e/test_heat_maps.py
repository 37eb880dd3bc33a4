"""Heat maps, embeddings and filters of a shipped model, for a picture with a cat above and a cup below."""

import io
from collections.abc import Iterator

import httpx2
import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image, ImageOps

from tests import images
from tests.e2e.conftest import Server

MODEL = "/v1/models/efficientnet-lite0"


@pytest.fixture
def http(server: Server) -> Iterator[httpx2.Client]:
    """A client of the service."""
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client


@pytest.fixture
def both(chelsea: bytes, coffee: bytes) -> bytes:
    """The cat above, the cup below."""
    picture = Image.new("RGB", (400, 400))
    for top, data in ((0, chelsea), (200, coffee)):
        with Image.open(io.BytesIO(data)) as photo:
            picture.paste(ImageOps.fit(photo, (400, 200)), (0, top))
    return images.encode(picture)


def halves(answer: httpx2.Response) -> tuple[float, float]:
    """The mean heat above and below; a row in the middle counts for neither."""
    assert answer.status_code == 200, answer.text
    (heat,) = np.load(io.BytesIO(answer.content))
    middle = len(heat) // 2
    above, below = heat[:middle], heat[-middle:]
    return float(above.mean()), float(below.mean())


@pytest.mark.parametrize("method", ["cam", "score-cam", "occlusion"])
def test_the_evidence_for_a_cat_is_on_the_cat(http: httpx2.Client, both: bytes, method: str) -> None:
    """And that for espresso on the cup."""
    query = {"method": method, "format": "npy"}
    cat = halves(http.post(f"{MODEL}/heatmap", params=query | {"class": "Egyptian cat"}, content=both))
    cup = halves(http.post(f"{MODEL}/heatmap", params=query | {"class": "espresso"}, content=both))
    assert cat[0] > cat[1]
    assert cup[0] < cup[1]


@pytest.mark.parametrize("method", ["cam", "occlusion"])
def test_cat_rather_than_cup_is_positive_on_the_cat(http: httpx2.Client, both: bytes, method: str) -> None:
    """And negative on the cup."""
    query = {"method": method, "class": "Egyptian cat", "vs": "espresso", "format": "npy"}
    above, below = halves(http.post(f"{MODEL}/heatmap", params=query, content=both))
    assert above > 0 > below


def test_the_mean_over_a_class_activation_map_tells_the_logit(http: httpx2.Client, chelsea: bytes) -> None:
    """With the bias, which the filters of the last layer tell."""
    answer = http.post(f"{MODEL}/heatmap", content=chelsea).json()
    (result,) = answer["results"]
    layer = {"layer": "-1", "format": "npy"}
    logits = np.load(io.BytesIO(http.post(f"{MODEL}/feature-maps", params=layer, content=chelsea).content))[0]
    bias = http.get(f"{MODEL}/layers/-1/filters").json()["bias"]
    number = result["class_id"]
    assert answer["method"] == "cam"
    assert number == logits.argmax()
    assert np.mean(result["data"]) + bias[number] == pytest.approx(logits[number], rel=1e-4)


def test_images_that_are_alike_have_embeddings_that_are_near(
    http: httpx2.Client, chelsea: bytes, coffee: bytes
) -> None:
    """The cat and its mirror image, against the cup."""
    with Image.open(io.BytesIO(chelsea)) as photo:
        mirrored = images.encode(ImageOps.mirror(photo))
    files = [("image", data) for data in (chelsea, mirrored, coffee)]
    answer = http.post(f"{MODEL}/embeddings", params={"format": "npy"}, files=files)
    vectors: NDArray[np.float32] = np.load(io.BytesIO(answer.content))
    near = vectors @ vectors.T
    np.testing.assert_allclose(near.diagonal(), 1, rtol=1e-5)
    assert near[0, 1] > 0.8
    assert near[0, 2] < 0.3


def test_what_the_network_saw_is_a_picture(http: httpx2.Client, chelsea: bytes) -> None:
    """It has the size of the input."""
    answer = http.post(f"{MODEL}/preprocessed", content=chelsea)
    with Image.open(io.BytesIO(answer.content)) as seen:
        assert (seen.size, seen.mode) == ((224, 224), "RGB")


def test_the_first_kernels_are_in_colour(http: httpx2.Client) -> None:
    """And every convolution and linear layer has some."""
    answer = http.get(f"{MODEL}/layers/_conv_stem/filters?format=png")
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert np.ptp(np.asarray(shown).astype(int), axis=2).max() > 100
    for row in http.get(f"{MODEL}/layers").json()["layers"]:
        if row["operator"] in ("Conv", "Gemm"):
            path = f"{MODEL}/layers/{row['path']}/filters"
            assert http.get(path, params={"statistics": True}).json()["statistics"]["nan"] == 0

"""Promises of service.http.routes.feature_maps."""

import io
import json
from pathlib import Path

import numpy as np
import pytest
import safetensors.numpy
from fastapi.testclient import TestClient
from PIL import Image

from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

PATH = "/v1/models/brightness/feature-maps"
WHITE, BLACK = images.plain(255), images.plain(0)


def test_json_is_the_form_where_nothing_is_said(client: TestClient) -> None:
    """Several layers, for each image, in the order asked for."""
    answer = client.post(PATH, params={"layer": ["-1", "block"]}, files=[("image", WHITE), ("image", BLACK)])
    assert answer.json() == {
        "model": "brightness",
        "version": 1,
        "results": [
            {
                "maps": [
                    {"layer": "head", "shape": [3], "data": [0, 1, 2]},
                    {"layer": "block.relu", "shape": [1, 2, 2], "data": [[[1, 1], [1, 1]]]},
                ]
            },
            {
                "maps": [
                    {"layer": "head", "shape": [3], "data": [0, 0, 0]},
                    {"layer": "block.relu", "shape": [1, 2, 2], "data": [[[0, 0], [0, 0]]]},
                ]
            },
        ],
    }


def test_arrays_come_in_three_forms(client: TestClient) -> None:
    """By parameter and by Accept."""
    one = client.post(PATH, params={"layer": "0", "format": "npy"}, content=WHITE)
    several = client.post(PATH, params={"layer": ["0", "pool"]}, content=BLACK, headers={"Accept": "application/x-npz"})
    tensors = client.post(PATH, params={"layer": ["0", "pool"], "format": "safetensors"}, content=BLACK)
    assert one.headers["content-type"] == "application/x-npy"
    assert several.headers["content-type"] == "application/x-npz"
    assert tensors.headers["content-type"] == "application/x-safetensors"
    assert np.load(io.BytesIO(one.content)).tolist() == [[[[1, 1], [1, 1]]]]
    for archive in (dict(np.load(io.BytesIO(several.content)).items()), safetensors.numpy.load(tensors.content)):
        assert {name: array.ravel().tolist() for name, array in archive.items()} == {"conv": [-1] * 4, "pool": [0]}


def test_png_is_a_picture(client: TestClient) -> None:
    """The left half of the picture is black, the right white: so is the map of the convolution."""
    picture = images.encode(np.array([[0, 255], [0, 255]], np.uint8))
    answer = client.post(PATH, params={"layer": "conv", "format": "png"}, content=picture)
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert [shown.getpixel((0, 0)), shown.getpixel((shown.width - 1, 0))] == [0, 255]


@pytest.mark.parametrize(
    ("query", "color"),
    [
        ("colormap=viridis&scale=-1,1", (68, 1, 84)),
        ("colormap=rdbu&scale=layer", (5, 48, 97)),
        ("colormap=rdbu&scale=layer&overlay=0", (0, 0, 0)),
    ],
)
def test_a_picture_may_be_coloured(client: TestClient, query: str, color: tuple[int, int, int]) -> None:
    """A black picture is -1 at the convolution: the lowest colour, and under an overlay of nothing itself."""
    answer = client.post(f"{PATH}?layer=conv&format=png&enlarge=2&{query}", content=BLACK)
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert shown.size == (4, 4)
        assert shown.getpixel((0, 0)) == color


def test_a_part_of_a_layer_may_be_asked_for(client: TestClient) -> None:
    """Channels, rows, columns, reduced, in another type."""
    query = "layer=conv&channels=top:1&rows=0&columns=0-1&reduce=max&normalize=l2&dtype=float16"
    (found,) = client.post(f"{PATH}?{query}", content=WHITE).json()["results"][0]["maps"]
    assert found == {"layer": "conv", "shape": [1], "data": [1], "channels": [0]}


def test_statistics_take_the_place_of_the_values(client: TestClient) -> None:
    """A black picture leaves the detector without an answer: its channel is dead."""
    (found,) = client.post(f"{PATH}?layer=block&statistics=true", content=BLACK).json()["results"][0]["maps"]
    assert found["shape"] == [1, 2, 2]
    assert found["statistics"]["sparsity"] == 1
    assert found["statistics"]["dead_channels"] == [0]


@pytest.mark.parametrize("body", [b"", WHITE])
def test_a_dry_run_tells_shapes_and_bytes(client: TestClient, body: bytes) -> None:
    """Of the images of the body, or of one; what was planned is what comes."""
    query = f"{PATH}?layer=type:*&layer=conv&layer=*&format=npz".replace("layer=type:*&", "")
    planned = client.post(f"{query}&dry_run=true", content=body).json()
    size = len(client.post(query, content=WHITE).content)
    assert [(one["layer"], one["shape"]) for one in planned["maps"]] == [
        ("conv", [1, 2, 2]),
        ("block.relu", [1, 2, 2]),
        ("pool", [1, 1, 1]),
        ("head", [3]),
    ]
    assert (planned["images"], planned["format"]) == (1, "npz")
    assert size <= planned["bytes"] <= size + 4 * 256


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "layer is missing"),
        ("layer=conf", 404, "the nearest: conv"),
        ("layer=conf*", 404, "the nearest: conv"),
        ("layer=4", 404, "index 0 to 3"),
        ("layer=0&layer=conv", 400, "twice"),
        ("layer=0&format=jpg", 400, "accepted: json, npy, npz, safetensors, png"),
        ("layer=0&layer=1&format=npy", 400, "accepted: json, npz, safetensors"),
        ("layer=0&channels=1", 400, "accepted are 0 to 0"),
        ("layer=0&channels=x", 400, "accepted: numbers and ranges"),
        ("layer=head&rows=0", 400, "has no rows and columns"),
        ("layer=0&reduce=sum", 400, "reduce: Input should be 'none', 'mean', 'max' or 'flatten'"),
        ("layer=0&colormap=viridis", 400, "are for format png, and format is json"),
        ("layer=0&format=png&scale=3,1", 400, "accepted: channel, layer, or the darkest and brightest value"),
        ("layer=0&format=png&scale=nan,1", 400, "accepted: channel, layer"),
        ("layer=0&format=png&enlarge=0", 400, "enlarge: Input should be greater than or equal to 1"),
        ("layer=0&format=png&overlay=2", 400, "overlay: Input should be less than or equal to 1"),
        ("layer=0&statistics=perhaps", 400, "statistics: Input should be a valid boolean"),
        ("layers=0", 400, "there is no parameter 'layers'; accepted: channels, colormap"),
    ],
)
def test_a_wrong_parameter_is_refused(client: TestClient, query: str, status: int, message: str) -> None:
    """The answer says what would be accepted."""
    answer = client.post(f"{PATH}?{query}", content=WHITE)
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_a_form_that_cannot_be_given_is_refused(client: TestClient) -> None:
    """406, with those that can."""
    answer = client.post(PATH, params={"layer": "0"}, content=WHITE, headers={"Accept": "text/html"})
    assert answer.status_code == 406
    assert "available: application/json" in answer.json()["detail"]


def test_an_answer_over_the_limit_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 with the size, the limit, and what would fit; a dry run tells it too."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_answer_bytes": 300})) as client:
        refused = client.post(PATH, params={"layer": "0"}, content=WHITE)
        planned = client.post(PATH, params={"layer": "0", "dry_run": True}, content=WHITE)
        fits = client.post(PATH, params={"layer": "0", "format": "npz"}, content=WHITE)
    assert refused.status_code == 413
    assert "488 bytes; 300 are allowed" in refused.json()["detail"]
    assert "it would fit with format=npz" in refused.json()["detail"]
    assert (planned.status_code, planned.json()["bytes"], planned.json()["max_bytes"]) == (200, 488, 300)
    assert fits.status_code == 200


def test_more_layers_than_allowed_are_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 with the limit, also where one name stands for all of them."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_layers": 1})) as client:
        refused = client.post(PATH, params={"layer": "*"}, content=WHITE)
        fits = client.post(PATH, params={"layer": "0"}, content=WHITE)
    assert (refused.status_code, fits.status_code) == (413, 200)
    assert "1 are allowed (setting max_layers)" in refused.json()["detail"]


def test_a_layer_that_cannot_be_shown_is_refused_as_json_does_not(client: TestClient) -> None:
    """A vector is shown as squares."""
    answer = client.post(f"{PATH}?layer=head&format=png", content=WHITE)
    assert answer.status_code == 200
    assert json.loads(client.post(f"{PATH}?layer=head", content=WHITE).content)["results"]

"""Promises of service.http.routes.feature_maps."""

import io
from pathlib import Path

import numpy as np
import pytest
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


def test_npy_and_npz_are_arrays(client: TestClient) -> None:
    """By parameter and by Accept."""
    one = client.post(PATH, params={"layer": "0", "format": "npy"}, content=WHITE)
    several = client.post(PATH, params={"layer": ["0", "pool"]}, content=BLACK, headers={"Accept": "application/x-npz"})
    assert one.headers["content-type"] == "application/x-npy"
    assert several.headers["content-type"] == "application/x-npz"
    assert np.load(io.BytesIO(one.content)).tolist() == [[[[1, 1], [1, 1]]]]
    archive = np.load(io.BytesIO(several.content))
    assert {name: archive[name].ravel().tolist() for name in archive.files} == {"conv": [-1] * 4, "pool": [0]}


def test_png_is_a_picture(client: TestClient) -> None:
    """The left half of the picture is black, the right white: so is the map of the convolution."""
    picture = images.encode(np.array([[0, 255], [0, 255]], np.uint8))
    answer = client.post(PATH, params={"layer": "conv", "format": "png"}, content=picture)
    assert answer.headers["content-type"] == "image/png"
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert [shown.getpixel((0, 0)), shown.getpixel((shown.width - 1, 0))] == [0, 255]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("", 400, "layer is missing"),
        ("layer=conf", 404, "the nearest: conv"),
        ("layer=4", 404, "index 0 to 3"),
        ("layer=0&layer=conv", 400, "the same layer twice"),
        ("layer=0&format=jpg", 400, "accepted: json, npy, npz, png"),
        ("layer=0&layer=1&format=npy", 400, "accepted: json, npz"),
        ("layers=0", 400, "there is no parameter 'layers'; accepted: format, layer"),
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
    """413, with the size, the limit, and what would help."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_answer_bytes": 20})) as client:
        refused = client.post(PATH, params={"layer": "0"}, content=WHITE)
        fits = client.post(PATH, params={"layer": "0", "format": "npy"}, content=WHITE)
    assert refused.status_code == 413
    assert "about 48 bytes; at most 20 are allowed" in refused.json()["detail"]
    assert fits.status_code == 200

"""Promises of service.http.routes.heatmap."""

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.metadata import ClassOutput
from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

PATH = "/v1/models/brightness/heatmap"
# The right half is white: `block.relu` is 1 there and 0 on the left, and bright is twice the map.
HALF = images.encode(np.array([[0, 255], [0, 255]], np.uint8))
BLACK = images.plain(0)


def test_where_nothing_is_said_the_head_tells_the_method(client: TestClient) -> None:
    """And the most probable class of each image is taken; of equal ones the first."""
    answer = client.post(PATH, files=[("image", HALF), ("image", BLACK)])
    assert answer.json() == {
        "model": "brightness",
        "version": 1,
        "method": "cam",
        "layer": "block.relu",
        "results": [
            {"class_id": 2, "label": "bright", "shape": [2, 2], "data": [[0, 2], [0, 2]]},
            {"class_id": 0, "label": "dark", "shape": [2, 2], "data": [[0, 0], [0, 0]]},
        ],
    }


def test_two_classes_are_compared(client: TestClient) -> None:
    """Both are named."""
    (result,) = client.post(PATH, params={"class": "bright", "vs": "1"}, content=HALF).json()["results"]
    assert result == {
        "class_id": 2,
        "label": "bright",
        "vs": {"class_id": 1, "label": "middle"},
        "shape": [2, 2],
        "data": [[0, 1], [0, 1]],
    }


def test_a_method_without_classes_names_none(client: TestClient) -> None:
    """Null for number and label."""
    (result,) = client.post(PATH, params={"method": "eigen-cam"}, content=HALF).json()["results"]
    assert (result["class_id"], result["label"]) == (None, None)


def test_occlusion_is_as_large_as_the_input(client: TestClient) -> None:
    """And looks at no layer."""
    answer = client.post(PATH, params={"method": "occlusion", "window": 1, "stride": 1}, content=HALF).json()
    assert (answer["method"], answer["layer"]) == ("occlusion", None)
    (left, right), _ = answer["results"][0]["data"]
    assert left == pytest.approx(0, abs=1e-6)
    assert right == pytest.approx(0.08725, abs=1e-5)  # the softmax of (0, 0.5, 1), and of half of it


def test_npy_is_an_array(client: TestClient) -> None:
    """(images, height, width); the headers say what was done."""
    answer = client.put(
        PATH, params={"class": "1"}, files=[("image", HALF)] * 2, headers={"Accept": "application/x-npy"}
    )
    array = np.load(io.BytesIO(answer.content))
    assert array.dtype == np.float32
    assert array.tolist() == [[[0, 1], [0, 1]]] * 2
    said = {name: value for name, value in answer.headers.items() if name.startswith("striate-")}
    assert said == {"striate-decoding": "fast", "striate-method": "cam", "striate-layer": "block.relu"}


def test_png_is_the_heat_over_the_image(client: TestClient) -> None:
    """Dark on the left, bright on the right."""
    answer = client.post(PATH, params={"format": "png", "opacity": 1, "colormap": "grey"}, content=HALF)
    assert answer.headers["content-type"] == "image/png"
    assert answer.headers["striate-class"] == "2"
    with Image.open(io.BytesIO(answer.content)) as shown:
        assert shown.size == (800, 800)
        assert [shown.getpixel((0, 400)), shown.getpixel((799, 400))] == [(0, 0, 0), (255, 255, 255)]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("class=3", 400, "class is 3; accepted: 0 to 2"),
        ("class=brigt", 400, "the nearest: bright"),
        ("class=1&vs=middle", 400, "class and vs are both class 1"),
        ("vs=2", 400, "vs is class 2, the most probable class of image 0"),
        ("method=eigen-cam&class=1", 400, "eigen-cam, which asks for no class"),
        ("method=gradcam", 400, "method: Input should be 'auto', 'cam', 'eigen-cam', 'score-cam' or 'occlusion'"),
        ("method=occlusion&window=3", 400, "window is 3; accepted: 1 to 2 pixels"),
        ("method=occlusion&window=x", 400, "window: Input should be a valid integer"),
        ("method=score-cam&channels=2", 400, "channels is 2; accepted: 1 to 1"),
        ("layer=conf", 404, "the nearest: conv"),
        ("layer=*o*", 400, "accepted is one layer"),
        ("method=score-cam&layer=head", 400, "heat maps need maps (C, H, W)"),
        ("colormap=magma", 400, "colormap and opacity are for format png, and format is json"),
        ("format=png&opacity=2", 400, "opacity: Input should be less than or equal to 1"),
        ("format=npz", 400, "accepted: json, npy, png"),
        ("target=1", 400, "there is no parameter 'target'; accepted: channels, class, colormap, decoding, format"),
    ],
)
def test_a_wrong_parameter_is_refused(client: TestClient, query: str, status: int, message: str) -> None:
    """The answer says what would be accepted."""
    answer = client.post(f"{PATH}?{query}", content=HALF)
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_several_images_are_no_png(client: TestClient) -> None:
    """The error says which forms hold them."""
    answer = client.post(PATH, params={"format": "png"}, files=[("image", HALF), ("image", BLACK)])
    assert answer.status_code == 400
    assert "format png holds one image and there are 2; accepted: json, npy" in answer.json()["detail"]


def test_a_broken_image_is_refused(client: TestClient) -> None:
    """422, with its index where there are several."""
    answer = client.post(PATH, files=[("image", HALF), ("image", HALF[:45])])
    assert (answer.status_code, answer.json()["index"]) == (422, 1)


def test_without_labels_classes_are_numbers(repository: Path, settings: Settings, connect: Connect) -> None:
    """A label is refused."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="logits", labels=None))
    with connect(settings) as client:
        found = client.post(PATH, params={"class": "1"}, content=HALF)
        refused = client.post(PATH, params={"class": "bright"}, content=HALF)
    assert (found.json()["results"][0]["class_id"], found.json()["results"][0]["label"]) == (1, None)
    assert refused.status_code == 400
    assert "this model has no labels" in refused.json()["detail"]


def test_an_answer_over_the_limit_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413, with what would fit: four values of 16 bytes in JSON, of 4 in npy."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_answer_bytes": 16})) as client:
        json, npy, png = (client.post(PATH, params={"format": form}, content=HALF) for form in ("json", "npy", "png"))
    assert [json.status_code, npy.status_code, png.status_code] == [413, 200, 413]
    assert "it would fit with format=npy" in json.json()["detail"]


def test_too_many_runs_are_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413: nothing is computed, and the answer says what would fit."""
    spec = tiny_models.image_input(size=28)
    tiny_models.publish(repository, tiny_models.brightness(size=28), input=spec)
    with connect(settings) as client:
        answer = client.post(PATH, params={"method": "occlusion", "window": 2}, content=HALF)
    assert answer.status_code == 413
    assert "it would fit with stride=2" in answer.json()["detail"]

"""The shipped models, asked with real photos over a real socket."""

import base64
import io
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import httpx2
import numpy as np
import pytest
from PIL import Image

from tests.e2e.conftest import Server

MODEL = "/v1/models/efficientnet-lite0"
CATS = {"tabby", "tiger cat", "Egyptian cat"}


@pytest.fixture
def http(server: Server) -> Iterator[httpx2.Client]:
    """A client of the service."""
    with httpx2.Client(base_url=server.url, timeout=60) as client:
        yield client


def first_label(answer: httpx2.Response) -> str:
    """The best class of the first image."""
    assert answer.status_code == 200, answer.text
    label = answer.json()["results"][0]["predictions"][0]["label"]
    assert isinstance(label, str)
    return label


def test_a_cat_is_a_cat_and_a_cup_is_espresso(http: httpx2.Client, chelsea: bytes, coffee: bytes) -> None:
    """As the README says."""
    assert first_label(http.post(f"{MODEL}/classify", content=chelsea)) in CATS
    assert first_label(http.post(f"{MODEL}/classify", content=coffee)) == "espresso"


def test_every_form_of_a_request_is_answered_alike(http: httpx2.Client, chelsea: bytes) -> None:
    """Raw body by POST and PUT, form, JSON, and one version."""
    url = f"data:image/jpeg;base64,{base64.b64encode(chelsea).decode()}"
    answers = [
        http.post(f"{MODEL}/classify", content=chelsea),
        http.put(f"{MODEL}/classify", content=chelsea),
        http.post(f"{MODEL}/classify", files={"image": chelsea}),
        http.post(f"{MODEL}/classify", json={"images": [url]}),
        http.post(f"{MODEL}/versions/1/classify", content=chelsea),
    ]
    assert [first_label(answer) for answer in answers] == [first_label(answers[0])] * 5


@pytest.mark.parametrize("form", ["png", "webp", "gif"])
def test_a_photo_is_recognised_in_each_format(http: httpx2.Client, chelsea: bytes, form: str) -> None:
    """A cat is a cat, with a palette of 256 colours too."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(chelsea)) as photo:
        photo.save(buffer, form)
    assert first_label(http.post(f"{MODEL}/classify", content=buffer.getvalue())) in CATS


def test_a_photo_that_lies_on_its_side_is_turned(http: httpx2.Client, chelsea: bytes) -> None:
    """EXIF orientation 6: the camera was held upright."""
    buffer = io.BytesIO()
    with Image.open(io.BytesIO(chelsea)) as photo:
        exif = Image.Exif()
        exif[0x0112] = 6
        photo.rotate(90, expand=True).save(buffer, "jpeg", exif=exif)
    assert first_label(http.post(f"{MODEL}/classify", content=buffer.getvalue())) in CATS


def test_every_layer_has_the_shape_that_its_table_says(http: httpx2.Client, chelsea: bytes) -> None:
    """For every layer of every shipped model, from one request for each model."""
    for model in http.get("/v1/models").json()["models"]:
        path = f"/v1/models/{model['model']}"
        rows = http.get(f"{path}/layers").json()["layers"]
        query = {"layer": [row["path"] for row in rows], "format": "npz"}
        answer = http.post(f"{path}/feature-maps", params=query, content=chelsea)
        archive = np.load(io.BytesIO(answer.content))
        assert {name: archive[name].shape for name in archive.files} == {
            row["path"]: (1, *row["shape"]) for row in rows
        }


def test_a_cut_graph_computes_what_the_whole_one_does(http: httpx2.Client, chelsea: bytes) -> None:
    """Each of some layers alone, against all of them from one run."""
    rows = http.get(f"{MODEL}/layers").json()["layers"]
    paths = [row["path"] for row in rows[:: len(rows) // 8]]
    together = np.load(
        io.BytesIO(
            http.post(
                f"{MODEL}/feature-maps", params={"layer": [*paths, "-1"], "format": "npz"}, content=chelsea
            ).content
        )
    )
    for path in paths:
        answer = http.post(f"{MODEL}/feature-maps", params={"layer": path, "format": "npy"}, content=chelsea)
        alone = np.load(io.BytesIO(answer.content))
        np.testing.assert_allclose(alone, together[path], atol=1e-4 * np.abs(together[path]).max())


def test_the_last_layer_agrees_with_the_classes(http: httpx2.Client, chelsea: bytes) -> None:
    """The softmax of the logits, fetched as a feature map, is what classify answers."""
    maps = http.post(f"{MODEL}/feature-maps", params={"layer": "-1", "format": "npy"}, content=chelsea)
    logits = np.load(io.BytesIO(maps.content))[0].astype(np.float64)  # (1000,)
    probabilities = np.exp(logits - logits.max()) / np.exp(logits - logits.max()).sum()
    best = http.post(f"{MODEL}/classify", content=chelsea).json()["results"][0]["predictions"][0]
    assert best["class_id"] == probabilities.argmax()
    assert best["probability"] == pytest.approx(probabilities.max(), abs=1e-5)


def test_a_feature_map_is_a_picture(http: httpx2.Client, chelsea: bytes) -> None:
    """With contrast in it."""
    answer = http.post(f"{MODEL}/feature-maps", params={"layer": "0", "format": "png"}, content=chelsea)
    with Image.open(io.BytesIO(answer.content)) as picture:
        assert np.asarray(picture).std() > 10


def test_lenet5_takes_any_photo(http: httpx2.Client, coffee: bytes) -> None:
    """In grey, 28x28: it sees clothes everywhere, and answers."""
    answer = http.post("/v1/models/lenet5/classify", params={"top_k": 10}, content=coffee)
    predictions = answer.json()["results"][0]["predictions"]
    assert len(predictions) == 10
    assert sum(prediction["probability"] for prediction in predictions) == pytest.approx(1, abs=1e-5)


def test_many_at_once_get_their_own_answers(server: Server, chelsea: bytes, coffee: bytes) -> None:
    """32 callers with two photos, and with bad ones between them."""

    def ask(number: int) -> str | int:
        photo = (chelsea, coffee, chelsea[:5000])[number % 3]
        answer = httpx2.post(f"{server.url}{MODEL}/classify", content=photo, timeout=60)
        return answer.status_code if answer.status_code != 200 else first_label(answer)

    with ThreadPoolExecutor(32) as pool:
        found = list(pool.map(ask, range(96)))
    assert all(label in CATS for label in found[0::3])
    assert set(found[1::3]) == {"espresso"}
    assert set(found[2::3]) == {422}


def test_the_documentation_opens(http: httpx2.Client) -> None:
    """The front page leads to it."""
    assert 'href="docs"' in http.get("/").text
    assert "swagger" in http.get("/docs").text.lower()


def test_a_copy_in_8_bits_answers_like_its_original(http: httpx2.Client, chelsea: bytes) -> None:
    """The same maps up to the rounding, from an operator of the same kind; its kernels and evidence can be had too."""
    names = ("resnet20-fashion", "resnet20-fashion-int8")
    url = "/v1/models/{}/feature-maps?layer=layer1.0.relu1&format=npy"
    right, found = (np.load(io.BytesIO(http.post(url.format(name), content=chelsea).content)) for name in names)
    assert found.dtype == right.dtype == np.float32
    assert np.abs(found - right).max() <= 0.1 * right.max()
    tables = [http.get(f"/v1/models/{name}/layers").json()["layers"] for name in names]
    relus = [next(layer for layer in table if layer["path"] == "layer1.0.relu1") for table in tables]
    assert [relu["operator"] for relu in relus] == ["Relu", "Relu"]
    assert http.get(f"/v1/models/{names[1]}/layers/bn1/filters").json()["shape"] == [16, 1, 3, 3]
    heat = http.post(f"/v1/models/{names[1]}/heatmap", content=chelsea).json()
    assert heat["method"] == "cam"

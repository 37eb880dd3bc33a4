"""Promises of service.http.routes.preprocessed."""

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient
from PIL import Image

from service.image import decode, described
from service.settings import Decoding, Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

PATH = "/v1/models/brightness/preprocessed"


def test_a_grey_model_sees_grey(client: TestClient) -> None:
    """One channel, of the size of the input."""
    answer = client.post(PATH, content=images.encode(np.array([[0, 255], [128, 7]], np.uint8)))
    assert answer.headers["content-type"] == "image/png"
    assert "decode;dur=" in answer.headers["server-timing"]
    with Image.open(io.BytesIO(answer.content)) as seen:
        assert seen.mode == "L"
        assert np.asarray(seen).tolist() == [[0, 255], [128, 7]]


def test_a_photo_is_cut_and_resized(repository: Path, settings: Settings, connect: Connect, chelsea: bytes) -> None:
    """To the very bytes that the network gets."""
    spec = tiny_models.image_input(channels=3, size=5, crop_fraction=0.8, interpolation="bicubic")
    tiny_models.publish(repository, tiny_models.brightness(channels=3, size=5), input=spec)
    with connect(settings) as client:
        answer = client.put(PATH, content=chelsea)
    with Image.open(io.BytesIO(answer.content)) as seen:
        np.testing.assert_array_equal(np.asarray(seen), decode(chelsea, spec, max_pixels=10**6))


@pytest.mark.parametrize("asked", ["fast", "exact"])
@pytest.mark.parametrize("by", ["parameter", "setting"])
def test_it_is_decoded_as_asked(
    repository: Path, settings: Settings, connect: Connect, chelsea: bytes, asked: Decoding, by: str
) -> None:
    """Fast or exact: as the request says, else as the setting does; a header tells which."""
    spec = tiny_models.image_input(channels=3, size=5, interpolation="bicubic")
    tiny_models.publish(repository, tiny_models.brightness(channels=3, size=5), input=spec)
    other: Decoding = "exact" if asked == "fast" else "fast"
    made = settings.model_copy(update={"decoding": asked if by == "setting" else other})
    with connect(made) as client:
        answer = client.post(PATH, params={"decoding": asked} if by == "parameter" else {}, content=chelsea)
    assert answer.headers["striate-decoding"] == described(asked)
    with Image.open(io.BytesIO(answer.content)) as seen:
        expected = decode(chelsea, spec, max_pixels=10**6, decoding=asked)
        np.testing.assert_array_equal(np.asarray(seen), expected)
    assert not np.array_equal(expected, decode(chelsea, spec, max_pixels=10**6, decoding=other))


def test_several_images_are_refused(client: TestClient) -> None:
    """A PNG holds one."""
    answer = client.post(PATH, files=[("image", images.plain(0)), ("image", images.plain(1))])
    assert answer.status_code == 400
    assert "a png holds one image and there are 2" in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "accept", "status"),
    [
        (images.plain(0)[:45], "*/*", 422),
        (b"no image", "*/*", 415),
        (b"", "*/*", 400),
        (images.plain(0), "application/json", 406),
    ],
)
def test_what_cannot_be_answered_is_refused(client: TestClient, content: bytes, accept: str, status: int) -> None:
    """A broken image, none, and a form that there is not."""
    assert client.post(PATH, content=content, headers={"Accept": accept}).status_code == status


def test_a_model_without_metadata_sees_no_images(repository: Path, settings: Settings, connect: Connect) -> None:
    """It is not known how an image becomes its input."""
    tiny_models.publish(repository, described=False)
    with connect(settings) as client:
        answer = client.post(PATH, content=images.plain(0))
    assert answer.status_code == 422
    assert "takes no images" in answer.json()["detail"]

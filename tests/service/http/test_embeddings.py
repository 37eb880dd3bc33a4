"""Promises of service.http.routes.embeddings."""

import io
from pathlib import Path

import numpy as np
import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

PATH = "/v1/models/brightness/embeddings"
WHITE, BLACK = images.plain(255), images.plain(0)
BOTH = [("image", WHITE), ("image", BLACK)]


def test_the_last_map_is_pooled_where_nothing_is_said(client: TestClient) -> None:
    """To length 1, or all zeros."""
    answer = client.post(PATH, files=BOTH)
    assert answer.json() == {
        "model": "brightness",
        "version": 1,
        "layer": "block.relu",
        "results": [{"embedding": [1]}, {"embedding": [0]}],
    }


def test_npy_and_npz_are_arrays(client: TestClient) -> None:
    """(images, values); npz has it under the name of the layer."""
    query = {"layer": "head", "normalize": "none"}
    npy = client.post(PATH, params=query, files=BOTH, headers={"Accept": "application/x-npy"})
    npz = client.put(PATH, params=query | {"format": "npz"}, files=BOTH)
    assert npy.headers["content-type"] == "application/x-npy"
    array = np.load(io.BytesIO(npy.content))
    assert array.dtype == np.float32
    assert array.tolist() == [[0, 1, 2], [0, 0, 0]]
    assert np.load(io.BytesIO(npz.content))["head"].tolist() == array.tolist()


def test_a_layer_may_be_flattened(client: TestClient) -> None:
    """Every value of it."""
    answer = client.post(PATH, params={"layer": "0", "reduce": "flatten"}, content=WHITE)
    assert answer.json()["results"] == [{"embedding": [0.5] * 4}]


@pytest.mark.parametrize(
    ("query", "status", "message"),
    [
        ("layer=conf", 404, "the nearest: conv"),
        ("layer=*o*", 400, "layer is '*o*', which 3 layers match (conv, block.relu, pool, …); accepted is one layer"),
        ("reduce=min", 400, "reduce: Input should be 'mean', 'max' or 'flatten'"),
        ("normalize=l1", 400, "normalize: Input should be 'l2' or 'none'"),
        ("format=png", 400, "accepted: json, npy, npz"),
        ("top_k=1", 400, "there is no parameter 'top_k'; accepted: decoding, format, layer, normalize, reduce"),
    ],
)
def test_a_wrong_parameter_is_refused(client: TestClient, query: str, status: int, message: str) -> None:
    """The answer says what would be accepted."""
    answer = client.post(f"{PATH}?{query}", content=WHITE)
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_an_answer_over_the_limit_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413, with what would fit: four values of 16 bytes in JSON, of 4 in npy."""
    tiny_models.publish(repository)
    query = {"layer": "0", "reduce": "flatten"}
    with connect(settings.model_copy(update={"max_answer_bytes": 20})) as client:
        refused = client.post(PATH, params=query, content=WHITE)
        fits = client.post(PATH, params=query | {"format": "npy"}, content=WHITE)
    assert refused.status_code == 413
    assert "it would fit with format=npy, or reduce=mean" in refused.json()["detail"]
    assert fits.status_code == 200


def test_a_broken_image_is_named(client: TestClient) -> None:
    """Of several."""
    answer = client.post(PATH, files=[("image", WHITE), ("image", WHITE[:45])])
    assert (answer.status_code, answer.json()["index"]) == (422, 1)

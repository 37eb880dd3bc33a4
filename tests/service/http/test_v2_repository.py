"""Promises of service.http.routes.v2.repository."""

from collections.abc import Iterator
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from tests import tiny_models
from tests.service.http.conftest import Connect
from tests.service.http.protocol import error

KEY = {"Authorization": "Bearer a-key"}
LOAD = "/v2/repository/models/brightness/load"
UNLOAD = "/v2/repository/models/brightness/unload"


@pytest.fixture
def admin(repository: Path, settings: Settings, connect: Connect) -> Iterator[TestClient]:
    """A client of an application that serves `brightness`, and can be changed with a key."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"admin_key": "a-key"})) as client:
        yield client


@pytest.mark.parametrize("path", [LOAD, UNLOAD])
def test_nothing_is_loaded_where_no_key_is_set(client: TestClient, path: str) -> None:
    """403, with the settings that switch it on."""
    answer = client.post(path, headers={"Authorization": "Bearer "})
    assert answer.status_code == 403
    assert "settings keys_file and admin_key" in error(answer)


@pytest.mark.parametrize("sent", [{}, {"Authorization": "Bearer b-key"}, {"Authorization": "Basic a-key"}])
def test_a_wrong_key_is_refused(admin: TestClient, sent: dict[str, str]) -> None:
    """401; nothing changes."""
    answer = admin.post(UNLOAD, headers=sent)
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert "Authorization: Bearer KEY" in error(answer)
    assert admin.get("/v2/models/brightness/ready").status_code == 200


def test_it_is_advertised_where_it_is_on(admin: TestClient) -> None:
    """Only there."""
    assert "model_repository" in admin.get("/v2").json()["extensions"]


def test_the_index_lists_what_is_there(admin: TestClient, repository: Path) -> None:
    """Loaded or not, as an array; with `ready` what is loaded."""
    tiny_models.publish(repository, name="new")
    ready = {"name": "brightness", "version": "1", "state": "READY", "reason": ""}
    absent = {"name": "new", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"}
    assert admin.post("/v2/repository/index").json() == [ready, absent]
    assert admin.post("/v2/repository/index", json={"ready": True}).json() == [ready]


def test_a_new_model_is_loaded(admin: TestClient, repository: Path) -> None:
    """200 and an empty body, when it is ready."""
    tiny_models.publish(repository, name="new")
    answer = admin.post("/v2/repository/models/new/load", headers=KEY)
    assert (answer.status_code, answer.content) == (200, b"")
    assert admin.get("/v2/models/new/ready").status_code == 200


def test_a_model_is_unloaded(admin: TestClient) -> None:
    """It is unknown from then on, and the service is not ready without any model."""
    body = {"parameters": {"unload_dependents": True}}
    assert admin.post(UNLOAD, headers=KEY, json=body).content == b""
    assert admin.get("/v2/models/brightness").status_code == 404
    assert admin.get("/v2/health/ready").status_code == 503
    assert admin.post(UNLOAD, headers=KEY).status_code == 404


def test_a_model_that_does_not_load_leaves_the_one_that_serves(admin: TestClient, repository: Path) -> None:
    """The error says what is wrong with the new file."""
    (repository / "brightness" / "1" / "model.onnx").write_bytes(b"broken")
    answer = admin.post(LOAD, headers=KEY)
    assert answer.status_code == 503
    assert "model.onnx has 6 bytes" in error(answer)
    assert admin.get("/v2/models/brightness/ready").status_code == 200


@pytest.mark.parametrize(
    ("path", "body", "said"),
    [
        pytest.param(LOAD, b'{"parameters":{"config":"{}"}}', "no parameter 'config'", id="config"),
        pytest.param(LOAD, b'{"parameters":{"file:1/../../x":"AA=="}}', "no parameter 'file:", id="file"),
        pytest.param(LOAD, b"nonsense", "cannot be read", id="no JSON"),
        pytest.param(UNLOAD, b'{"parameters":{"unload_dependents":1}}', "true or false", id="type"),
        pytest.param("/v2/repository/index", b'{"ready":"yes"}', "ready: ", id="index"),
        pytest.param("/v2/repository/index", b"[]", "cannot be read", id="array"),
    ],
)
def test_what_is_not_understood_is_refused(admin: TestClient, path: str, body: bytes, said: str) -> None:
    """400 with the reason: what would be ignored would be missed."""
    answer = admin.post(path, headers=KEY, content=body)
    assert answer.status_code == 400
    assert said in error(answer)


def test_a_model_that_is_not_in_the_repository(admin: TestClient) -> None:
    """404."""
    assert admin.post("/v2/repository/models/unknown/load", headers=KEY).status_code == 404


def test_a_body_that_cannot_be_one_is_not_read(client: TestClient) -> None:
    """Far below what bodies with images may have, as there is next to nothing to say."""
    assert client.post("/v2/repository/index", content=b" " * 2**20 + b"{}").status_code == 413

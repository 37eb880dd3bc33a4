"""Promises of service.http.direct_paths."""

from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.testclient import TestClient

from service.engine import open_engine
from service.http.app import create_app
from service.http.direct_paths import DirectPaths
from service.http.routes import classify, health, heatmap, models
from service.http.routes.v2 import infer
from service.http.routes.v2 import models as protocol_models
from service.settings import Settings
from tests import images

PATHS = DirectPaths(
    FastAPI(),
    {
        "/v1": [classify.router, heatmap.router, models.router],
        "/v2": [infer.router, protocol_models.router],
        "": [health.router],
    },
)


def asked(method: str, path: str) -> dict[str, Any]:
    """The part of an ASGI scope that a route looks at."""
    return {"type": "http", "method": method, "path": path}


@pytest.mark.parametrize("method", ["POST", "PUT"])
@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        pytest.param("/v1/models/a b/classify", {"model": "a b"}, id="no version"),
        pytest.param("/v1/models/net/versions/2/classify", {"model": "net", "version": "2"}, id="a version"),
        pytest.param("/v1/models/versions/classify", {"model": "versions"}, id="a model called versions"),
    ],
)
def test_a_request_about_images_is_found(method: str, path: str, parameters: dict[str, str]) -> None:
    """With the model and the version that its path names."""
    scope = asked(method, path)
    assert PATHS.find(scope) is not None
    assert (scope["route"].path, scope["path_params"]) == ("/classify", parameters)


@pytest.mark.parametrize(
    ("path", "parameters"),
    [
        pytest.param("/v2/models/net/infer", {"model": "net"}, id="no version"),
        pytest.param("/v2/models/net/versions/2/infer", {"model": "net", "version": "2"}, id="a version"),
    ],
)
def test_a_request_about_tensors_is_found(path: str, parameters: dict[str, str]) -> None:
    """With the model and the version that its path names."""
    scope = asked("POST", path)
    assert PATHS.find(scope) is not None
    assert (scope["route"].path, scope["path_params"]) == ("/infer", parameters)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.parametrize("path", [health.LIVE, health.READY])
def test_a_question_about_health_is_found(method: str, path: str) -> None:
    """Under its whole path."""
    scope = asked(method, path)
    assert PATHS.find(scope) is not None
    assert (scope["route"].path, scope["path_params"]) == (path, {})


@pytest.mark.parametrize(
    ("method", "path"),
    [
        pytest.param("POST", health.LIVE, id="health with another method"),
        pytest.param("GET", f"/v1{health.LIVE}", id="health under v1"),
        pytest.param("POST", "/v1/models/net/infer", id="tensors under v1"),
        pytest.param("POST", "/v2/models/net/classify", id="images under v2"),
        pytest.param("GET", "/v2/models/net", id="a description"),
        pytest.param("GET", "/v1/models/net/classify", id="another method"),
        pytest.param("POST", "/v1/models/net/clasify", id="misspelt"),
        pytest.param("POST", "/v1/models/net/classify/", id="a slash behind"),
        pytest.param("POST", "/v1/models/net/x/classify", id="a part too many"),
        pytest.param("POST", "/v1/models//classify", id="no model"),
        pytest.param("GET", "/v1/models/net/layers", id="not for a run"),
    ],
)
def test_all_else_is_for_the_routes_behind(method: str, path: str) -> None:
    """They answer it, or say what is wrong with it."""
    scope = asked(method, path)
    assert PATHS.find(scope) is None
    assert scope == asked(method, path)


def test_health_needs_no_other_routes(settings: Settings) -> None:
    """Whoever asks gets an answer before any of them is tried."""
    app = create_app(open_engine(settings))
    app.router.routes.clear()
    with TestClient(app) as client:
        assert [client.get(path).status_code for path in ("/v2/health/live", "/v2")] == [200, 404]


def test_a_wrong_method_and_a_wrong_path_are_told(client: TestClient) -> None:
    """By FastAPI's own routes: 405 with what is accepted, and 404."""
    wrong = client.get("/v1/models/brightness/classify")
    assert (wrong.status_code, "accepted: " in wrong.json()["detail"]) == (405, True)
    assert client.post("/v1/models/brightness/clasify", content=images.plain(255)).status_code == 404

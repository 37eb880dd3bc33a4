"""Promises of service.http.routes.health."""

from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from tests import tiny_models
from tests.service.http.conftest import Connect


def test_a_service_with_a_model_is_live_and_ready(client: TestClient) -> None:
    """Both answers are 200."""
    assert client.get("/v2/health/live").json() == {"live": True}
    assert client.get("/v2/health/ready").json() == {"ready": True, "live": True}


def test_a_service_without_a_model_is_live_and_not_ready(settings: Settings, connect: Connect) -> None:
    """Nothing to ask is not ready, and the answer says so."""
    with connect(settings) as client:
        assert client.get("/v2/health/live").status_code == 200
        answer = client.get("/v2/health/ready")
    assert answer.status_code == 503
    assert answer.json() == {"ready": False, "live": True, "error": "there are no models in the repository"}


def test_a_service_with_broken_models_only_says_which(repository: Path, settings: Settings, connect: Connect) -> None:
    """The answer names them."""
    (tiny_models.publish(repository) / "model.onnx").unlink()
    with connect(settings) as client:
        assert client.get("/v2/health/ready").json()["error"] == "brightness version 1 failed"


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready"])
def test_health_can_be_asked_without_a_body(client: TestClient, path: str) -> None:
    """As some load balancers do: the status and the headers of the whole answer."""
    whole, head = client.get(path), client.head(path)
    assert (head.status_code, head.content) == (200, b"")
    assert head.headers["content-length"] == str(len(whole.content))


def test_a_service_that_is_not_ready_says_so_without_a_body(settings: Settings, connect: Connect) -> None:
    """Whoever looks at the status alone is told."""
    with connect(settings) as client:
        assert client.head("/v2/health/ready").status_code == 503


def test_other_methods_and_parameters_are_refused(client: TestClient) -> None:
    """And what is accepted is told."""
    wrong = client.post("/v2/health/live")
    assert (wrong.status_code, sorted(wrong.headers["allow"].split(", "))) == (405, ["GET", "HEAD"])
    asked = client.get("/v2/health/live?verbose=1")
    assert (asked.status_code, asked.json()["error"]) == (400, "there is no parameter 'verbose'; accepted: none here")

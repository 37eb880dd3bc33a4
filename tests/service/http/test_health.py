"""Promises of service.http.routes.health."""

from pathlib import Path

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

"""Promises of service.http.routes.models."""

from pathlib import Path

from fastapi.testclient import TestClient

from service.settings import Settings
from tests import tiny_models
from tests.service.http.conftest import Connect


def test_models_are_listed_with_device_and_figures(client: TestClient) -> None:
    """Everything that a caller needs to choose one."""
    answer = client.get("/v1/models").json()
    assert answer["device"] == {"requested": "cpu", "used": "cpu", "reason": None}
    (model,) = answer["models"]
    assert model == client.get("/v1/models/brightness").json()
    assert model | {"summary": "", "license": ""} == {
        "model": "brightness",
        "version": 1,
        "versions": [1],
        "state": "ready",
        "reason": None,
        "summary": "",
        "device": "cpu",
        "input": {"height": 2, "width": 2, "color": "grey"},
        "classes": 3,
        "layers": 4,
        "parameters": 8,
        "license": "",
        "measured": [],
        "reported": [],
    }


def test_a_broken_model_is_listed_with_the_reason(repository: Path, settings: Settings, connect: Connect) -> None:
    """It can be asked about, though it cannot be used."""
    folder = tiny_models.publish(repository, name="half")
    (folder / "model.onnx").write_bytes((folder / "model.onnx").read_bytes()[:200])
    tiny_models.publish(repository, name="good")
    with connect(settings) as client:
        states = {model["model"]: model["state"] for model in client.get("/v1/models").json()["models"]}
        broken = client.get("/v1/models/half").json()
        refused = client.post("/v1/models/half/classify", content=b"x")
        served = client.get("/v1/models/good/layers")
    assert states == {"good": "ready", "half": "failed"}
    assert "model.onnx has 200 bytes" in broken["reason"]
    assert refused.status_code == 503
    assert refused.headers["retry-after"] == "1"
    assert "failed to load: model.onnx has 200 bytes" in refused.json()["detail"]
    assert served.status_code == 200


def test_a_file_from_elsewhere_is_served_as_tensors(repository: Path, settings: Settings, connect: Connect) -> None:
    """Its layers are listed by tensor; an image is refused with the fields that are missing."""
    tiny_models.publish(repository, described=False)
    with connect(settings) as client:
        shown = client.get("/v1/models/brightness").json()
        rows = client.get("/v1/models/brightness/layers").json()["layers"]
        refused = client.post("/v1/models/brightness/classify", content=b"x")
    assert (shown["state"], shown["input"], shown["layers"]) == ("ready", None, 5)
    assert [row["path"] for row in rows] == ["conv_out", "relu_out", "pool_out", "flat", "logits"]
    assert refused.status_code == 422
    assert "metadata.json" in refused.json()["detail"]


def test_layers_are_listed_in_order(client: TestClient) -> None:
    """With every name that they answer to."""
    answer = client.get("/v1/models/brightness/layers").json()
    assert answer["layers"][1] == {
        "index": 1,
        "path": "block.relu",
        "aliases": ["block"],
        "operator": "Relu",
        "shape": [1, 2, 2],
        "parameters": 0,
    }
    assert [layer["index"] for layer in answer["layers"]] == [0, 1, 2, 3]


def test_a_version_may_stand_in_the_path(repository: Path, settings: Settings, connect: Connect) -> None:
    """Without it the highest answers; an unknown one is 404."""
    for version in (1, 2):
        tiny_models.publish(repository, version=version)
    with connect(settings) as client:
        assert client.get("/v1/models/brightness").json()["version"] == 2
        assert client.get("/v1/models/brightness").json()["versions"] == [1, 2]
        assert client.get("/v1/models/brightness/versions/1").json()["version"] == 1
        assert client.get("/v1/models/brightness/versions/1/layers").json()["version"] == 1
        assert client.get("/v1/models/brightness/versions/3").status_code == 404


def test_a_parameter_that_is_not_known_is_refused(client: TestClient) -> None:
    """Nothing is ignored, not even where nothing is taken."""
    answer = client.get("/v1/models", params={"verbose": "1"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == "there is no parameter 'verbose'; accepted: none here"


def test_the_documentation_names_every_path(client: TestClient) -> None:
    """OpenAPI is complete, and the front page leads to it."""
    paths = client.get("/openapi.json").json()["paths"]
    actions = ("", "/layers", "/classify", "/feature-maps")
    assert {f"/v1/models/{{model}}{action}" for action in actions} <= set(paths)
    assert {f"/v1/models/{{model}}/versions/{{version}}{action}" for action in actions} <= set(paths)
    body = paths["/v1/models/{model}/classify"]["post"]["requestBody"]["content"]
    assert list(body) == ["image/*", "multipart/form-data", "application/json"]
    assert client.get("/", follow_redirects=False).headers["location"] == "/docs"

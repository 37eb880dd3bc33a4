"""Promises of service.http.routes.v2.server and .models."""

from pathlib import Path
from typing import Any

import pytest
from fastapi.testclient import TestClient

from service import __version__
from service.settings import Settings
from tests import images, tensor_models, tiny_models
from tests.service.http.conftest import Connect
from tests.service.http.protocol import HEADER, error


@pytest.mark.parametrize("path", ["/v2", "/v2/"])
def test_the_server_says_what_it_is(client: TestClient, path: str) -> None:
    """Its extensions are those that are real: nothing is loaded without a key for it."""
    assert client.get(path).json() == {
        "name": "striate",
        "version": __version__,
        "extensions": [
            "binary_tensor_data",
            "classification",
            "model_configuration",
            "parameters",
            "schedule_policy",
            "statistics",
        ],
    }


def test_the_metadata_of_a_model(client: TestClient) -> None:
    """Its own inputs and outputs, and none of its layers; open sizes are -1."""
    found = client.get("/v2/models/brightness").json()
    assert found == {
        "name": "brightness",
        "versions": ["1"],
        "platform": "onnxruntime_onnx",
        "inputs": [{"name": "images", "datatype": "FP32", "shape": [-1, 1, 2, 2]}],
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [-1, 3]}],
        "properties": {
            "device": "cpu",
            "layers": "4",
            "images": "BYTES on images: JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF",
        },
    }


def test_a_model_that_is_ready(client: TestClient) -> None:
    """200, and which one it is."""
    assert client.get("/v2/models/brightness/ready").json() == {"name": "brightness", "ready": True}
    assert client.get("/v2/models").json() == {"models": ["brightness"]}


def test_a_model_that_is_not_ready(repository: Path, settings: Settings, connect: Connect) -> None:
    """503 with the reason; one that is not known is 404."""
    (tiny_models.publish(repository) / "model.onnx").unlink()
    with connect(settings) as client:
        answer = client.get("/v2/models/brightness/ready")
        assert answer.status_code == 503
        assert "failed to load" in error(answer)
        assert client.get("/v2/models/unknown/ready").status_code == 404
        assert client.get("/v2/models").json() == {"models": []}


def test_versions_are_those_that_are_ready(repository: Path, settings: Settings, connect: Connect) -> None:
    """All of them; of a path that names one, that one."""
    for version in (1, 2, 3):
        tiny_models.publish(repository, version=version)
    (repository / "brightness" / "2" / "model.onnx").unlink()
    with connect(settings) as client:
        assert client.get("/v2/models/brightness").json()["versions"] == ["1", "3"]
        assert client.get("/v2/models/brightness/versions/1").json()["versions"] == ["1"]
        assert client.get("/v2/models/brightness/versions/2").status_code == 503


def test_the_configuration_of_a_model(client: TestClient) -> None:
    """Dimensions are without the axis of the batch."""
    found: dict[str, Any] = client.get("/v2/models/brightness/config").json()
    assert found["max_batch_size"] == 16
    assert found["input"] == [{"name": "images", "data_type": "TYPE_FP32", "dims": [1, 2, 2], "format": "FORMAT_NCHW"}]
    assert found["output"] == [
        {"name": "logits", "data_type": "TYPE_FP32", "dims": [3], "label_filename": "labels.txt"}
    ]
    assert (found["platform"], found["backend"]) == ("onnxruntime_onnx", "onnxruntime")


def test_the_configuration_of_a_model_without_a_batch(repository: Path, settings: Settings, connect: Connect) -> None:
    """A first axis that is fixed is no batch: max_batch_size is 0, and dimensions are whole."""
    made = tensor_models.identity(1, shape=(2, 5))
    tiny_models.publish(repository, made, name="fixed", described=False)
    with connect(settings) as client:
        found = client.get("/v2/models/fixed/config").json()
    assert (found["max_batch_size"], found["input"][0]["dims"]) == (0, [2, 5])


def test_statistics_count_both_protocols(client: TestClient) -> None:
    """Classification and feature maps of /v1 too, in images; what computes nothing does not count."""
    picture = images.plain(255)
    client.post("/v1/models/brightness/classify", content=picture)
    client.post("/v1/models/brightness/feature-maps?layer=0", content=picture)
    client.post("/v1/models/brightness/feature-maps?layer=0&dry_run=true", content=picture)
    client.post("/v2/models/brightness/infer", content=bytes(32), headers={HEADER: "0"})
    client.post("/v2/models/brightness/infer", content=b"nonsense")
    for path in ("stats", "brightness/stats", "brightness/versions/1/stats"):
        (found,) = client.get(f"/v2/models/{path}").json()["model_stats"]
        assert found["name"] == "brightness"
        assert found["inference_count"] == 4
        assert found["inference_stats"]["success"]["count"] == 3
        assert found["inference_stats"]["fail"]["count"] == 1
        assert [batch["batch_size"] for batch in found["batch_stats"]] == [1, 2]

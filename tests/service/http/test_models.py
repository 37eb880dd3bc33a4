"""Promises of service.http.routes.models."""

from pathlib import Path

import pytest
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
        "input": {"height": 2, "width": 2, "color": "grey", "crop_fraction": 1.0},
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
        "kernel": None,
        "stride": None,
        "padding": None,
        "dilation": None,
        "groups": None,
        "parameters": 0,
        "multiply_adds": 0,
        "flops": 0,
        "bytes": 16,
        "cumulative": {"parameters": 2, "multiply_adds": 4, "flops": 8},
        "receptive_field": {"status": "exact", "size": [1, 1], "step": [1, 1], "start": [0, 0]},
        "dense": None,
    }
    assert [layer["index"] for layer in answer["layers"]] == [0, 1, 2, 3]


def test_a_convolution_tells_its_window_and_what_a_dense_layer_would_cost(client: TestClient) -> None:
    """4 inputs to 4 outputs: 16 weights in place of 2, 32 operations in place of 8."""
    row = client.get("/v1/models/brightness/layers").json()["layers"][0]
    window = {"kernel": [1, 1], "stride": [1, 1], "padding": [0, 0, 0, 0], "dilation": [1, 1], "groups": 1}
    assert {name: row[name] for name in window} == window
    assert row["dense"] == {"weights": 16, "flops": 32, "times_less_work": 4, "times_less_storage": 8}


def test_the_layer_table_comes_as_text_too(client: TestClient) -> None:
    """`format=text`; any other format is refused with those that there are."""
    answer = client.get("/v1/models/brightness/layers", params={"format": "text"})
    assert answer.headers["content-type"] == "text/plain; charset=utf-8"
    assert answer.text.splitlines()[1].split()[:4] == ["0", "conv", "Conv", "1x2x2"]
    refused = client.get("/v1/models/brightness/layers", params={"format": "csv"})
    assert (refused.status_code, refused.json()["detail"]) == (400, "format is 'csv'; accepted: json, text")


@pytest.mark.parametrize(
    ("layer", "path", "status", "box"),
    [
        pytest.param("block.relu", "block.relu", "exact", {"left": 0, "top": 1, "right": 1, "bottom": 2}, id="path"),
        pytest.param("block", "block.relu", "exact", {"left": 0, "top": 1, "right": 1, "bottom": 2}, id="alias"),
        pytest.param("0", "conv", "exact", {"left": 0, "top": 1, "right": 1, "bottom": 2}, id="index"),
    ],
)
def test_a_unit_has_a_box(client: TestClient, layer: str, path: str, status: str, box: dict[str, int]) -> None:
    """The pixels that it sees, of the input of 2x2."""
    answer = client.get(f"/v1/models/brightness/layers/{layer}/receptive-field", params={"row": 1, "column": 0})
    assert answer.json() == {
        "model": "brightness",
        "version": 1,
        "layer": path,
        "row": 1,
        "column": 0,
        "status": status,
        "box": box,
        "height": 2,
        "width": 2,
    }


@pytest.mark.parametrize(
    ("layer", "query", "status", "message"),
    [
        ("conv", {"row": 2, "column": 0}, 400, "row is 2; accepted: 0 to 1"),
        ("pool", {"row": 0, "column": 1}, 400, "column is 1; accepted: 0 to 0"),
        ("conv", {"row": 0}, 400, "column: Field required"),
        ("conv", {"row": "x", "column": 0}, 400, "row: Input should be a valid integer"),
        ("gone", {"row": 0, "column": 0}, 404, "no layer 'gone'"),
    ],
)
def test_a_unit_that_is_not_there_is_refused(
    client: TestClient, layer: str, query: dict[str, str], status: int, message: str
) -> None:
    """The error says what would be accepted."""
    answer = client.get(f"/v1/models/brightness/layers/{layer}/receptive-field", params=query)
    assert answer.status_code == status
    assert message in answer.json()["detail"]


def test_names_of_layers_can_hold_slashes(repository: Path, settings: Settings, connect: Connect) -> None:
    """As those of files from elsewhere do, with spaces besides."""
    model = tiny_models.brightness()
    model.graph.node[0].output[0] = model.graph.node[1].input[0] = "/features/0 a/Conv_output_0"
    tiny_models.publish(repository, model, described=False)
    with connect(settings) as client:
        for name in (
            "/features/0 a/Conv_output_0",
            "%2Ffeatures%2F0%20a%2FConv_output_0",
            "tensor:/features/0 a/Conv_output_0",
        ):
            answer = client.get(f"/v1/models/brightness/layers/{name}/receptive-field?row=0&column=1")
            assert answer.json()["layer"] == "/features/0 a/Conv_output_0"
            assert answer.json()["box"] == {"left": 1, "top": 0, "right": 2, "bottom": 1}


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


@pytest.mark.parametrize(
    ("path", "accepted"),
    [
        ("", "none here"),
        ("/brightness", "none here"),
        ("/brightness/versions/1", "none here"),
        ("/brightness/layers", "format"),
        ("/brightness/versions/1/layers", "format"),
    ],
)
def test_a_parameter_that_is_not_known_is_refused(client: TestClient, path: str, accepted: str) -> None:
    """Nothing is ignored, not even where nothing is taken; what a path names is no parameter."""
    answer = client.get(f"/v1/models{path}", params={"verbose": "1"})
    assert answer.status_code == 400
    assert answer.json()["detail"] == f"there is no parameter 'verbose'; accepted: {accepted}"


def test_no_route_ignores_a_parameter(client: TestClient) -> None:
    """Whatever is documented, a parameter that it does not have is refused."""
    paths = client.get("/openapi.json").json()["paths"]
    assert len(paths) > 20
    for path, methods in paths.items():
        filled = path.format(model="brightness", version="1", layer="conv")
        for method in methods:
            answer = client.request(method, filled, params={"nonsense": "1"}, content=b"x")
            assert (path, method, answer.status_code) == (path, method, 400)
            assert "nonsense" in answer.text


def test_the_documentation_names_every_path(client: TestClient) -> None:
    """OpenAPI is complete."""
    paths = client.get("/openapi.json").json()["paths"]
    actions = ("", "/layers", "/layers/{layer}/receptive-field", "/classify", "/feature-maps")
    assert {f"/v1/models/{{model}}{action}" for action in actions} <= set(paths)
    assert {f"/v1/models/{{model}}/versions/{{version}}{action}" for action in actions} <= set(paths)
    body = paths["/v1/models/{model}/classify"]["post"]["requestBody"]["content"]
    assert list(body) == ["image/*", "multipart/form-data", "application/json"]

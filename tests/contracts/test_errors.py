"""What an error tells: what is wrong with a request or a model, and nothing of the machine."""

import re
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path

import numpy as np
import onnx
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto, helper, numpy_helper

from service.engine import open_engine
from service.http.app import create_app
from service.settings import Settings
from tests import images, tiny_models

ROOT = Path(__file__).parents[2]
KEY = {"Authorization": "Bearer a-key"}
LIBRARIES = ("fastapi", "starlette", "uvicorn", "onnx", "onnxruntime", "numpy", "pillow", "pydantic", "orjson")
# A path of a machine, a trace, or the place of a line of some source.
INSIDES = re.compile(
    r"/(?:home|root|usr|opt|tmp|var|etc|work|proc|private|Users|site-packages|onnxruntime_src)\b|Traceback|\.py\b|\.(?:cc|h):\d"
    r"|\.so\b|0x[0-9a-f]{6,}|\bat line \d+ of\b",
)


def unknown_operator() -> onnx.ModelProto:
    """A network of an operator that nobody has."""
    node = helper.make_node("Unheard", ["image"], ["logits"], domain="org.example")
    image = helper.make_tensor_value_info("image", TensorProto.FLOAT, ["batch", 3, 2, 2])
    logits = helper.make_tensor_value_info("logits", TensorProto.FLOAT, ["batch", 3, 2, 2])
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("org.example", 1)]
    return helper.make_model(
        helper.make_graph([node], "unheard", [image], [logits]), opset_imports=opsets, ir_version=10
    )


def external_data() -> onnx.ModelProto:
    """A network whose weights are said to lie outside of its folder."""
    made = tiny_models.brightness()
    (weights, *_) = made.graph.initializer
    weights.ClearField("raw_data")
    weights.ClearField("float_data")
    weights.data_location = TensorProto.EXTERNAL
    weights.external_data.add(key="location", value="../../../../etc/passwd")
    return made


def seven_by_seven() -> onnx.ModelProto:
    """A network that can compute with 49 values only, which it does not say: what fails is deep in the runtime."""
    return helper.make_model(
        helper.make_graph(
            [helper.make_node("Reshape", ["x", "shape"], ["y"])],
            "seven",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "values"])],
            [helper.make_tensor_value_info("y", TensorProto.FLOAT, [7, 7])],
            [numpy_helper.from_array(np.array([7, 7]), "shape")],
        ),
        opset_imports=[helper.make_opsetid("", 18)],
        ir_version=10,
    )


@pytest.fixture
def client(repository: Path, settings: Settings) -> Iterator[TestClient]:
    """A client of an application that serves `brightness`, and has models that are broken in many ways."""
    tiny_models.publish(repository)
    (tiny_models.publish(repository, name="short") / "model.onnx").write_bytes(b"\x08\x0a short")
    (tiny_models.publish(repository, name="nonsense", described=False) / "model.onnx").write_bytes(b"nonsense")
    (tiny_models.publish(repository, name="gone") / "model.onnx").unlink()
    (tiny_models.publish(repository, name="folder", described=False) / "model.onnx").unlink()
    (repository / "folder" / "1" / "model.onnx").mkdir()
    (tiny_models.publish(repository, name="described") / "metadata.json").write_text('{"name": 3}')
    tiny_models.publish(repository, unknown_operator(), name="operator", described=False)
    tiny_models.publish(repository, external_data(), name="external", described=False)
    tiny_models.publish(repository, seven_by_seven(), name="seven", described=False)
    engine = open_engine(settings.model_copy(update={"admin_key": "a-key"}))
    engine.registry.load_all()
    with TestClient(create_app(engine), raise_server_exceptions=False) as client:
        yield client


def errors_of_models(client: TestClient, repository: Path) -> Iterator[str]:
    """Everything that is told of models that do not load."""
    yield client.get("/v1/models").text
    yield client.post("/v2/repository/index").text
    for folder in repository.iterdir():
        for method, path in (
            ("GET", f"/v1/models/{folder.name}"),
            ("POST", f"/v1/models/{folder.name}/classify"),
            ("GET", f"/v1/models/{folder.name}/layers"),
            ("GET", f"/v2/models/{folder.name}"),
            ("POST", f"/v2/models/{folder.name}/infer"),
            ("POST", f"/v2/repository/models/{folder.name}/load"),
        ):
            yield client.request(method, path, headers=KEY).text


def errors_of_requests(client: TestClient) -> Iterator[str]:
    """Everything that is told of requests that cannot be answered."""
    picture = images.encode(images.gradient(64, 64), "jpeg")
    classify = "/v1/models/brightness/classify"
    for body in (b"", b"text", picture[:200], picture[:-200], b"GIF89a", b"\x89PNG\r\n\x1a\n", b"RIFF....WEBP", b"{}"):
        yield client.post(classify, content=body).text
    for body in (b"{", b'{"images": [1]}', b'{"images": ["%%"]}', b"[" * 100_000):
        yield client.post(classify, content=body, headers={"Content-Type": "application/json"}).text
        yield client.post("/v2/models/brightness/infer", content=body).text
        yield client.post("/v2/repository/index", content=body).text
    for path in (
        "/v1/nothing",
        "/v1/models/..%2f..%2fnothing",
        "/v1/models/nothing",
        "/v1/models/brightness/versions/x",
        "/v1/models/brightness/layers?nonsense=1",
        "/page/..%2f..%2fapp",
        "/v2/models/brightness/versions/9999999999999999999999",
        "/v2/models/%00",
    ):
        yield client.get(path).text
    for query in ("top_k=x", "top_k=0", "decoding=1", "layer=x&layer=", "format=exe", "channels=9-1", "%ff=%ff"):
        for call in ("classify", "feature-maps", "embeddings", "heatmap", "preprocessed"):
            yield client.post(f"/v1/models/brightness/{call}?{query}", content=picture).text
    yield client.post(classify, content=picture, headers={"Content-Type": "multipart/form-data"}).text
    yield client.post(classify, content=picture, headers={"Content-Type": "multipart/form-data; boundary=x"}).text
    tensor = {"inputs": [{"name": "image", "shape": [1, 3, 99, 99], "datatype": "FP32", "data": [0] * 3 * 99 * 99}]}
    yield client.post("/v2/models/brightness/infer", json=tensor).text


def test_a_failing_runtime_tells_nothing_of_its_source(client: TestClient) -> None:
    """But what it could not do."""
    tensor = {"inputs": [{"name": "x", "shape": [1, 4], "datatype": "FP32", "data": [0, 0, 0, 0]}]}
    answer = client.post("/v2/models/seven/infer", json=tensor)
    assert "cannot be reshaped to the requested shape. Input shape:{1,4}" in answer.text
    assert INSIDES.findall(answer.text) == []


def test_no_error_tells_of_the_inside(client: TestClient, repository: Path) -> None:
    """No path of the machine, no version of a library, no trace, whatever is broken or sent."""
    told = [*errors_of_models(client, repository), *errors_of_requests(client)]
    assert len(told) > 100
    versions = [version(library) for library in LIBRARIES]
    for text in told:
        assert INSIDES.findall(text) == [], text
        assert str(ROOT) not in text
        assert str(repository) not in text
        assert [one for one in versions if one.count(".") > 1 and one in text] == [], text


def test_a_repository_that_is_gone_tells_nothing_of_where_it_was(client: TestClient, repository: Path) -> None:
    """Its last folder is named, as its operator knows it; those above are the machine's."""
    repository.rename(repository.with_name("elsewhere"))
    for path in ("/v2/repository/index", "/v2/repository/models/brightness/load"):
        assert INSIDES.findall(client.post(path, headers=KEY).text) == []

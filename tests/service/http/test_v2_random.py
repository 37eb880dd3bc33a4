"""Whatever is sent to the Open Inference Protocol, an answer comes, in its form, and it is not 500."""

import copy
import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import pytest
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st
from onnx import TensorProto

from service.engine import open_engine
from service.http.app import create_app
from service.settings import Settings
from tests import images, tensor_models, tiny_models
from tests.asgi import Answer, Caller

CASES: Final = 10_000
KEY: Final = "a-key"
MODELS: Final = ("brightness", "simple", "string", "product")
PATHS: Final = (
    "/v2",
    "/v2/",
    "/v2/health/live",
    "/v2/health/ready",
    "/v2/models",
    "/v2/models/stats",
    "/v2/repository/index",
    "/v2/repository/models/unknown/load",
    "/v2/repository/models/unknown/unload",
    *(f"/v2/models/{model}{rest}" for model in MODELS for rest in ("", "/ready", "/config", "/stats")),
    "/v2/models/brightness/versions/1",
    "/v2/models/brightness/versions/1/infer",
)
INFER: Final = tuple(f"/v2/models/{model}/infer" for model in MODELS)

# Where a session was made in this thread, numbers below the normal ones count as zero.
floats = st.floats(allow_subnormal=False)
scalars = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | floats | st.text(max_size=8)
values = st.recursive(
    scalars, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=3)
)
sizes = st.integers(-1, 4) | st.sampled_from([16, 2**31, 2**62])
# What stands somewhere in a request, in the place of what should.
others = (
    values
    | sizes
    | st.lists(sizes, max_size=5)
    | st.lists(st.integers(-2, 300) | floats, min_size=1, max_size=16)
    | st.sampled_from(["FP32", "INT32", "BYTES", "FP16", "BOOL", "logits", "conv", "x", "images", "base64", 1e39])
    | st.sampled_from([{"binary_data_size": 16}, {"classification": 2}, {"binary_data": True}, {"timeout": 10**6}])
)


def tensor(name: str, datatype: str, shape: list[int], data: list[Any]) -> dict[str, Any]:
    """An input in JSON."""
    return {"name": name, "datatype": datatype, "shape": shape, "data": data, "parameters": {}}


GOOD: Final[dict[str, dict[str, Any]]] = {
    "brightness": {
        "id": "1",
        "parameters": {"binary_data_output": True, "priority": 1},
        "inputs": [tensor("images", "FP32", [1, 1, 2, 2], [1, 0.5, 0, -1])],
        "outputs": [
            {"name": "logits", "parameters": {"classification": 2}},
            {"name": "conv", "parameters": {"binary_data": False}},
        ],
    },
    "simple": {"inputs": [tensor(f"INPUT{i}", "INT32", [1, 16], [*range(16)]) for i in range(2)]},
    "string": {"inputs": [tensor("x", "BYTES", [2, 1], ["a", "b"])]},
    "product": {"inputs": [tensor("x", "FP32", [1, 3], [1, 2, 3])], "outputs": [{"name": "y"}]},
}


bodies = (
    st.binary(max_size=64)
    | values.map(lambda value: json.dumps(value).encode())
    | st.sampled_from([b"", b"{}", images.plain(255), images.plain(255)[:40], bytes(16), bytes(128)])
)
headers = st.dictionaries(
    st.sampled_from(
        [
            "content-encoding",
            "accept-encoding",
            "content-type",
            "accept",
            "content-length",
            "authorization",
            "host",
            "inference-header-content-length",
        ]
    ),
    st.sampled_from(["gzip", "deflate", "0", "2", "-1", "application/json", f"Bearer {KEY}", "[::"])
    | st.text(st.characters(max_codepoint=255), max_size=8),
    max_size=3,
)  # fmt: skip


@st.composite
def nearly_right(draw: Any) -> tuple[str, bytes, dict[str, str]]:  # noqa: ANN401  (Hypothesis)
    """A good request, a few of whose values are others or gone; with binary data behind it or not."""
    model = draw(st.sampled_from(sorted(GOOD)))
    request = copy.deepcopy(GOOD[model])
    for _ in range(draw(st.integers(0, 2))):
        _change(draw, request)
    sent = draw(st.just({}) | headers)
    if draw(st.booleans()):
        return model, json.dumps(request).encode(), sent
    if request.get("inputs") and isinstance(request["inputs"], list) and isinstance(request["inputs"][0], dict):
        request["inputs"][0].pop("data", None)
        request["inputs"][0]["parameters"] = {"binary_data_size": draw(st.sampled_from([16, 64, 12, 10, 0]))}
    text = json.dumps(request).encode()
    behind = draw(st.sampled_from([bytes(16), bytes(64), bytes(12), b"\1\0\0\0a" * 2]) | st.binary(max_size=40))
    length = len(text) + draw(st.sampled_from([0, 0, 0, 0, -1, 1]))
    return model, text + behind, {"inference-header-content-length": str(length), **sent}


def _change(draw: Any, inner: Any) -> None:  # noqa: ANN401  (JSON)
    """Put something else somewhere into JSON, or take something out."""
    keys = list(inner) if isinstance(inner, dict) else list(range(len(inner)))
    if not keys:
        return
    key = draw(st.sampled_from(keys))
    if isinstance(inner[key], dict | list) and draw(st.integers(0, 3)):
        _change(draw, inner[key])
    elif draw(st.integers(0, 4)):
        inner[key] = copy.deepcopy(draw(others))  # what is sampled is shared, and may be changed next
    else:
        del inner[key]


@pytest.fixture(scope="module")
def caller(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Caller]:
    """Speaks to an application with networks for images, numbers and text."""
    models: Path = tmp_path_factory.mktemp("models")
    tiny_models.publish(models)
    tiny_models.publish(models, tensor_models.simple(), name="simple", described=False)
    tiny_models.publish(models, tensor_models.identity(TensorProto.STRING), name="string", described=False)
    tiny_models.publish(models, tensor_models.product(), name="product", described=False)
    engine = open_engine(Settings(models=models, device="cpu", threads=1, admin_key=KEY))
    engine.registry.load_all()
    speaking = Caller(create_app(engine))
    yield speaking
    speaking.close()
    engine.close()


def check(answer: Answer) -> None:
    """It is an answer, or an error in the form of the protocol."""
    status, body = answer
    assert 200 <= status < 600
    assert status != 500, body
    if status >= 400:
        found = json.loads(body)
        assert isinstance(found["error"], str)
        assert found["error"]
        assert found.keys() <= {"error", "ready", "live"}


def cases(share: float) -> settings:
    """Settings for a share of the cases; the same ones at each run."""
    return settings(
        max_examples=round(CASES * share),
        deadline=None,
        derandomize=True,
        database=None,
        phases=[Phase.generate],
        suppress_health_check=list(HealthCheck),
    )


@cases(0.3)
@given(st.sampled_from(["GET", "POST", "PUT", "DELETE", "HEAD", "X"]), st.sampled_from(PATHS), bodies, headers)
def test_every_path(caller: Caller, method: str, path: str, body: bytes, sent: dict[str, str]) -> None:
    """Random bytes and JSON, with random headers, by every method."""
    check(caller(method, path, body, sent))


@cases(0.1)
@given(st.sampled_from(["GET", "POST"]), st.text(max_size=12), bodies)
def test_paths_that_are_not_there(caller: Caller, method: str, rest: str, body: bytes) -> None:
    """Whatever is behind /v2/."""
    check(caller(method, "/v2/" + rest, body, {}))


@cases(0.2)
@given(st.sampled_from(INFER), bodies, headers)
def test_inference_with_anything(caller: Caller, path: str, body: bytes, sent: dict[str, str]) -> None:
    """Bytes and JSON that are no requests."""
    check(caller("POST", path, body, sent))


@cases(0.4)
@given(nearly_right())
def test_inference_with_requests(caller: Caller, request_: tuple[str, bytes, dict[str, str]]) -> None:
    """Requests that are nearly right, and some that are."""
    model, body, sent = request_
    check(caller("POST", f"/v2/models/{model}/infer", body, sent))

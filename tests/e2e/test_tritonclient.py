"""Triton's own client, unmodified, against a running service: sync and asyncio."""

import asyncio
import shutil
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from http.client import HTTPConnection
from pathlib import Path
from random import Random
from typing import Any, Final

import httpx2
import numpy as np
import pytest
import tritonclient.http as triton
import tritonclient.http.aio as triton_aio
from numpy.typing import NDArray
from tritonclient.utils import InferenceServerException

from tests import tensor_models, tiny_models
from tests.e2e.conftest import Server, started

NETWORK: Final = "efficientnet-lite0"
LAYER: Final = "_blocks.3"
KEY: Final = "a-key"
HEADERS: Final = {"Authorization": f"Bearer {KEY}"}
ROOT: Final = Path(__file__).parents[2]

TENSOR: Final = np.random.default_rng(0).standard_normal((2, 3, 224, 224)).astype(np.float32)


@pytest.fixture(scope="module")
def service(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a shipped network, and the network of Triton's examples."""
    models = tmp_path_factory.mktemp("models")
    shutil.copytree(ROOT / "models" / NETWORK, models / NETWORK)
    tiny_models.publish(models, tensor_models.simple(), name="simple", described=False)
    with started(models, "--device", "cpu", "--admin-key", KEY) as running:
        yield running


@pytest.fixture
def client(service: Server) -> Iterator[triton.InferenceServerClient]:
    """The client, as its documentation makes it."""
    with triton.InferenceServerClient(service.url.removeprefix("http://")) as client:
        yield client


def tensor(
    data: NDArray[Any], *, name: str = "images", datatype: str = "FP32", binary: bool = True
) -> triton.InferInput:
    """An input of a request."""
    made = triton.InferInput(name, data.shape, datatype)
    made.set_data_from_numpy(data, binary_data=binary)
    return made


def picture(data: bytes) -> triton.InferInput:
    """An encoded image as an input."""
    return tensor(np.array([data], object), datatype="BYTES")


def test_health_and_metadata(client: triton.InferenceServerClient) -> None:
    """Everything that a client looks at before it asks."""
    assert client.is_server_live()
    assert client.is_server_ready()
    assert client.is_model_ready(NETWORK)
    assert client.is_model_ready(NETWORK, "1")
    assert not client.is_model_ready("unknown")
    assert client.get_server_metadata()["name"] == "striate"
    found = client.get_model_metadata(NETWORK)
    assert found["inputs"] == [{"name": "images", "datatype": "FP32", "shape": [-1, 3, 224, 224]}]
    assert found["outputs"] == [{"name": "logits", "datatype": "FP32", "shape": [-1, 1000]}]


def test_what_image_client_reads(client: triton.InferenceServerClient) -> None:
    """Triton's `image_client.py` takes one input and one output, and the format of the input from the configuration."""
    found = client.get_model_config(NETWORK)
    assert (len(found["input"]), len(found["output"])) == (1, 1)
    assert found["max_batch_size"] > 0
    assert found["input"][0]["format"] == "FORMAT_NCHW"
    assert found["input"][0]["dims"] == [3, 224, 224]
    assert found["output"][0]["data_type"] == "TYPE_FP32"


def test_json_and_binary_are_the_same(client: triton.InferenceServerClient) -> None:
    """In each direction."""
    expected = client.infer(NETWORK, [tensor(TENSOR)]).as_numpy("logits")
    assert expected.shape == (2, 1000)
    for given, wanted in ((True, False), (False, True), (False, False)):
        outputs = [triton.InferRequestedOutput("logits", binary_data=wanted)]
        answer = client.infer(NETWORK, [tensor(TENSOR, binary=given)], outputs=outputs, request_id="7")
        assert answer.get_response()["id"] == "7"
        np.testing.assert_array_equal(answer.as_numpy("logits"), expected)


def test_several_inputs_and_outputs(client: triton.InferenceServerClient) -> None:
    """As Triton's `simple_http_infer_client.py` does."""
    first, second = np.arange(16, dtype=np.int32)[np.newaxis], np.ones((1, 16), np.int32)
    inputs = [tensor(first, name="INPUT0", datatype="INT32"), tensor(second, name="INPUT1", datatype="INT32")]
    outputs = [
        triton.InferRequestedOutput("OUTPUT0", binary_data=True),
        triton.InferRequestedOutput("OUTPUT1", binary_data=False),
    ]
    answer = client.infer("simple", inputs, outputs=outputs, query_params={}, priority=1, timeout=10_000_000)
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT0"), first + second)
    np.testing.assert_array_equal(answer.as_numpy("OUTPUT1"), first - second)


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compression(client: triton.InferenceServerClient, coding: str) -> None:
    """Both ways."""
    answer = client.infer(
        NETWORK, [tensor(TENSOR)], request_compression_algorithm=coding, response_compression_algorithm=coding
    )
    assert answer.as_numpy("logits").shape == (2, 1000)


def test_an_image_is_classified(client: triton.InferenceServerClient, service: Server, chelsea: bytes) -> None:
    """Encoded, in a BYTES tensor: the classes are those of /v1, in their order."""
    outputs = [triton.InferRequestedOutput("logits", class_count=3)]
    found = client.infer(NETWORK, [picture(chelsea)], outputs=outputs).as_numpy("logits")
    labels = [text.decode().split(":")[2] for text in found[0]]
    url = f"{service.url}/v1/models/{NETWORK}/classify?top_k=3"
    (expected,) = httpx2.post(url, content=chelsea, timeout=60).json()["results"]
    assert labels == [prediction["label"] for prediction in expected["predictions"]]


def test_a_feature_map_equals_that_of_v1(client: triton.InferenceServerClient, service: Server, chelsea: bytes) -> None:
    """To the bit."""
    outputs = [triton.InferRequestedOutput(LAYER)]
    found = client.infer(NETWORK, [picture(chelsea)], outputs=outputs).as_numpy(LAYER)
    url = f"{service.url}/v1/models/{NETWORK}/feature-maps?layer={LAYER}&format=npy"
    body = httpx2.post(url, content=chelsea, timeout=60).content
    np.testing.assert_array_equal(found, np.frombuffer(body[-found.nbytes :], np.float32).reshape(found.shape))


def test_errors_are_understood(client: triton.InferenceServerClient) -> None:
    """The client finds the message where it looks for it."""
    with pytest.raises(InferenceServerException, match="no model 'unknown'"):
        client.infer("unknown", [tensor(TENSOR)])
    with pytest.raises(InferenceServerException, match="no output 'unknown'"):
        client.infer(NETWORK, [tensor(TENSOR)], outputs=[triton.InferRequestedOutput("unknown")])
    with pytest.raises(InferenceServerException, match="has shape"):
        client.infer(NETWORK, [tensor(TENSOR[:, :1])])


def test_statistics(client: triton.InferenceServerClient) -> None:
    """They grow with what is asked."""
    (before,) = client.get_inference_statistics(NETWORK)["model_stats"]
    client.infer(NETWORK, [tensor(TENSOR)])
    (after,) = client.get_inference_statistics(NETWORK, "1")["model_stats"]
    assert after["inference_count"] - before["inference_count"] == 2
    assert after["execution_count"] - before["execution_count"] == 1
    assert after["inference_stats"]["compute_infer"]["ns"] > before["inference_stats"]["compute_infer"]["ns"]


def test_models_are_unloaded_and_loaded(client: triton.InferenceServerClient) -> None:
    """With the key, and not without it."""
    listed = {entry["name"]: entry["state"] for entry in client.get_model_repository_index()}
    assert listed == {NETWORK: "READY", "simple": "READY"}
    with pytest.raises(InferenceServerException, match="takes a key of the role admin"):
        client.unload_model("simple")
    client.unload_model("simple", headers=HEADERS)
    assert not client.is_model_ready("simple")
    assert {"name": "simple", "version": "1", "state": "UNAVAILABLE", "reason": "unloaded"} in (
        client.get_model_repository_index()
    )
    client.load_model("simple", headers=HEADERS)
    assert client.is_model_ready("simple")


def test_asyncio(service: Server, chelsea: bytes) -> None:
    """The other client that comes with it, many requests at once."""

    async def ask() -> None:
        async with triton_aio.InferenceServerClient(service.url.removeprefix("http://")) as client:
            assert await client.is_server_live()
            assert await client.is_model_ready(NETWORK)
            assert (await client.get_model_metadata(NETWORK))["name"] == NETWORK
            assert (await client.get_model_config(NETWORK))["name"] == NETWORK
            assert (await client.get_model_repository_index())[0]["name"] == NETWORK
            alone = await client.infer(NETWORK, [tensor(TENSOR[:1])])
            together = await asyncio.gather(*(client.infer(NETWORK, [tensor(TENSOR[:1])]) for _ in range(4)))
            for answer in together:
                np.testing.assert_array_equal(answer.as_numpy("logits"), alone.as_numpy("logits"))
            outputs = [triton.InferRequestedOutput("logits", class_count=1)]
            found = await client.infer(NETWORK, [picture(chelsea)], outputs=outputs)
            assert found.as_numpy("logits")[0, 0].endswith(b"cat")
            assert (await client.get_inference_statistics(NETWORK))["model_stats"]

    asyncio.run(ask())


def send_garbage(server: Server, stop: threading.Event) -> int:
    """Keep a connection busy with requests that make no sense, and open it again where the server ends it."""
    random = Random(0)  # noqa: S311  (nothing secret)
    refused = 0
    while not stop.is_set():
        with closing(HTTPConnection("127.0.0.1", server.port, timeout=30)) as connection:
            for _ in range(50):
                body = random.randbytes(random.randrange(2000))
                length = str(random.choice((0, 10, len(body), -1)))
                headers = {"Inference-Header-Content-Length": length, "Content-Encoding": random.choice(("gzip", ""))}
                connection.request("POST", f"/v2/models/{NETWORK}/infer", body, headers)
                answer = connection.getresponse()
                assert b'"error"' in answer.read()
                refused += 400 <= answer.status < 500
            # No HTTP at all.
            connection.sock.sendall(random.randbytes(200) + b"\r\n\r\n")
    return refused


def test_garbage_is_not_noticed_by_others(service: Server, client: triton.InferenceServerClient) -> None:
    """Two connections are kept open: one sends garbage, the other sends work, and gets the same answer each time."""
    expected = client.infer(NETWORK, [tensor(TENSOR[:1])]).as_numpy("logits")
    stop = threading.Event()
    with ThreadPoolExecutor(1) as pool:
        garbage = pool.submit(send_garbage, service, stop)
        try:
            for _ in range(100):
                answer = client.infer(NETWORK, [tensor(TENSOR[:1])]).as_numpy("logits")
                np.testing.assert_array_equal(answer, expected)
        finally:
            stop.set()
        assert garbage.result() >= 50


def test_a_repository_made_for_triton(tmp_path: Path) -> None:
    """Numbered versions and a `config.pbtxt` beside them, served as they are."""
    models = tmp_path / "models"
    for version in (1, 2, 3):
        tiny_models.publish(models, tiny_models.brightness(), name="onnx", version=version, described=False)
    (models / "onnx" / "labels.txt").write_text("dark\nmiddle\nbright\n")
    (models / "onnx" / "config.pbtxt").write_text(
        """
        name: "onnx"
        platform: "onnxruntime_onnx"
        max_batch_size: 2
        version_policy: { specific: { versions: [1, 2] } }
        input [ { name: "images" data_type: TYPE_FP32 dims: [ 1, 2, 2 ] } ]
        output [ { name: "logits" data_type: TYPE_FP32 dims: [ 3 ] label_filename: "labels.txt" } ]
        instance_group [ { count: 1 kind: KIND_CPU } ]
        """
    )
    with started(models) as running, triton.InferenceServerClient(running.url.removeprefix("http://")) as client:
        assert client.get_model_metadata("onnx")["versions"] == ["1", "2"]
        assert client.get_model_config("onnx")["max_batch_size"] == 2
        outputs = [triton.InferRequestedOutput("logits", class_count=1), triton.InferRequestedOutput("pool_out")]
        whole = client.infer("onnx", [tensor(np.ones((5, 1, 2, 2), np.float32))], outputs=outputs)
        assert whole.get_response()["model_version"] == "2"
        assert whole.as_numpy("logits").tolist() == [[b"2.000000:2:bright"]] * 5

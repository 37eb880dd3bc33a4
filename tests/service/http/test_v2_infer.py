"""Promises of service.http.routes.v2.infer."""

import base64
import gzip
import json
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from fastapi.testclient import TestClient
from onnx import TensorProto

from service.image import described
from service.settings import Decoding, Settings
from tests import images, tensor_models, tiny_models
from tests.service.http.conftest import Connect
from tests.service.http.protocol import HEADER, binary_input, error, infer, tensors

WHITE = np.ones((1, 1, 2, 2), np.float32)
JSON_INPUT = {"name": "images", "datatype": "FP32", "shape": [1, 1, 2, 2], "data": [1, 1, 1, 1]}
JSON_REQUEST: dict[str, Any] = {"inputs": [JSON_INPUT]}


@pytest.fixture
def client(repository: Path, settings: Settings, connect: Connect) -> Iterator[TestClient]:
    """A client of an application that serves `brightness`, and networks for tensors."""
    tiny_models.publish(repository)
    tiny_models.publish(repository, tiny_models.brightness(), name="undescribed", described=False)
    tiny_models.publish(repository, tensor_models.simple(), name="simple", described=False)
    tiny_models.publish(repository, tensor_models.product(), name="product", described=False)
    for name in ("FLOAT", "FLOAT16", "STRING", "BOOL"):
        made = tensor_models.identity(getattr(TensorProto, name))
        tiny_models.publish(repository, made, name=name.lower(), described=False)
    with connect(settings) as client:
        yield client


@pytest.mark.parametrize("asked", ["fast", "exact"])
def test_images_are_decoded_as_asked(
    repository: Path, settings: Settings, connect: Connect, chelsea: bytes, asked: Decoding
) -> None:
    """Fast or exact: the parameter of the request, else the setting; a header tells which."""
    spec = tiny_models.image_input(channels=3, size=5, interpolation="bicubic")
    tiny_models.publish(repository, tiny_models.brightness(channels=3, size=5), input=spec)
    data = struct.pack("<I", len(chelsea)) + chelsea
    request = {"inputs": [binary_input("images", "BYTES", [1], len(data))]}
    with connect(settings.model_copy(update={"decoding": asked})) as client:
        by_setting = infer(client, "brightness", request, data)
    with connect(settings) as client:
        by_parameter = infer(client, "brightness", {**request, "parameters": {"decoding": asked}}, data)
        other = infer(
            client, "brightness", {**request, "parameters": {"decoding": "fast" if asked == "exact" else "exact"}}, data
        )
    assert by_setting.headers["striate-decoding"] == by_parameter.headers["striate-decoding"] == described(asked)
    np.testing.assert_array_equal(tensors(by_setting)["logits"], tensors(by_parameter)["logits"])
    assert not np.array_equal(tensors(other)["logits"], tensors(by_parameter)["logits"])


@pytest.mark.parametrize("asked", ["quick", "", 1, True])
def test_a_way_of_decoding_that_there_is_not_is_refused(client: TestClient, asked: object) -> None:
    """With those that there are."""
    message = error(infer(client, "brightness", {**JSON_REQUEST, "parameters": {"decoding": asked}}))
    assert f"parameter decoding is {asked!r}; accepted: fast, exact" in message


def test_tensors_are_not_decoded(client: TestClient) -> None:
    """And nothing is said of it."""
    assert "striate-decoding" not in infer(client, "brightness", JSON_REQUEST).headers


def test_json_in_json_out(client: TestClient) -> None:
    """Every output of the model, where none is named."""
    answer = infer(client, "brightness", JSON_REQUEST)
    assert answer.headers["content-type"] == "application/json"
    assert HEADER not in answer.headers
    assert answer.json() == {
        "model_name": "brightness",
        "model_version": "1",
        "outputs": [{"name": "logits", "datatype": "FP32", "shape": [1, 3], "data": [0.0, 1.0, 2.0]}],
    }


def test_binary_in_binary_out(client: TestClient) -> None:
    """The header tells where the JSON of the answer ends."""
    request = {
        "id": "7",
        "inputs": [binary_input("images", "FP32", WHITE.shape, WHITE.nbytes)],
        "parameters": {"binary_data_output": True},
    }
    answer = infer(client, "brightness", request, WHITE.tobytes())
    assert answer.headers["content-type"] == "application/octet-stream"
    length = int(answer.headers[HEADER])
    assert json.loads(answer.content[:length])["id"] == "7"
    assert np.frombuffer(answer.content[length:], np.float32).tolist() == [0, 1, 2]


def test_json_and_binary_may_be_mixed(client: TestClient) -> None:
    """In a request and in an answer; outputs come in the order asked for."""
    ones = np.ones((1, 16), np.int32)
    request = {
        "inputs": [
            binary_input("INPUT0", "INT32", [1, 16], 64),
            {"name": "INPUT1", "datatype": "INT32", "shape": [1, 16], "data": [list(range(16))]},
        ],
        "outputs": [
            {"name": "OUTPUT1", "parameters": {"binary_data": True}},
            {"name": "OUTPUT0"},
        ],
    }
    answer = infer(client, "simple", request, ones.tobytes())
    length = int(answer.headers[HEADER])
    head = json.loads(answer.content[:length])
    assert [output["name"] for output in head["outputs"]] == ["OUTPUT1", "OUTPUT0"]
    assert np.frombuffer(answer.content[length:], np.int32).tolist() == [1 - i for i in range(16)]
    assert head["outputs"][1]["data"] == [1 + i for i in range(16)]


def test_an_output_overrides_the_default_of_the_request(client: TestClient) -> None:
    """binary_data goes before binary_data_output."""
    outputs = [{"name": "logits", "parameters": {"binary_data": False}}, {"name": "pool"}]
    answer = infer(
        client, "brightness", {**JSON_REQUEST, "outputs": outputs, "parameters": {"binary_data_output": True}}
    )
    head = json.loads(answer.content[: int(answer.headers[HEADER])])
    assert ["data" in output for output in head["outputs"]] == [True, False]


def test_the_size_of_an_only_binary_input_may_be_left_out(client: TestClient) -> None:
    """There is no doubt whose bytes they are."""
    request = {"inputs": [{"name": "images", "datatype": "FP32", "shape": [1, 1, 2, 2]}]}
    assert tensors(infer(client, "brightness", request, WHITE.tobytes()))["logits"].tolist() == [[0, 1, 2]]


def test_a_raw_body_is_the_tensor(client: TestClient) -> None:
    """Header length 0: no JSON at all, and the answer is binary; the open size follows from the bytes."""
    answer = client.post("/v2/models/brightness/infer", content=WHITE.tobytes() * 2, headers={HEADER: "0"})
    assert tensors(answer)["logits"].tolist() == [[0, 1, 2]] * 2


def test_a_raw_body_may_be_an_image(client: TestClient) -> None:
    """On a model that takes images, bytes that begin as one are one."""
    answer = client.post("/v2/models/brightness/infer", content=images.plain(255), headers={HEADER: "0"})
    assert tensors(answer)["logits"].tolist() == [[0, 1, 2]]


def test_an_empty_batch(client: TestClient) -> None:
    """Zero images give zero rows."""
    request = {"inputs": [binary_input("images", "FP32", [0, 1, 2, 2], 0)]}
    headers = {HEADER: str(len(json.dumps(request)))}
    assert tensors(infer(client, "brightness", request, headers=headers))["logits"].shape == (0, 3)


def test_text_there_and_back(client: TestClient) -> None:
    """BYTES on a network of strings are UTF-8, in JSON and in binary."""
    data = b"".join(struct.pack("<I", len(text)) + text for text in (b"caf\xc3\xa9", b""))
    request = {"inputs": [binary_input("x", "BYTES", [1, 2], len(data))]}
    assert infer(client, "string", request, data).json()["outputs"][0]["data"] == ["café", ""]
    wanted = {**request, "outputs": [{"name": "y", "parameters": {"binary_data": True}}]}
    assert infer(client, "string", wanted, data).content.endswith(data)


def test_booleans_and_half_precision(client: TestClient) -> None:
    """Types of a byte and of two."""
    request: dict[str, Any] = {"inputs": [{"name": "x", "datatype": "BOOL", "shape": [1, 2], "data": [True, False]}]}
    assert infer(client, "bool", request).json()["outputs"][0]["data"] == [True, False]
    half = np.array([[0.5, -2]], np.float16)
    request = {"inputs": [binary_input("x", "FP16", [1, 2], 4)], "parameters": {"binary_data_output": True}}
    assert infer(client, "float16", request, half.tobytes()).content.endswith(half.tobytes())


def test_what_is_not_finite_goes_there_and_back(client: TestClient) -> None:
    """Bare NaN and Infinity, in requests and in answers, as Triton and its clients have them."""
    text = b'{"inputs":[{"name":"x","datatype":"FP32","shape":[1,3],"data":[NaN,-Infinity,Infinity]}]}'
    answer = client.post("/v2/models/float/infer", content=text)
    assert b'"data":[NaN,-Infinity,Infinity]' in answer.content


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_bodies_may_be_compressed(client: TestClient, coding: str) -> None:
    """Both ways; the length of the JSON is that before it was compressed."""
    request = {
        "inputs": [binary_input("x", "FP32", [1, 5000], 20_000)],
        "parameters": {"binary_data_output": True},
    }
    text = json.dumps(request).encode()
    body = text + bytes(20_000)
    packed = gzip.compress(body) if coding == "gzip" else zlib.compress(body)
    headers = {HEADER: str(len(text)), "Content-Encoding": coding, "Accept-Encoding": coding}
    answer = client.post("/v2/models/float/infer", content=packed, headers=headers)
    assert answer.headers["content-encoding"] == coding
    assert int(answer.headers["content-length"]) < 2000
    assert tensors(answer)["y"].tolist() == [[0] * 5000]


def test_a_body_is_limited_after_it_is_decompressed(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 with the limit, however small it arrived."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_body_bytes": 10_000})) as client:
        packed = gzip.compress(bytes(1_000_000))
        answer = client.post("/v2/models/brightness/infer", content=packed, headers={"Content-Encoding": "gzip"})
    assert answer.status_code == 413
    assert "10,000 bytes" in error(answer)


def test_a_body_may_come_in_chunks(client: TestClient) -> None:
    """Its length need not be known before."""
    text = json.dumps(JSON_REQUEST).encode()
    answer = client.post("/v2/models/brightness/infer", content=(text[i : i + 7] for i in range(0, len(text), 7)))
    assert tensors(answer)["logits"].tolist() == [[0, 1, 2]]


def test_a_long_text_may_say_when_it_is_worked_on(client: TestClient) -> None:
    """Its parameters are found too: a wrong one is refused."""
    tensor = {"name": "x", "datatype": "FP32", "shape": [1, 100_000], "data": [0.5] * 100_000}
    request: dict[str, Any] = {"inputs": [tensor], "parameters": {"timeout": 20_000_000}}
    assert tensors(infer(client, "float", request))["y"].shape == (1, 100_000)
    request["parameters"] = {"timeout": "soon"}
    assert "parameter timeout is 'soon'" in error(infer(client, "float", request))


def encoded(form: str) -> tuple[dict[str, Any], tuple[bytes, ...]]:
    """Two images as a BYTES tensor."""
    pictures = [images.plain(255), images.plain(0)]
    if form == "json":
        texts = [base64.b64encode(picture).decode() for picture in pictures]
        head = {"name": "images", "datatype": "BYTES", "shape": [2], "parameters": {"content_type": "base64"}}
        return {"inputs": [{**head, "data": texts}]}, ()
    data = b"".join(struct.pack("<I", len(picture)) + picture for picture in pictures)
    return {"inputs": [binary_input("images", "BYTES", [2, 1], len(data))]}, (data,)


@pytest.mark.parametrize("form", ["json", "binary"])
def test_bytes_are_encoded_images(client: TestClient, form: str) -> None:
    """On a model that takes images they are decoded and fitted as under /v1."""
    request, data = encoded(form)
    assert tensors(infer(client, "brightness", request, *data))["logits"].tolist() == [[0, 1, 2], [0, 0, 0]]


def test_classes_of_an_image(client: TestClient) -> None:
    """With the labels of the model."""
    request, data = encoded("binary")
    request["outputs"] = [{"name": "logits", "parameters": {"classification": 2}}]
    (output,) = infer(client, "brightness", request, *data).json()["outputs"]
    assert (output["datatype"], output["shape"]) == ("BYTES", [2, 2])
    assert output["data"] == ["2.000000:2:bright", "1.000000:1:middle", "0.000000:0:dark", "0.000000:1:middle"]


def test_classes_in_binary(client: TestClient) -> None:
    """Strings with their lengths."""
    wanted = {"name": "logits", "parameters": {"classification": 1, "binary_data": True}}
    answer = infer(client, "brightness", {**JSON_REQUEST, "outputs": [wanted]})
    assert answer.content.endswith(struct.pack("<I", 17) + b"2.000000:2:bright")


@pytest.mark.parametrize("name", ["block.relu", "block", "1", "-3", "tensor:relu_out"])
def test_a_layer_may_be_named_in_outputs(client: TestClient, name: str) -> None:
    """By any of its names, on tensors and on images; the answer calls it as the request does."""
    wanted = {"outputs": [{"name": name}]}
    by_tensor = tensors(infer(client, "brightness", {**JSON_REQUEST, **wanted}))
    request, data = encoded("binary")
    by_image = tensors(infer(client, "brightness", {**request, **wanted}, *data))
    assert by_tensor[name].tolist() == [[[[1, 1], [1, 1]]]]
    assert by_image[name].tolist() == [[[[1, 1], [1, 1]]], [[[0, 0], [0, 0]]]]


def test_layers_and_outputs_in_one_request(client: TestClient) -> None:
    """In the order asked for, the same tensor under two names."""
    names = ["logits", "conv", "head"]
    found = tensors(infer(client, "brightness", {**JSON_REQUEST, "outputs": [{"name": name} for name in names]}))
    assert list(found) == names
    assert found["logits"].tolist() == found["head"].tolist() == [[0, 1, 2]]


def test_a_layer_equals_that_of_v1(client: TestClient) -> None:
    """To the bit."""
    picture = images.encode(np.array([[0, 100], [200, 255]], np.uint8))
    maps = client.post("/v1/models/brightness/feature-maps?layer=conv", content=picture).json()
    data = struct.pack("<I", len(picture)) + picture
    request = {"inputs": [binary_input("images", "BYTES", [1], len(data))], "outputs": [{"name": "conv"}]}
    found = tensors(infer(client, "brightness", request, data))["conv"][0]
    assert found.tolist() == np.array(maps["results"][0]["maps"][0]["data"], np.float32).tolist()


def test_tensors_for_a_model_that_takes_no_images(client: TestClient) -> None:
    """An ONNX file without metadata serves tensors and layers."""
    found = tensors(infer(client, "undescribed", {**JSON_REQUEST, "outputs": [{"name": "conv_out"}]}))
    assert found["conv_out"].tolist() == WHITE.tolist()


def changed(**changes: object) -> dict[str, Any]:
    """The JSON request with another input."""
    return {"inputs": [{**JSON_INPUT, **changes}]}


@pytest.mark.parametrize(
    ("model", "request_", "said"),
    [
        pytest.param("brightness", {}, "inputs: Field required", id="no inputs"),
        pytest.param("brightness", {"inputs": []}, "at least 1 item", id="no input"),
        pytest.param("brightness", [], "no inference request", id="no object"),
        pytest.param("brightness", {**JSON_REQUEST, "id": 5}, "id: ", id="id"),
        pytest.param("brightness", changed(shape=[2**61, 8, 2, 2]), "too large", id="overflow"),
        pytest.param("brightness", changed(shape=[2**70]), "inputs.0.shape.0", id="huge"),
        pytest.param("brightness", changed(shape=[-1, 1, 2, 2]), "holds -1; sizes are 0 or more", id="negative"),
        pytest.param("brightness", changed(shape=[1, 1, 1, 4]), "has shape [-1, 1, 2, 2]", id="other shape"),
        pytest.param("brightness", changed(shape=[4]), "has shape [-1, 1, 2, 2]", id="other rank"),
        pytest.param("brightness", changed(datatype="FP64"), "is FP32; the request has FP64", id="datatype"),
        pytest.param("brightness", changed(datatype="FP31"), "accepted: BOOL", id="unknown datatype"),
        pytest.param("brightness", changed(data=[1, 1, 1]), "has 3 elements; 4 are needed", id="few elements"),
        pytest.param("brightness", changed(data=None), "one of data and binary_data_size; it has none", id="no data"),
        pytest.param(
            "brightness", changed(parameters={"binary_data_size": 16}), "it has both", id="data in both places"
        ),
        pytest.param(
            "brightness",
            changed(data=None, parameters={"binary_data_size": 16}),
            "16 are missing",
            id="binary data without a header",
        ),
        pytest.param(
            "brightness", changed(parameters={"shared_memory_region": "r"}), "shared memory", id="shared memory"
        ),
        pytest.param("brightness", changed(name="pictures"), "has no input 'pictures'; its inputs: images", id="input"),
        pytest.param("brightness", {"inputs": [JSON_INPUT, JSON_INPUT]}, "names 'images' twice", id="input twice"),
        pytest.param(
            "simple",
            {"inputs": [{"name": "INPUT0", "datatype": "INT32", "shape": [1, 16], "data": [0] * 16}]},
            "needs input 'INPUT1', which is missing",
            id="input missing",
        ),
        pytest.param(
            "simple",
            {
                "inputs": [
                    {"name": f"INPUT{i}", "datatype": "INT32", "shape": [i + 1, 16], "data": [0] * 16 * (i + 1)}
                    for i in range(2)
                ]
            },
            "the inputs differ in their batch",
            id="batches",
        ),
        pytest.param(
            "brightness", {**JSON_REQUEST, "outputs": [{"name": "logit"}]}, "no output 'logit'; its outputs: logits",
            id="output",
        ),
        pytest.param(
            "brightness", {**JSON_REQUEST, "outputs": [{"name": "logits"}] * 2}, "names 'logits' twice",
            id="output twice",
        ),
        pytest.param(
            "brightness",
            {**JSON_REQUEST, "outputs": [{"name": "logits", "parameters": {"classification": 0}}]},
            "classification of output 'logits' is 0",
            id="no classes",
        ),
        pytest.param(
            "brightness", {**JSON_REQUEST, "parameters": {"binary_data_output": 1}}, "accepted: true, false", id="flag"
        ),
        pytest.param("brightness", {**JSON_REQUEST, "parameters": {"timeout": -1}}, "0 or more", id="timeout"),
        pytest.param("brightness", {**JSON_REQUEST, "parameters": {"priority": "1"}}, "0 or more", id="priority"),
        pytest.param("brightness", {**JSON_REQUEST, "parameters": {"sequence_id": 4}}, "keeps a state", id="sequence"),
        pytest.param("brightness", {**JSON_REQUEST, "parameters": {"triton_x": 1}}, "reserved", id="reserved"),
        pytest.param("brightness", changed(datatype="BYTES", shape=[1], data=["a"]), "", id="text for an image"),
        pytest.param(
            "brightness", changed(datatype="BYTES", shape=[0], data=[]), "encoded images have [N]", id="no images"
        ),
        pytest.param(
            "undescribed", changed(datatype="BYTES", shape=[1], data=["a"]), "metadata.json", id="image for tensors"
        ),
        pytest.param(
            "product",
            {"inputs": [{"name": "x", "datatype": "FP32", "shape": [1, 1], "data": [1]}]},
            "cannot compute with inputs of these shapes (x [1, 1])",
            id="too small for the network",
        ),
        pytest.param(
            "float16",
            {"inputs": [{"name": "x", "datatype": "FP16", "shape": [1, 1], "data": [1]}]},
            "JSON cannot carry",
            id="half precision in JSON",
        ),
    ],
)  # fmt: skip
def test_a_request_that_cannot_be_used_is_refused(client: TestClient, model: str, request_: Any, said: str) -> None:  # noqa: ANN401
    """In the form of the protocol, with the reason: 400, or 415 for bytes that are no image."""
    answer = infer(client, model, request_)
    assert answer.status_code in (400, 415)
    assert said in error(answer)


@pytest.mark.parametrize(
    ("length", "body", "said"),
    [
        pytest.param("-1", b"{}", "accepted: the length", id="negative"),
        pytest.param("x", b"{}", "accepted: the length", id="no number"),
        pytest.param("9" * 5000, b"{}", "accepted: the length", id="digits"),
        pytest.param("99", b"{}", "the body has 2 bytes", id="too long"),
        pytest.param("1", b"{}", "cannot be read", id="too short"),
        pytest.param("0", b"123", "are needed for FP32", id="raw"),
    ],
)
def test_a_length_that_cannot_be_is_refused(client: TestClient, length: str, body: bytes, said: str) -> None:
    """400 with the reason."""
    answer = client.post("/v2/models/brightness/infer", content=body, headers={HEADER: length})
    assert answer.status_code == 400
    assert said in error(answer)


def test_bytes_behind_the_tensors_are_refused(client: TestClient) -> None:
    """Neither more nor fewer than the request says."""
    request = {"inputs": [binary_input("images", "FP32", [1, 1, 2, 2], 16)]}
    assert "1 bytes are left over" in error(infer(client, "brightness", request, WHITE.tobytes() + b"x"))
    assert "1 are missing" in error(infer(client, "brightness", request, WHITE.tobytes()[:-1]))


def test_half_a_surrogate_pair_is_refused(client: TestClient) -> None:
    """It could not be written back; NaN makes the request go another way."""
    text = b'{"id":"\\ud800","inputs":[{"name":"x","datatype":"FP32","shape":[1,1],"data":[NaN]}]}'
    assert "cannot be read" in error(client.post("/v2/models/float/infer", content=text))


def test_an_unreadable_host_does_not_change_the_form(client: TestClient) -> None:
    """The form of an error hangs on the path, not on what the caller calls the server."""
    answer = client.get("/v2/nowhere", headers={"Host": "[::"})
    assert answer.status_code == 404
    assert "nothing at /v2/nowhere" in error(answer)


def test_an_answer_that_is_too_large_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 before anything is computed."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_answer_bytes": 20})) as client:
        answer = infer(client, "brightness", JSON_REQUEST)
    assert answer.status_code == 413
    assert "20 are allowed" in error(answer)


def test_more_outputs_than_allowed_are_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 with the limit, before anything is computed."""
    tiny_models.publish(repository)
    request = {**JSON_REQUEST, "outputs": [{"name": "0"}, {"name": "1"}]}
    with connect(settings.model_copy(update={"max_layers": 1})) as client:
        answer = infer(client, "brightness", request)
    assert answer.status_code == 413
    assert "1 are allowed (setting max_layers)" in error(answer)


def test_json_deeper_than_allowed_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """400 with the limit."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_json_depth": 1})) as client:
        flat = infer(client, "brightness", JSON_REQUEST)
        nested = infer(client, "brightness", {"inputs": [{**JSON_INPUT, "data": [JSON_INPUT["data"]]}]})
    assert (flat.status_code, nested.status_code) == (200, 400)
    assert "more than 1 deep (setting max_json_depth)" in error(nested)


def test_json_with_more_values_than_allowed_is_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 with the limit; where a long text has them, and the numbers of tensors are none of them."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_json_values": 1024})) as client:
        data = infer(client, "brightness", {"inputs": [{**JSON_INPUT, "data": [0.5] * 50_000}]})
        other = infer(client, "brightness", {"inputs": [{**JSON_INPUT, "date": [0.5] * 50_000}]})
        timeout = infer(client, "brightness", {"timeout": [0.5] * 100_000})
    assert (data.status_code, other.status_code, timeout.status_code) == (400, 413, 413)
    assert "at most 1,024 are accepted (setting max_json_values): send tensors in binary" in error(other)


def test_more_images_than_accepted_are_refused(repository: Path, settings: Settings, connect: Connect) -> None:
    """413 with the limit."""
    tiny_models.publish(repository)
    request, data = encoded("binary")
    with connect(settings.model_copy(update={"max_images": 1})) as client:
        answer = infer(client, "brightness", request, *data)
    assert answer.status_code == 413


def test_one_version_may_be_named(repository: Path, settings: Settings, connect: Connect) -> None:
    """The answer says which one it was."""
    for version in (1, 2):
        tiny_models.publish(repository, version=version)
    with connect(settings) as client:
        url = "/v2/models/brightness/versions/1/infer"
        assert client.post(url, json=JSON_REQUEST).json()["model_version"] == "1"
        assert infer(client, "brightness", JSON_REQUEST).json()["model_version"] == "2"


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/v2/models/brightness/infer", 405),
        ("POST", "/v2/models/brightness", 405),
        ("DELETE", "/v2", 405),
        ("POST", "/v2/models/unknown/infer", 404),
        ("POST", "/v2/models/brightness/versions/9/infer", 404),
        ("POST", "/v2/models/brightness/versions/x/infer", 404),
        ("GET", "/v2/models/brightness/nowhere", 404),
        ("GET", "/v2/models/brightness?x=1", 400),
    ],
)
def test_errors_have_the_form_of_the_protocol(client: TestClient, method: str, path: str, status: int) -> None:
    """Everything under /v2."""
    answer = client.request(method, path)
    assert answer.status_code == status
    assert error(answer)


@pytest.mark.parametrize("version", ["", "/versions/1"])
def test_a_parameter_in_the_query_is_refused(client: TestClient, version: str) -> None:
    """There is none, and one that was meant for another route must not be ignored."""
    answer = client.post(f"/v2/models/brightness{version}/infer?top_k=3", json=JSON_REQUEST)
    assert (answer.status_code, answer.json()["error"]) == (400, "there is no parameter 'top_k'; accepted: none here")

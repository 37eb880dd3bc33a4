"""The binary tensor data extension, compression, and the classification extension."""

import gzip
import json
import math
import struct
import zlib

import numpy as np
import pytest

from tests.conformance.conftest import DTYPES, HEADER, Check, Target, reply


@pytest.fixture(autouse=True)
def binary(target: Target) -> None:
    """All of these need the extension."""
    target.needs("binary_tensor_data")


def test_binary_in_json_out(target: Target) -> None:
    """Tensors behind the JSON are those in it.

    Specification: If any binary data is present in the request or response the Inference-Header-Content-Length
    header must be provided to give the length of the JSON object.
    """
    found = target.infer(*target.binary_request())
    assert found.json["outputs"] == target.infer(target.request()).json["outputs"]
    assert HEADER not in found.http.headers


def test_binary_out(target: Target) -> None:
    """All outputs come in binary, one behind the other.

    Specification: bool parameter that is true if all outputs should be returned as binary data and false (or
    not given) if the outputs should be returned as JSON.
    """
    found = target.infer(*target.binary_request(parameters={"binary_data_output": True}))
    start = 0
    for output in found.json["outputs"]:
        size = output["parameters"]["binary_data_size"]
        assert "data" not in output
        if output["datatype"] in DTYPES:
            dtype = np.dtype(DTYPES[output["datatype"]])
            assert size == math.prod(output["shape"]) * dtype.itemsize
        start += size
    assert start == len(found.binary)


def test_binary_equals_json(target: Target) -> None:
    """The bytes of an output are its values in JSON.

    Specification: Tensor data represented as binary data is organized in little-endian byte order, row major,
    without stride or padding between elements.
    """
    as_json = target.infer(target.request()).json["outputs"][0]
    if as_json["datatype"] not in DTYPES:
        pytest.skip("the output is text")
    wanted = [{"name": as_json["name"], "parameters": {"binary_data": True}}]
    found = np.frombuffer(target.infer(target.request(outputs=wanted)).binary, DTYPES[as_json["datatype"]])
    np.testing.assert_allclose(found, np.array(as_json["data"]).reshape(-1), rtol=1e-5)


def test_an_output_overrides_the_request(target: Target) -> None:
    """What an output says goes before what the request says.

    Specification: If "binary_data" is specified on an output it overrides this setting.
    """
    name = target.metadata["outputs"][0]["name"]
    wanted = [{"name": name, "parameters": {"binary_data": False}}]
    found = target.infer(target.request(outputs=wanted, parameters={"binary_data_output": True}))
    assert "data" in found.json["outputs"][0]
    assert not found.binary


def test_a_raw_body(target: Target) -> None:
    """With header length 0 the body is the one input, and the answer is binary (Triton, raw binary request).

    Specification: All tensor data types are representable as binary data in the native size of the data type.
    """
    if len(target.inputs) != 1 or target.metadata["inputs"][0]["shape"].count(-1) > 1:
        pytest.skip("a raw body is for one input with one open size")
    _, data = target.binary_request()
    found = reply(target.client.post(f"{target.path}/infer", content=data, headers={HEADER: "0"}))
    assert all("binary_data_size" in output["parameters"] for output in found.json["outputs"])


@pytest.mark.parametrize("length", ["-1", "text", "999999999"])
def test_a_length_that_cannot_be(target: Target, refused: Check, length: str) -> None:
    """The JSON does not end outside the body.

    Specification: the Inference-Header-Content-Length header must be provided to give the length of the JSON
    object
    """
    request, data = target.binary_request()
    body = json.dumps(request).encode() + data
    answer = target.client.post(f"{target.path}/infer", content=body, headers={HEADER: length})
    assert refused(answer)
    assert answer.status_code < 500


@pytest.mark.parametrize("change", [-1, 1], ids=["missing", "left over"])
def test_bytes_that_do_not_fit(target: Target, refused: Check, change: int) -> None:
    """Neither more nor fewer bytes come than the request says.

    Specification: int64 parameter indicating the size of the tensor binary data, in bytes.
    """
    request, data = target.binary_request()
    answer = target.send(request, data[:change] if change < 0 else data + b"\0")
    assert refused(answer)
    assert answer.status_code < 500


def test_data_in_two_places(target: Target, refused: Check) -> None:
    """A tensor is in the JSON or behind it.

    Specification: The binary data for a tensor is delivered in the HTTP body after the JSON object.
    """
    request, data = target.binary_request()
    request["inputs"][0]["data"] = target.request()["inputs"][0]["data"]
    assert refused(target.send(request, data))


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_requests(target: Target, coding: str) -> None:
    """The length of the JSON is that before it was compressed (RFC 9110, 8.4).

    Specification: Content-Length continues to give the full body length (as HTTP requires).
    """
    request, data = target.binary_request()
    text = json.dumps(request).encode()
    packed = gzip.compress(text + data) if coding == "gzip" else zlib.compress(text + data)
    headers = {HEADER: str(len(text)), "Content-Encoding": coding}
    answer = target.client.post(f"{target.path}/infer", content=packed, headers=headers)
    assert reply(answer).json["outputs"]


@pytest.mark.parametrize("coding", ["gzip", "deflate"])
def test_compressed_answers(target: Target, coding: str) -> None:
    """An answer comes in the coding that is accepted, or in none (RFC 9110, 12.5.3).

    Specification: A successful inference request is indicated by a 200 HTTP status code.
    """
    answer = target.send(target.request(), accept_encoding=coding)
    assert answer.headers.get("content-encoding", coding) == coding
    assert reply(answer).json["outputs"]


def test_classes(target: Target) -> None:
    """As many as are asked for, the best first.

    Specification: The format of the returned string will be “<value>:<index>[:<label>]” (Triton,
    classification).
    """
    target.needs("classification")
    name = target.metadata["outputs"][0]["name"]
    wanted = [{"name": name, "parameters": {"classification": 3}}]
    (found,) = target.infer(target.request(outputs=wanted)).json["outputs"]
    assert found["datatype"] in ("BYTES", "STRING")
    parts = [text.split(":") for text in np.array(found["data"]).reshape(-1)]
    values = [float(value) for value, *_ in parts]
    assert values == sorted(values, reverse=True)
    assert all(index.isdecimal() for _, index, *_ in parts)


def test_classes_in_binary(target: Target) -> None:
    """Each string has its length in front.

    Specification: For BYTES type an element is represented by a 4-byte unsigned integer giving the length
    followed by the actual bytes.
    """
    target.needs("classification")
    name = target.metadata["outputs"][0]["name"]
    wanted = [{"name": name, "parameters": {"classification": 1, "binary_data": True}}]
    found = target.infer(target.request(outputs=wanted))
    (length,) = struct.unpack_from("<I", found.binary)
    assert b":" in found.binary[4 : 4 + length]

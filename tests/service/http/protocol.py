"""Requests of the Open Inference Protocol, put together byte by byte."""

import json
from collections.abc import Mapping, Sequence
from typing import Any

import httpx2
import numpy as np
from fastapi.testclient import TestClient
from numpy.typing import NDArray

HEADER = "Inference-Header-Content-Length"


def binary_input(name: str, datatype: str, shape: Sequence[int], size: int) -> dict[str, Any]:
    """An input whose bytes are behind the JSON."""
    return {"name": name, "datatype": datatype, "shape": list(shape), "parameters": {"binary_data_size": size}}


def infer(
    client: TestClient,
    model: str,
    request: Mapping[str, Any],
    *tensors: bytes,
    headers: Mapping[str, str] | None = None,
) -> httpx2.Response:
    """Ask for an inference: JSON, and tensors behind it where there are any."""
    text = json.dumps(request).encode()
    length = {HEADER: str(len(text))} if tensors else {}
    body = b"".join((text, *tensors))
    return client.post(f"/v2/models/{model}/infer", content=body, headers={**length, **(headers or {})})


def tensors(answer: httpx2.Response) -> dict[str, NDArray[np.float32]]:
    """The float32 tensors of an answer, in JSON or in binary."""
    assert answer.status_code == 200, answer.text
    end = int(answer.headers.get(HEADER, len(answer.content)))
    found: dict[str, NDArray[np.float32]] = {}
    for output in json.loads(answer.content[:end])["outputs"]:
        size = output.get("parameters", {}).get("binary_data_size")
        if size is None:
            values = np.array(output["data"], np.float32)
        else:
            values = np.frombuffer(answer.content[end : end + size], np.float32)
            end += size
        found[output["name"]] = values.reshape(output["shape"])
    return found


def error(answer: httpx2.Response) -> str:
    """The message of an error: its form is that of the protocol, exactly."""
    assert answer.status_code >= 400
    found = answer.json()
    assert list(found) == ["error"]
    return str(found["error"])

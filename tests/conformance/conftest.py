"""Runs against any server: `pytest tests/conformance --url http://localhost:8000 --model NAME`.

Without `--url` the service itself is started, with the models that it ships.  A test that is about an extension which
the server does not advertise is skipped.
"""

import json
import math
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final
from urllib.parse import quote

import httpx2
import numpy as np
import pytest

from tests.e2e.conftest import ROOT, started

MODEL: Final = "efficientnet-lite0"
HEADER: Final = "Inference-Header-Content-Length"
DTYPES: Final[Mapping[str, str]] = {
    "BOOL": "?",
    "UINT8": "u1",
    "UINT16": "<u2",
    "UINT32": "<u4",
    "UINT64": "<u8",
    "INT8": "i1",
    "INT16": "<i2",
    "INT32": "<i4",
    "INT64": "<i8",
    "FP16": "<f2",
    "FP32": "<f4",
    "FP64": "<f8",
}


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which server is tested, and with which of its models."""
    parser.addoption("--url", help="a running server; without it, this service is started")
    parser.addoption("--model", help=f"a model whose inputs are numbers (default: {MODEL})")


@dataclass(frozen=True)
class Reply:
    """An answer to an inference: its JSON, and the bytes behind it.

    Args:
        http: The answer as it came.
        json: Its JSON object.
        binary: What is behind the JSON.
    """

    http: httpx2.Response
    json: Mapping[str, Any]
    binary: bytes


@dataclass(frozen=True)
class Target:
    """A server, and the model that is asked.

    Args:
        client: Speaks to it.
        model: The name of the model.
        metadata: Of the model.
        extensions: What the server says that it has.
    """

    client: httpx2.Client
    model: str
    metadata: Mapping[str, Any]
    extensions: Sequence[str]

    @property
    def path(self) -> str:
        """Of the model."""
        return f"/v2/models/{quote(self.model)}"

    @property
    def inputs(self) -> list[tuple[str, str, list[int]]]:
        """Name, datatype and shape of each input; sizes that are open are 1."""
        return [
            (tensor["name"], tensor["datatype"], [max(size, 1) for size in tensor["shape"]])
            for tensor in self.metadata["inputs"]
        ]

    def request(self, **changes: object) -> dict[str, Any]:
        """A request in JSON, all zeros."""
        inputs = [
            {"name": name, "datatype": datatype, "shape": shape, "data": _zeros(datatype, shape)}
            for name, datatype, shape in self.inputs
        ]
        return {"inputs": inputs, **changes}

    def binary_request(self, **changes: object) -> tuple[dict[str, Any], bytes]:
        """A request whose tensors are behind the JSON, all zeros."""
        inputs, parts = [], []
        for name, datatype, shape in self.inputs:
            part = bytes(math.prod(shape) * np.dtype(DTYPES[datatype]).itemsize)
            parameters = {"binary_data_size": len(part)}
            inputs.append({"name": name, "datatype": datatype, "shape": shape, "parameters": parameters})
            parts.append(part)
        return {"inputs": inputs, **changes}, b"".join(parts)

    def send(self, request: object, binary: bytes | None = None, **headers: str) -> httpx2.Response:
        """Send an inference request, whatever it is."""
        text = json.dumps(request).encode()
        sent = {name.replace("_", "-"): value for name, value in headers.items()}
        if binary is not None:
            sent[HEADER] = str(len(text))
        return self.client.post(f"{self.path}/infer", content=text + (binary or b""), headers=sent)

    def infer(self, request: object, binary: bytes | None = None) -> Reply:
        """Send a request that must succeed."""
        return reply(self.send(request, binary))

    def needs(self, extension: str) -> None:
        """Skip a test about an extension that the server does not have."""
        if extension not in self.extensions:
            pytest.skip(f"the server does not advertise {extension}")


def reply(answer: httpx2.Response) -> Reply:
    """Take an answer that must be a success apart."""
    assert answer.status_code == 200, answer.text
    end = int(answer.headers.get(HEADER, len(answer.content)))
    return Reply(answer, json.loads(answer.content[:end]), answer.content[end:])


def _zeros(datatype: str, shape: Sequence[int]) -> list[object]:
    zero: object = False if datatype == "BOOL" else 0
    return [zero] * math.prod(shape)


@pytest.fixture(scope="session")
def url(request: pytest.FixtureRequest) -> Iterator[str]:
    """Where the server is."""
    given = request.config.getoption("--url", default=None)
    if given:
        yield given
        return
    with started(ROOT / "models", "--admin-key", "conformance") as running:
        yield running.url


@pytest.fixture(scope="session")
def target(url: str, request: pytest.FixtureRequest) -> Iterator[Target]:
    """The server and the model."""
    model = request.config.getoption("--model", default=None) or MODEL
    with httpx2.Client(base_url=url, timeout=60) as client:
        metadata = client.get(f"/v2/models/{quote(model)}")
        assert metadata.status_code == 200, f"{url} does not serve {model!r}: name another one with --model"
        extensions = client.get("/v2").json().get("extensions", [])
        yield Target(client, model, metadata.json(), extensions)


Check = Callable[[httpx2.Response], str]


@pytest.fixture
def refused() -> Check:
    """Checks that an answer is an error in the form of the protocol, and returns its message."""

    def check(answer: httpx2.Response) -> str:
        assert 400 <= answer.status_code < 600, answer.status_code
        assert isinstance(answer.json()["error"], str)
        return str(answer.json()["error"])

    return check

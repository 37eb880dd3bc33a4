"""The server and its health (Open Inference Protocol, "Health", "Server Metadata")."""

import httpx2
import pytest

from tests.conformance.conftest import Check, Target


def test_live(target: Target) -> None:
    """A server that runs is live.

    Specification: The “server live” health API indicates if the inference server is able to receive and respond
    to metadata and inference requests.
    """
    assert target.client.get("/v2/health/live").status_code == 200


def test_ready(target: Target) -> None:
    """A server whose models are loaded is ready.

    Specification: The “server ready” health API indicates if all the models are ready for inferencing.
    """
    assert target.client.get("/v2/health/ready").status_code == 200


def test_server_metadata(target: Target) -> None:
    """The server names itself, its version and its extensions.

    Specification: A successful server metadata request is indicated by a 200 HTTP status code.
    """
    answer = target.client.get("/v2")
    assert answer.status_code == 200
    found = answer.json()
    assert isinstance(found["name"], str)
    assert isinstance(found["version"], str)
    assert all(isinstance(extension, str) for extension in found["extensions"])


def test_a_path_that_is_not_there(target: Target, refused: Check) -> None:
    """A path that is none is an error in the form of the protocol.

    Specification: The HTTP body must contain the $metadata_server_error_response object.
    """
    refused(target.client.get("/v2/nothing/is/here"))


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/v2"])
def test_the_method_is_get(target: Target, path: str) -> None:
    """Another method than GET is an error.

    Specification: A server metadata request is made with an HTTP GET to a server metadata endpoint.
    """
    answer: httpx2.Response = target.client.delete(path)
    assert answer.status_code >= 400

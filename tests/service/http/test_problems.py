"""Promises of service.http.problems."""

import asyncio
import inspect

import pytest
from fastapi import FastAPI, HTTPException, Request
from fastapi.testclient import TestClient

from service import errors
from service.http import problems


def test_every_error_has_a_status() -> None:
    """No class of the tree is missing from the table."""
    tree = {
        cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.StriateError) and not name.startswith("_")
    }
    assert tree == set(problems.STATUS)


def test_a_problem_has_the_fields_of_rfc_9457(client: TestClient) -> None:
    """With its own media type, and the nearest names where one was not known."""
    answer = client.get("/v1/models/brigthness")
    assert answer.headers["content-type"] == "application/problem+json"
    assert answer.json() == {
        "type": "urn:striate:unknown-model",
        "title": "Not Found",
        "status": 404,
        "detail": "no model 'brigthness'; the nearest: brightness",
        "nearest": ["brightness"],
    }


@pytest.mark.parametrize("path", ["/nothing", "/v1/nothing", "/v1/models/brightness/nothing", "/v1/models/"])
def test_a_path_that_leads_nowhere_is_a_problem(client: TestClient, path: str) -> None:
    """The answer says which path."""
    answer = client.get(path)
    assert (answer.status_code, answer.headers["content-type"]) == (404, "application/problem+json")
    assert answer.json()["detail"] == f"there is nothing at {path}; /docs lists what there is"


@pytest.mark.parametrize(
    ("path", "allowed"),
    [
        ("/v1/models", "GET, HEAD"),
        ("/v1/models/brightness", "GET, HEAD"),
        ("/v1/models/brightness/classify", "POST, PUT"),
        ("/v1/models/brightness/versions/1/feature-maps", "POST, PUT"),
        ("/v2/models/brightness/infer", "POST"),
    ],
)
def test_a_wrong_method_is_a_problem(client: TestClient, path: str, allowed: str) -> None:
    """The answer says which would be right."""
    answer = client.delete(path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)
    said = f"DELETE is not for {path}; accepted: {allowed}"
    assert (answer.json().get("detail") or answer.json()["error"]) == said


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/", 200),
        ("/docs", 200),
        ("/metrics", 200),
        ("/openapi.json", 200),
        ("/v1/models", 200),
        ("/v1/models/nothing", 404),
        ("/v1/models/brightness/classify", 405),
        ("/v2/health/live", 200),
        ("/v2/health/ready", 200),
        ("/v2/models/brightness", 200),
    ],
)
def test_head_is_for_whatever_can_be_fetched(client: TestClient, path: str, status: int) -> None:
    """The status and the headers are those of GET."""
    got, asked = client.get(path), client.head(path)
    assert asked.status_code == got.status_code == status
    assert asked.headers.keys() == got.headers.keys()
    assert asked.headers["content-type"] == got.headers["content-type"]


@pytest.mark.parametrize(("method", "path", "status"), [("GET", "/v2/nothing", 404), ("POST", "/v2/health/live", 405)])
def test_under_v2_an_error_is_as_the_protocol_says(client: TestClient, method: str, path: str, status: int) -> None:
    """`{"error": "…"}`, and nothing else."""
    answer = client.request(method, path)
    assert (answer.status_code, answer.headers["content-type"]) == (status, "application/json")
    assert list(answer.json()) == ["error"]


def test_a_bug_tells_nothing_of_the_inside(client: TestClient) -> None:
    """The caller learns that the service has a fault, not which."""
    assert isinstance(client.app, FastAPI)

    @client.app.get("/fail")
    def fail() -> None:
        raise RuntimeError("a secret")

    answer = client.get("/fail")
    assert (answer.status_code, answer.json()["type"]) == (500, "urn:striate:internal")
    assert "secret" not in answer.text


def test_what_an_error_of_http_says_is_told(client: TestClient) -> None:
    """Where it is neither a path that leads nowhere nor a wrong method."""
    assert isinstance(client.app, FastAPI)

    @client.app.get("/fail")
    def fail() -> None:
        raise HTTPException(409, "taken")

    answer = client.get("/fail").json()
    assert (answer["type"], answer["status"], answer["detail"]) == ("urn:striate:conflict", 409, "taken")


def test_what_nobody_thought_of_is_no_problem() -> None:
    """It goes on to whoever logs it, as it was."""
    with pytest.raises(RuntimeError, match="a secret"):
        asyncio.run(problems.response_to(Request({"type": "http"}), RuntimeError("a secret")))

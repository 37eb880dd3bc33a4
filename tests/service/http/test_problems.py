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


def test_a_wrong_method_is_a_problem(client: TestClient) -> None:
    """The answer says which would be right."""
    answer = client.get("/v1/models/brightness/classify")
    assert answer.status_code == 405
    assert "POST" in answer.headers["allow"]
    assert "accepted: POST" in answer.json()["detail"]


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

"""Promises of service.http.routes.documentation."""

import re

import pytest
from fastapi.testclient import TestClient

from service.http.routes.documentation import assets


def test_it_shows_what_the_schema_says(client: TestClient) -> None:
    """A page that loads Swagger UI, with the schema of this service."""
    answer = client.get("/docs")
    assert answer.headers["content-type"] == "text/html; charset=utf-8"
    assert 'url: "openapi.json"' in client.get("/docs/start.js").text
    assert "/v1/models/{model}/classify" in client.get("/openapi.json").json()["paths"]


def test_nothing_comes_from_elsewhere(client: TestClient) -> None:
    """The page and its start name no other address, and their policy allows none."""
    for path in ("/docs", "/docs/start.js"):
        assert re.findall(r"//[\w.-]+\.\w+", client.get(path).text) == []
    policy = client.get("/docs").headers["content-security-policy"]
    assert "default-src 'none'; script-src 'self'; " in policy
    assert "http" not in policy
    assert "unsafe-eval" not in policy


@pytest.mark.parametrize("name", assets())
def test_every_file_is_served(client: TestClient, name: str) -> None:
    """And not sent again to who has it."""
    answer = client.get(f"/docs/{name}")
    assert answer.content == assets()[name].content
    again = client.get(f"/docs/{name}", headers={"If-None-Match": answer.headers["etag"]})
    assert (again.status_code, again.content) == (304, b"")


@pytest.mark.parametrize("path", ["/docs/nothing.js", "/docs/redoc.standalone.js", "/docs/../core.py", "/redoc"])
def test_nothing_else_is_served(client: TestClient, path: str) -> None:
    """Not even what else is in the package."""
    assert client.get(path).status_code == 404


def test_the_schema_says_where_a_key_is_needed(client: TestClient) -> None:
    """Where none is, it says nothing of keys."""
    assert "security" not in client.get("/openapi.json").json()


def test_errors_refer_to_one_schema(client: TestClient) -> None:
    """That of a problem, as which they are answered."""
    schema = client.get("/openapi.json").json()
    answer = schema["paths"]["/v1/models/{model}/classify"]["post"]["responses"]["415"]
    assert answer["content"] == {"application/problem+json": {"schema": {"$ref": "#/components/schemas/ProblemAnswer"}}}
    assert {"type", "title", "status", "detail"} <= schema["components"]["schemas"]["ProblemAnswer"][
        "properties"
    ].keys()

"""Promises of service.http.observation and service.http.request_log."""

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from fastapi.routing import iter_route_contexts
from fastapi.testclient import TestClient

from service.engine import open_engine
from service.http.app import create_app
from service.http.request_log import RequestLog
from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

CLASSIFY = "/v1/models/brightness/classify"
PICTURE = images.plain(255)
TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
TRACEPARENT = f"00-{TRACE}-00f067aa0ba902b7-01"

Captured = pytest.CaptureFixture[str]


def lines(capfd: Captured) -> list[dict[str, Any]]:
    """The lines of requests that were logged since the last time."""
    return [json.loads(line) for line in capfd.readouterr().err.splitlines() if '"service.request"' in line]


def test_an_answer_names_its_request(client: TestClient, capfd: Captured) -> None:
    """As the caller does, in the log too."""
    answer = client.post(CLASSIFY, content=PICTURE, headers={"X-Request-ID": "mine-1"})
    assert answer.headers["x-request-id"] == "mine-1"
    (line,) = lines(capfd)
    assert line["request_id"] == "mine-1"


@pytest.mark.parametrize(
    "sent",
    [
        pytest.param(b"", id="empty"),
        pytest.param(b"x" * 129, id="long"),
        pytest.param(b"two words", id="space"),
        pytest.param(b"one\ttwo", id="control"),
        pytest.param("ä".encode(), id="not ASCII"),
    ],
)
def test_an_id_that_is_none_is_replaced(client: TestClient, sent: bytes) -> None:
    """By one of ours, which nobody else has."""
    made = [client.get("/v2", headers={b"X-Request-ID": sent}).headers["x-request-id"] for _ in range(2)]
    assert all(re.fullmatch("[0-9a-f]{32}", one) for one in made)
    assert made[0] != made[1]


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        pytest.param("GET", "/nowhere", 404, id="no path"),
        pytest.param("DELETE", CLASSIFY, 405, id="no method"),
        pytest.param("POST", "/v1/models/nobody/classify", 404, id="no model"),
        pytest.param("POST", CLASSIFY, 415, id="no image"),
        pytest.param("GET", "/v2?x=1", 400, id="no parameter"),
        pytest.param("GET", "/fail", 500, id="fault"),
    ],
)
def test_every_answer_has_an_id_and_a_line(
    client: TestClient, capfd: Captured, method: str, path: str, status: int
) -> None:
    """Errors say their reason in it."""
    _add_fault(client)
    answer = client.request(method, path, content=b"none" if method == "POST" else None)
    assert answer.status_code == status
    (line,) = lines(capfd)
    assert line["request_id"] == answer.headers["x-request-id"]
    assert (line["status"], line["method"], line["path"]) == (status, method, path.partition("?")[0])
    assert line["error"]
    assert line["detail"]


def _add_fault(client: TestClient) -> None:
    assert isinstance(client.app, FastAPI)

    @client.app.get("/fail")
    async def fail() -> None:
        raise RuntimeError("a secret\nof ours")


def test_the_line_of_a_fault_has_its_trace(connect: Connect, settings: Settings, capfd: Captured) -> None:
    """Also where there are no lines for others."""
    with connect(settings.model_copy(update={"access_log": False})) as client:
        _add_fault(client)
        client.get("/v2")
        client.get("/fail")
    (line,) = lines(capfd)
    assert (line["level"], line["error"]) == ("error", "internal")
    assert "RuntimeError: a secret\nof ours" in line["exception"]


def test_a_line_says_what_was_done(client: TestClient, capfd: Captured) -> None:
    """The model that answered, the template of the path, and the bytes of both bodies."""
    answer = client.post("/v1/models/brightness/versions/1/classify?top_k=1", content=PICTURE)
    (line,) = lines(capfd)
    assert 0 < line.pop("seconds") < 60
    assert line.pop("time")
    assert line == {
        "level": "info",
        "logger": "service.request",
        "message": "request",
        "method": "POST",
        "path": "/v1/models/brightness/versions/1/classify",
        "route": "/v1/models/{model}/versions/{version}/classify",
        "status": 200,
        "model": "brightness",
        "version": 1,
        "received": len(PICTURE),
        "sent": len(answer.content),
        "request_id": answer.headers["x-request-id"],
    }


@pytest.mark.parametrize(
    ("sent", "trace"),
    [
        pytest.param(TRACEPARENT, TRACE, id="good"),
        pytest.param(f"cc{TRACEPARENT[2:]}-what-comes", TRACE, id="a later version"),
        pytest.param(f"ff{TRACEPARENT[2:]}", None, id="no version"),
        pytest.param(f"00-{'0' * 32}-00f067aa0ba902b7-01", None, id="no trace"),
        pytest.param(f"00-{TRACE}-{'0' * 16}-01", None, id="no parent"),
        pytest.param(TRACEPARENT.upper(), None, id="upper case"),
        pytest.param("x" * 10_000, None, id="long"),
    ],
)
def test_the_trace_of_the_caller_is_logged(client: TestClient, capfd: Captured, sent: str, trace: str | None) -> None:
    """Where it is one, by W3C's trace context."""
    assert client.get("/v2", headers={"traceparent": sent}).status_code == 200
    (line,) = lines(capfd)
    assert line.get("trace_id") == trace


def test_no_key_is_logged(client: TestClient, capfd: Captured) -> None:
    """Neither one in a header, nor what stands behind the path."""
    client.post("/v2/repository/models/brightness/load?key=hidden", headers={"Authorization": "Bearer hidden"})
    client.get("/v2?password=hidden", headers={"X-API-Key": "hidden", "Cookie": "hidden"})
    err = capfd.readouterr().err
    assert err.count("service.request") == 2
    assert "hidden" not in err


@pytest.mark.parametrize("form", ["json", "console"])
def test_nobody_can_forge_a_line(connect: Connect, settings: Settings, capfd: Captured, form: str) -> None:
    """Whatever the path holds, a request is one line; one that is long is cut."""
    with connect(settings.model_copy(update={"log_format": form})) as client:
        capfd.readouterr()
        client.get("/v1/models/%0A%1B%5B31m%E2%80%A8forged/layers")
        client.get("/" + "x" * 5000)
    err = capfd.readouterr().err
    assert len(err.splitlines()) == 2
    assert all(len(line) < 1500 for line in err.splitlines())
    assert all(line.isprintable() for line in err.split("\n"))


@pytest.mark.parametrize("path", ["/v2/health/live", "/metrics"])
def test_probes_that_go_well_are_not_worth_a_line(client: TestClient, capfd: Captured, path: str) -> None:
    """There is one every few seconds."""
    assert client.get(path).status_code == 200
    assert client.get(f"{path}?x=1").status_code == 400
    assert [line["status"] for line in lines(capfd)] == [400]


def fields(**more: object) -> dict[str, Any]:
    """Those of a request."""
    return {"method": "GET", "path": "/v2", "route": "/v2", "status": 200, "seconds": 0.0015, **more}


def written(form: Any, **more: object) -> str:  # noqa: ANN401  (one of two words)
    """The line of a request."""
    found: list[bytes] = []
    RequestLog(form, "info", worker=2, write=found.append).request("warning", fields(**more))
    (line,) = found
    return line.decode()


def test_a_line_for_people_begins_with_what_matters() -> None:
    """What is empty is left out."""
    line = written("console", model="", error="deadline", exception="Trace\nback")
    assert re.match(
        r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} WARNING  worker 2: GET /v2 200 1.50 ms error=deadline\n", line
    )
    assert line.endswith("\n    Trace\n    back\n")


@pytest.mark.parametrize("form", ["json", "console"])
def test_what_an_error_says_is_one_line(form: str) -> None:
    """Though a caller may have had a say in it."""
    line = written(form, detail="no\nlayer \x1b[31m", caller="a\rb")
    assert line.count("\n") == 1
    assert line.endswith("\n")
    assert line[:-1].isprintable()


def test_lines_below_the_level_are_not_wanted() -> None:
    """Those at it are."""
    log = RequestLog("json", "warning")
    wanted: Mapping[str, bool] = {"debug": False, "info": False, "warning": True, "error": True}
    assert {level: log.wants(level) for level in ("debug", "info", "warning", "error")} == wanted


def test_models_may_be_named_in_any_script(
    repository: Path, connect: Connect, settings: Settings, capfd: Captured
) -> None:
    """Also in the line of a request and in the metrics."""
    tiny_models.publish(repository, name="hell-dunkel-ä", described=False)
    pixels = {"name": "images", "shape": [1, 1, 2, 2], "datatype": "FP32", "data": [0, 0, 0, 0]}
    with connect(settings) as client:
        assert client.post("/v2/models/hell-dunkel-ä/infer", json={"inputs": [pixels]}).status_code == 200
        assert 'model="hell-dunkel-ä"' in client.get("/metrics").text
    (line,) = lines(capfd)
    assert line["model"] == "hell-dunkel-ä"


def test_the_template_of_every_route_is_known(settings: Settings) -> None:
    """What the log and the metrics call a route is its path as FastAPI has it, whatever it is included under."""
    app = create_app(open_engine(settings))
    found = {context.path_format for context in iter_route_contexts(app.routes)}
    assert len(found) > 40
    assert set(app.templates.values()) == found

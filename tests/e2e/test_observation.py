"""What is seen of the service from outside, as one process and as several."""

import json
import os
import re
import signal
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE, answered, ask, begin, classify, connected, end
from tests.e2e.conftest import Server, Start

linux_only = pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
ASKED = 'striate_request_duration_seconds_count{model="brightness",route="/v1/models/{model}/classify"'


@pytest.fixture
def two(start: Start, repository: Path) -> Iterator[Server]:
    """Two processes that serve together."""
    tiny_models.publish(repository)
    with start(repository, "--workers", "2", "--threads", "2", "--shutdown-seconds", "20") as server:
        yield server


def value(text: str, sample: str) -> float:
    """The sum of the samples whose lines begin so."""
    lines = [line for line in text.splitlines() if line.startswith(sample)]
    return sum(float(line.rpartition(" ")[2]) for line in lines)


def told(server: Server, count: int) -> list[str]:
    """The metrics as so many callers get them, who are shared out among the workers."""
    with connected(server, count) as callers:
        return [ask(caller, "GET", "/metrics")[1].decode() for caller in callers]


def wait_for(server: Server, sample: str, count: int) -> None:
    """Ask until so many are counted: an answer goes first, and is counted then, perhaps not by whoever is asked."""
    deadline = time.monotonic() + 60
    while (found := value(told(server, 1)[0], sample)) < count:
        assert time.monotonic() < deadline, found


def processes(text: str) -> set[str]:
    """The workers that live, by their numbers."""
    return set(re.findall(r'process_start_time_seconds\{worker="(\d)"\}', text))


@linux_only
def test_whoever_is_asked_tells_of_all(two: Server) -> None:
    """Counters, histograms and errors are sums; each process is told for itself."""
    with answered(two, 8) as callers:
        for caller in callers[:4]:
            assert ask(caller, "POST", CLASSIFY, b"none")[0] == 415
    wait_for(two, 'striate_errors_total{reason="image-type"}', 4)
    wait_for(two, ASKED, 12)
    for text in told(two, 4):
        assert value(text, ASKED) == 12
        assert value(text, 'striate_errors_total{reason="image-type"}') == 4
        assert value(text, "nv_inference_request_success") == 8
        assert processes(text) == {"1", "2"}


@linux_only
def test_what_was_counted_outlives_a_worker(two: Server) -> None:
    """No counter goes down when one is killed, nor when another takes its place; what it had in work is gone."""
    with answered(two, 8) as callers:
        for caller in callers:
            begin(caller)
        wait_for(two, "striate_requests_in_progress ", 9)  # told by each once a second; the ninth is the one that asks
        wait_for(two, ASKED, 8)
        children = Path(f"/proc/{two.process.pid}/task/{two.process.pid}/children").read_text().split()
        os.kill(int(children[0]), signal.SIGKILL)
        said = two.log.until("takes its place")
        assert "was ended by SIGKILL" in said
        (text,) = told(two, 1)
        assert value(text, ASKED) == 8
        assert value(text, "striate_requests_in_progress ") <= 6  # four, the one that asks, and one that had asked
        for caller in callers:
            end(caller)
    two.log.until(") is ready")
    answered_of_all = 'striate_request_duration_seconds_count{model="brightness"'
    wait_for(two, answered_of_all, 12)
    assert [value(text, answered_of_all) for text in told(two, 4)] == [12] * 4


def test_a_refusal_at_the_end_has_an_id_and_a_line(start: Start, repository: Path) -> None:
    """As every other answer."""
    tiny_models.publish(repository)
    with start(repository, "--shutdown-seconds", "20") as server, answered(server, 2) as (slow, late):
        begin(slow)
        server.process.send_signal(signal.SIGTERM)
        server.log.until("ending when")
        late.request("POST", CLASSIFY, PICTURE, {"X-Request-ID": "late-1"})
        answer = late.getresponse()
        assert (answer.status, answer.headers["x-request-id"]) == (503, "late-1")
        answer.read()
        line = json.loads(server.log.until("late-1").splitlines()[-1])
        assert (line["level"], line["status"], line["error"]) == ("warning", 503, "ending")
        end(slow)


def test_what_is_no_request_has_an_id_and_is_counted(start: Start, repository: Path) -> None:
    """Though it never reaches the application."""
    tiny_models.publish(repository)
    with start(repository, "--max-url-bytes", "1000") as server:
        answer = httpx2.get(f"{server.url}/{'x' * 2000}", timeout=60)
        assert answer.status_code == 414
        server.log.until(answer.headers["x-request-id"])
        assert (
            value(httpx2.get(f"{server.url}/metrics", timeout=60).text, 'striate_errors_total{reason="url-too-long"}')
            == 1
        )


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=linux_only)])
@pytest.mark.parametrize("form", ["json", "console"])
def test_every_line_has_the_form_that_is_set(start: Start, repository: Path, form: str, workers: int) -> None:
    """Those of all processes, of libraries and of requests; the service is found in either form."""
    tiny_models.publish(repository)
    with start(repository, "--log-format", form, "--workers", str(workers), "--threads", "2") as server:
        with connected(server, 1) as (caller,):
            assert classify(caller)[0] == 200
        server.process.send_signal(signal.SIGTERM)
        said = server.log.until("workers have ended" if workers > 1 else "Finished server process")
    lines = said.splitlines()
    if form == "json":
        found: list[dict[str, Any]] = [json.loads(line) for line in lines]
        (request,) = (line for line in found if line["logger"] == "service.request")
        assert (request["model"], "worker" in request) == ("brightness", workers > 1)
        assert "uvicorn.error" in {line["logger"] for line in found}
        assert all({"time", "level", "logger", "message"} <= line.keys() for line in found)
    else:
        assert all(re.match(r"\d{4}-\d\d-\d\d [\d:]{8},\d{3} (INFO|WARNING) ", line) for line in lines), lines
        assert any(f"POST {CLASSIFY} 200 " in line for line in lines)

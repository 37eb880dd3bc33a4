"""Several processes that serve together, broken on purpose."""

import json
import os
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from http.client import HTTPResponse
from pathlib import Path
from threading import Event
from typing import Any

import httpx2
import pytest

from tests import tiny_models
from tests.e2e.callers import Caller, answered, ask, begin, classify, connected, end
from tests.e2e.conftest import ROOT, Server, Start

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")

KEY = {"Authorization": "Bearer a-key"}
ESTABLISHED = "01"


@pytest.fixture
def two(start: Start, repository: Path) -> Iterator[Server]:
    """Two workers that serve `brightness`."""
    tiny_models.publish(repository)
    with start(repository, "--workers", "2", "--threads", "2", "--admin-key", "a-key") as server:
        yield server


def workers(server: Server) -> list[int]:
    """The processes of the workers."""
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def connections(pid: int, port: int) -> int:
    """How many connections to a port a process has accepted."""
    rows = [row.split() for row in Path("/proc/net/tcp").read_text().splitlines()[1:]]
    ours = {f"socket:[{row[9]}]" for row in rows if row[1].endswith(f":{port:04X}") and row[3] == ESTABLISHED}
    return sum(target(file) in ours for file in Path(f"/proc/{pid}/fd").iterdir())


def target(file: Path) -> str:
    """What an open file of a process is; nothing where it was closed while we look."""
    with suppress(FileNotFoundError):
        return str(file.readlink())
    return ""


def wait_for_end(pids: Sequence[int]) -> None:
    """Wait until processes that are not ours have ended; those that go on are killed, as nobody else would."""
    late = []
    for pid in pids:
        try:
            file = os.pidfd_open(pid)
        except ProcessLookupError:
            continue
        if not select.select([file], [], [], 60)[0]:
            late.append(pid)
            signal.pidfd_send_signal(file, signal.SIGKILL)
        os.close(file)
    assert late == []


def test_callers_who_stay_are_divided_evenly(two: Server) -> None:
    """Eight connections, four for each of two workers."""
    with answered(two, 8):
        assert [connections(pid, two.port) for pid in workers(two)] == [4, 4]


def test_cores_are_divided(start: Start, repository: Path) -> None:
    """Two workers share three cores: one computes with two threads."""
    tiny_models.publish(repository)
    with start(repository, "--workers", "2", "--threads", "3") as server, answered(server, 2) as both:
        found = [ask(caller, "GET", "/v2/models/brightness/config")[1] for caller in both]
    instances = [int(re.search(rb'"count":(\d+)', text)[1]) for text in found]  # type: ignore[index]
    assert sorted(instances) == [1, 2]


def test_a_worker_that_is_killed_takes_down_its_own_callers_only(two: Server) -> None:
    """They get a closed connection, not silence; the others an answer; and another worker takes its place."""
    killed, other = workers(two)
    with answered(two, 8) as all_callers:
        for caller in all_callers:
            begin(caller)
        os.kill(killed, signal.SIGKILL)
        answers = [end(caller) for caller in all_callers]
        assert sorted(answer.status if answer else 0 for answer in answers) == [0] * 4 + [200] * 4
        assert "was ended by SIGKILL: its connections are closed" in two.log.until("takes its place")
        two.log.until(") is ready")
        assert other in workers(two)
        assert killed not in workers(two)
        with answered(two, 4):
            assert [connections(pid, two.port) for pid in workers(two)] == [4, 4]


def test_busy_callers_move_to_a_worker_that_starts(two: Server) -> None:
    """Those that stayed with the other worker are asked to come again, behind an answer: none is lost."""
    enough = Event()

    def call(caller: Caller) -> None:
        while not enough.is_set():
            assert classify(caller)[0] == 200

    with answered(two, 4):
        os.kill(workers(two)[0], signal.SIGKILL)
        two.log.until("takes its place")
    with answered(two, 8) as all_callers, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(call, caller) for caller in all_callers]
        two.log.until(") is ready")
        deadline = time.monotonic() + 60
        try:
            while [connections(pid, two.port) for pid in workers(two)] != [4, 4]:
                assert time.monotonic() < deadline
        finally:
            enough.set()
        for done in calls:
            done.result()


def test_workers_end_with_their_supervisor(two: Server) -> None:
    """Though it was killed, and could not tell them; what was accepted is answered even then."""
    pids = workers(two)
    with answered(two, 2) as both:
        for caller in both:
            begin(caller)
        two.process.kill()
        two.process.wait()
        assert [answer.status for caller in both if (answer := end(caller))] == [200, 200]
    wait_for_end(pids)


def test_a_worker_may_be_told_to_end(two: Server) -> None:
    """Another one takes its place; no caller is refused, and none is cut off."""
    first, _ = workers(two)
    with answered(two, 4) as all_callers:
        for caller in all_callers:
            begin(caller)
        os.kill(first, signal.SIGTERM)
        answers = [end(caller) for caller in all_callers]
        assert [answer.status for answer in answers if answer] == [200] * 4
        assert "ended with status 0" in two.log.until("takes its place")
        with answered(two, 4):
            two.log.until(") is ready")
        assert first not in workers(two)


def test_a_worker_that_hangs_gets_no_callers(two: Server) -> None:
    """But for those who come before it shows; they get their answers when it goes on."""
    os.kill(workers(two)[0], signal.SIGSTOP)
    waiting: list[Caller] = []
    in_a_row = 0
    with ExitStack() as stack:
        while in_a_row < 8:
            (caller,) = stack.enter_context(connected(two, 1))
            caller.timeout = 2
            try:
                classify(caller)
                in_a_row += 1
            except TimeoutError:
                waiting.append(caller)
                in_a_row = 0
        assert len(waiting) <= 4
        os.kill(workers(two)[0], signal.SIGCONT)
        for caller in waiting:
            caller.sock.settimeout(60)
            answer = HTTPResponse(caller.sock)
            answer.begin()
            assert answer.status == 200


def asked(caller: Caller) -> dict[str, Any]:
    """The statistics, as one worker tells them."""
    _, body = ask(caller, "GET", "/v2/models/brightness/stats")
    found: dict[str, Any] = json.loads(body)["model_stats"][0]
    return found


def test_counters_are_those_of_all_workers(two: Server) -> None:
    """Whoever is asked; and they outlive a worker."""
    with answered(two, 8) as all_callers:
        for caller in all_callers:
            assert asked(caller)["inference_count"] == 8
    os.kill(workers(two)[0], signal.SIGKILL)
    two.log.until(") is ready")
    with answered(two, 8) as all_callers:
        found = [asked(caller) for caller in all_callers]
    assert {stats["inference_count"] for stats in found} == {16}
    assert {stats["inference_stats"]["success"]["count"] for stats in found} == {16}
    assert {stats["batch_stats"][0]["compute_infer"]["count"] for stats in found} == {16}


def test_a_model_is_loaded_in_every_worker(two: Server, repository: Path) -> None:
    """When the call returns, all callers get answers of the new version; a worker that starts later serves it too."""
    tiny_models.publish(repository, version=2)
    load = httpx2.post(f"{two.url}/v2/repository/models/brightness/load", headers=KEY, timeout=60)
    assert load.status_code == 200
    with answered(two, 20) as all_callers:
        assert {json.loads(classify(caller)[1])["version"] for caller in all_callers} == {2}
        assert [connections(pid, two.port) for pid in workers(two)] == [10, 10]


def test_a_model_is_unloaded_in_every_worker(two: Server, repository: Path) -> None:
    """Also in one that starts later, though the repository has it."""
    tiny_models.publish(repository, name="other")
    for path, status in (("other/load", 200), ("brightness/unload", 200), ("brightness/unload", 404)):
        assert httpx2.post(f"{two.url}/v2/repository/models/{path}", headers=KEY, timeout=60).status_code == status
    os.kill(workers(two)[0], signal.SIGKILL)
    two.log.until(") is ready")
    with connected(two, 8) as callers:
        found = [json.loads(ask(caller, "GET", "/v2/models")[1])["models"] for caller in callers]
        assert found == [["other"]] * 8
        assert [connections(pid, two.port) for pid in workers(two)] == [4, 4]


@pytest.mark.parametrize(
    ("model", "status", "reason"),
    [
        pytest.param("brightness", 503, "model 'brightness' version 2: model.onnx", id="damaged"),
        pytest.param("missing", 404, "the repository has no model 'missing'", id="missing"),
        pytest.param("m" * 1000, 404, "has no model", id="long"),
    ],
)
def test_a_model_that_does_not_load_changes_nothing(
    two: Server, repository: Path, model: str, status: int, reason: str
) -> None:
    """The error is the one that a single process gives, and the version before goes on everywhere."""
    (tiny_models.publish(repository, version=2) / "model.onnx").write_bytes(b"cut")
    load = httpx2.post(f"{two.url}/v2/repository/models/{model}/load", headers=KEY, timeout=60)
    assert (load.status_code, reason in load.json()["error"]) == (status, True), load.text
    with answered(two, 4) as all_callers:
        assert {json.loads(classify(caller)[1])["version"] for caller in all_callers} == {1}


def refused(*flags: str) -> str:
    """What is said where the service does not start."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0", *flags]
    ended = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=60, check=False)
    assert ended.returncode != 0
    return ended.stderr


@pytest.mark.parametrize(
    ("flags", "reason"),
    [
        pytest.param(["--workers", "0"], "--workers is '0': Input should be greater than or equal to 1", id="none"),
        pytest.param(["--workers", "-1"], "--workers is '-1': Input should be greater", id="negative"),
        pytest.param(["--workers", "1000"], "--workers is '1000': Input should be less than", id="huge"),
        pytest.param(
            ["--workers", "3", "--threads", "2"],
            "workers is 3, with 2 cores (setting threads); accepted: 1 to 2",
            id="more than cores",
        ),
        pytest.param(
            ["--workers", "2", "--threads", "2", "--models", "nowhere"],
            "cannot serve: the model repository nowhere cannot be read",
            id="no models",
        ),
    ],
)
def test_what_cannot_be_served_is_refused(flags: Sequence[str], reason: str) -> None:
    """With the reason, once."""
    assert refused(*flags).count(reason) == 1


def test_an_address_in_use_is_refused(two: Server) -> None:
    """Before any worker is started."""
    flags = ["--workers", "2", "--threads", "2", "--port", str(two.port)]
    assert f"cannot listen on host '127.0.0.1', port {two.port}: Address already in use" in refused(*flags)

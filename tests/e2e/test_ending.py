"""How the service ends, as one process and as several."""

import select
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Semaphore

import pytest

from tests import tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE, Caller, answered, ask, begin, connected, end
from tests.e2e.conftest import Server, Start

COUNTS = [1, *([2] if sys.platform == "linux" else [])]


@pytest.fixture(params=COUNTS, ids="{} workers".format)
def serving(request: pytest.FixtureRequest, start: Start, repository: Path) -> Iterator[Server]:
    """The service with `brightness`."""
    tiny_models.publish(repository)
    with start(repository, "--workers", str(request.param), "--threads", "2", "--shutdown-seconds", "20") as server:
        yield server


def tell(server: Server, requests: int) -> None:
    """Send SIGTERM, and wait until each process has heard of it."""
    server.process.send_signal(signal.SIGTERM)
    waiting = 0
    while waiting < requests:
        line = server.log.until("ending when").splitlines()[-1]
        waiting += int(line.partition("ending when ")[2].split()[0])


def test_what_was_accepted_is_answered(serving: Server) -> None:
    """Requests whose bodies arrive after SIGTERM get their answers, and hear that the connection closes."""
    with answered(serving, 4) as callers:
        for caller in callers:
            begin(caller)
        tell(serving, 4)
        for caller in callers:
            answer = end(caller)
            assert answer
            assert (answer.status, answer.headers["connection"]) == (200, "close")
    assert serving.process.wait(timeout=60) == 0


def test_what_comes_later_is_refused(serving: Server) -> None:
    """On connections that are open: 503 and when to come again; it is alive, but not ready."""
    with answered(serving, 8) as callers:
        *slow, first, second, third, fourth = callers
        for caller in slow:
            begin(caller)
        tell(serving, 4)
        first.request("POST", CLASSIFY, PICTURE)
        refusal = first.getresponse()
        assert (refusal.status, refusal.headers["connection"]) == (503, "close")
        assert refusal.headers["retry-after"]
        assert b"the service is ending" in refusal.read()
        assert ask(second, "GET", "/v2/health/live")[0] == 200
        assert ask(third, "GET", "/v2/health/ready")[0] == 503
        assert ask(fourth, "GET", "/v2/models/brightness/ready")[0] == 503
        assert [answer.status for caller in slow if (answer := end(caller))] == [200] * 4


def knock(server: Server) -> None:
    """Ask again and again, as a new caller each time."""
    while True:
        with connected(server, 1) as (late,):
            assert ask(late, "GET", "/v2/health/ready")[0] == 503


def test_new_callers_find_nobody(serving: Server) -> None:
    """Those who were just in time are refused; then there is nothing to connect to, though an answer is owed."""
    with answered(serving, 1) as (slow,):
        begin(slow)
        tell(serving, 1)
        with pytest.raises(ConnectionError):
            knock(serving)
        answer = end(slow)
        assert answer
        assert answer.status == 200


@pytest.mark.parametrize("count", COUNTS)
def test_no_request_is_lost(start: Start, repository: Path, count: int) -> None:
    """Ten times SIGTERM under load: each request gets an answer, until one says that the connection closes."""
    tiny_models.publish(repository)
    for _ in range(10):
        with start(repository, "--workers", str(count), "--threads", "2") as server:
            assert last_answers(server) <= {"200 close", "503 close"}
            assert server.process.wait(timeout=60) == 0


def last_answers(server: Server) -> set[str]:
    """End it under load: what is the last that callers hear, of whom half come anew for each request."""
    done = Semaphore(0)

    def stay(caller: Caller) -> str:
        while True:
            caller.request("POST", CLASSIFY, PICTURE)
            answer = caller.getresponse()
            answer.read()
            done.release()
            if answer.status != 200 or answer.headers["connection"] == "close":
                return f"{answer.status} {answer.headers['connection']}"

    def come_anew(caller: Caller) -> str:
        answer = "200 close"
        while answer == "200 close":
            caller.close()
            try:
                caller.connect()
            except ConnectionRefusedError:
                break
            caller.request("POST", CLASSIFY, PICTURE, {"Connection": "close"})
            response = caller.getresponse()
            response.read()
            done.release()
            answer = f"{response.status} {response.headers['connection']}"
        return answer

    with answered(server, 8) as callers, ThreadPoolExecutor(8) as pool:
        calls = [pool.submit(stay if number % 2 else come_anew, caller) for number, caller in enumerate(callers)]
        for _ in range(100):
            assert done.acquire(timeout=60)
        server.process.send_signal(signal.SIGTERM)
        return {call.result() for call in calls}


def test_a_second_signal_ends_it_at_once(serving: Server) -> None:
    """Though an answer is owed."""
    with answered(serving, 1) as (caller,):
        begin(caller)
        tell(serving, 1)
        while serving.process.poll() is None:
            serving.process.send_signal(signal.SIGTERM)
            select.select([], [], [], 0.05)
        assert serving.process.returncode == 128 + signal.SIGTERM
        assert end(caller) is None


def test_a_signal_that_is_sent_twice_is_one(serving: Server) -> None:
    """As the command `timeout` does: the answer comes."""
    with answered(serving, 1) as (caller,):
        begin(caller)
        serving.process.send_signal(signal.SIGTERM)
        tell(serving, 1)
        answer = end(caller)
        assert answer
        assert answer.status == 200
    assert serving.process.wait(timeout=60) == 0


@pytest.mark.parametrize("count", COUNTS)
def test_a_caller_who_does_not_finish_holds_it_up_no_longer_than_set(
    start: Start, repository: Path, count: int
) -> None:
    """Then it ends in order, and the caller gets an error."""
    tiny_models.publish(repository)
    flags = ["--workers", str(count), "--threads", "2", "--shutdown-seconds", "1", "--body-timeout-seconds", "1000"]
    with start(repository, *flags) as server, answered(server, 1) as (caller,):
        begin(caller)
        server.process.send_signal(signal.SIGINT)
        assert server.process.wait(timeout=30) == 0
        answer = caller.getresponse()
        assert (answer.status, answer.headers["connection"]) == (500, "close")

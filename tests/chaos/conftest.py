"""Callers who go on whatever happens, and note what they get."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.client import HTTPException
from pathlib import Path
from threading import Condition, Event

import pytest

from benchmarks.soak.service_facts import Facts, facts
from tests import tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE, Caller, connected
from tests.e2e.conftest import Server, started

PATIENCE = 60.0  # seconds for what should take far less
RIGHT = "bright"


@dataclass
class Load:
    """What callers have got until now.

    Args:
        answers: How often each status came, and `wrong` for a 200 that says something else than it should.
        broken: How often a connection ended without an answer.
    """

    answers: Counter[int | str] = field(default_factory=Counter)
    broken: int = 0
    _more: Condition = field(default_factory=Condition)

    def note(self, answer: int | str | None) -> None:
        """An answer, or None for a connection that ended without one."""
        with self._more:
            if answer is None:
                self.broken += 1
            else:
                self.answers[answer] += 1
            self._more.notify_all()

    def wait_for(self, count: int) -> None:
        """Wait until so many more right answers have come."""
        with self._more:
            wanted = self.answers[200] + count
            assert self._more.wait_for(lambda: self.answers[200] >= wanted, PATIENCE), self.answers


@contextmanager
def asking(server: Server, count: int = 4) -> Iterator[Load]:
    """Callers who ask `brightness` about a white picture again and again, and connect again where they must."""
    load, enough = Load(), Event()

    def call() -> None:
        with connected(server, 1) as (caller,):
            while not enough.is_set():
                load.note(answer(caller))

    with ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(call) for _ in range(count)]
        try:
            load.wait_for(count)
            yield load
        finally:
            enough.set()
        for done in calls:
            done.result()


def answer(caller: Caller, path: str = CLASSIFY) -> int | str | None:
    """Ask once: the status, `wrong` where it is 200 and not right, None where there is no answer."""
    try:
        caller.request("POST", path, PICTURE)
        got = caller.getresponse()
        body = got.read()
    except (OSError, HTTPException):
        caller.close()
        return None
    if got.status != 200 or path != CLASSIFY:
        return got.status
    return 200 if json.loads(body)["results"][0]["predictions"][0]["label"] == RIGHT else "wrong"


def taken(server: Server) -> Facts:
    """What all processes of a service have open."""
    return facts(server.process.pid, seconds=0)


@pytest.fixture
def one(repository: Path) -> Iterator[Server]:
    """A process that serves `brightness`, and looks at its folder ten times a second."""
    tiny_models.publish(repository)
    with started(repository, "--threads", "2", "--watch-seconds", "0.1") as server:
        yield server


@pytest.fixture
def two(repository: Path) -> Iterator[Server]:
    """Two workers that do the same."""
    tiny_models.publish(repository)
    flags = ["--workers", "2", "--threads", "2", "--watch-seconds", "0.1", "--admin-key", "a-key"]
    with started(repository, *flags) as server:
        yield server

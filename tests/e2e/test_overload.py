"""The service under more load than it can take, and afterwards."""

import statistics
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from threading import Event

from tests.e2e.callers import Caller, ask, connected
from tests.e2e.conftest import Server

CALLERS = 16
CLASSIFY = "/v1/models/efficientnet-lite0/classify"
LONGEST_SECONDS = 0.05


def seconds(call: Callable[[], tuple[int, bytes]], times: int) -> float:
    """How long a call takes, in the middle of several."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        assert call()[0] == 200
        taken.append(time.perf_counter() - start)
    return statistics.median(taken)


@contextmanager
def loaded(server: Server, photo: bytes) -> Iterator[None]:
    """All cores are busy, and more callers wait than there are cores."""
    enough, busy = Event(), Event()

    def call(caller: Caller) -> None:
        while not enough.is_set():
            assert ask(caller, "POST", CLASSIFY, photo)[0] == 200
            busy.set()

    with connected(server, CALLERS) as callers, ThreadPoolExecutor(CALLERS) as pool:
        calls = [pool.submit(call, caller) for caller in callers]
        try:
            assert busy.wait(timeout=60)
            yield
        finally:
            enough.set()
        for one in calls:
            one.result()


def test_health_is_answered_at_once_while_all_cores_are_busy(server: Server, chelsea: bytes) -> None:
    """And the first request afterwards takes as long as one before."""
    with connected(server, 1) as (caller,):
        before = seconds(lambda: ask(caller, "POST", CLASSIFY, chelsea), 15)
        with loaded(server, chelsea):
            health = seconds(lambda: ask(caller, "GET", "/v2/health/live"), 100)
            waiting = seconds(lambda: ask(caller, "POST", CLASSIFY, chelsea), 3)
        after = seconds(lambda: ask(caller, "POST", CLASSIFY, chelsea), 15)
    assert waiting > 2 * before  # it was loaded
    assert health < LONGEST_SECONDS
    assert health < waiting / 3
    assert after < 2 * before

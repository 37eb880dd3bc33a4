"""Promises of service.sessions."""

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor

import pytest

from service.compute import BatchAxis, Compute, Network
from service.runtime import Device
from service.sessions import SessionCache
from tests import tiny_models


def make() -> Network:
    """A small network."""
    return Compute(Device("cpu", "cpu"), cores=1).open(tiny_models.brightness(), BatchAxis())


SIZE = make().bytes


def never() -> Network:
    """Stands for a session that must not be made."""
    pytest.fail("the session was in the cache")


def test_a_session_is_made_once() -> None:
    """Who asks again gets the same session."""
    cache = SessionCache(max_bytes=10 * SIZE)
    assert cache.get("a", make) is cache.get("a", never)


def test_many_who_ask_at_once_share_one() -> None:
    """While a session is being made, others wait for it and do not make their own."""
    cache = SessionCache(max_bytes=10 * SIZE)
    waiting = threading.Barrier(8)
    calls = []

    def slow() -> Network:
        calls.append(threading.get_ident())
        return make()

    def ask(_: int) -> Network:
        waiting.wait()
        return cache.get("a", slow)

    with ThreadPoolExecutor(8) as pool:
        found = set(pool.map(ask, range(8)))
    assert len(found) == 1
    assert len(calls) == 1


def test_the_one_used_longest_ago_goes_first() -> None:
    """With room for two, the third pushes out the one that was not used since."""
    cache = SessionCache(max_bytes=2 * SIZE)
    first = cache.get("a", make)
    cache.get("b", make)
    cache.get("a", never)
    cache.get("c", make)
    assert cache.get("a", never) is first
    assert cache.bytes == 2 * SIZE
    with pytest.raises(pytest.fail.Exception):
        cache.get("b", never)


def test_the_newest_is_kept_even_if_it_is_too_large() -> None:
    """A cache without room still answers."""
    cache = SessionCache(max_bytes=0)
    cache.get("a", make)
    cache.get("b", make)
    assert cache.bytes == SIZE
    cache.get("b", never)


@pytest.fixture
def hasty() -> Iterator[None]:
    """Threads that take turns all the time: what can happen between two steps of one of them does."""
    before = sys.getswitchinterval()
    sys.setswitchinterval(1e-6)
    yield
    sys.setswitchinterval(before)


@pytest.mark.usefixtures("hasty")
def test_there_is_no_moment_at_which_too_much_is_kept() -> None:
    """Whoever looks while networks come and go."""
    cache, network, enough = SessionCache(max_bytes=2 * SIZE), make(), threading.Event()

    def look() -> int:
        most = 0
        while not enough.is_set():
            most = max(most, cache.bytes)
        return most

    with ThreadPoolExecutor(1) as pool:
        most = pool.submit(look)
        for key in range(5000):
            cache.get(key, lambda: network)
        enough.set()
        assert most.result() <= 2 * SIZE


def test_what_is_being_made_does_not_have_to_go() -> None:
    """It takes no room yet, and to make it again would take longer than to wait for it."""
    cache = SessionCache(max_bytes=SIZE)
    began, go_on = threading.Event(), threading.Event()

    def slow() -> Network:
        began.set()
        go_on.wait(60)
        return make()

    with ThreadPoolExecutor(1) as pool:
        first = pool.submit(cache.get, "slow", slow)
        try:
            assert began.wait(60)
            cache.get("a", make)
            cache.get("b", make)
        finally:
            go_on.set()
        assert cache.get("slow", never) is first.result(60)
    assert (cache.bytes, cache.evictions) == (SIZE, 2)


def test_an_error_reaches_the_caller_and_is_forgotten() -> None:
    """A session that could not be made is tried again next time."""
    cache = SessionCache(max_bytes=SIZE)

    def fail() -> Network:
        raise ValueError("no memory")

    with pytest.raises(ValueError, match="no memory"):
        cache.get("a", fail)
    assert cache.get("a", make).bytes == SIZE

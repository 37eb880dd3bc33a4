"""Callers that go on until they are told to stop, and count what they get."""

import time
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPException
from threading import Event, Lock
from typing import Any

import orjson

HOST = "127.0.0.1"
PORT = 8591


def ask(method: str, path: str, body: bytes | None = None) -> tuple[int, Any]:
    """The status of one request, and its JSON where it has some."""
    connection = HTTPConnection(HOST, PORT, timeout=60)
    try:
        connection.request(method, path, body)
        answer = connection.getresponse()
        text = answer.read()
        kind = answer.headers.get("content-type", "")
        return answer.status, orjson.loads(text) if "json" in kind else text
    finally:
        connection.close()


def outcome(method: str, path: str, body: bytes) -> str:
    """What came of one request, in a word."""
    try:
        return str(ask(method, path, body)[0])
    except (OSError, HTTPException) as error:
        return type(error).__name__


@contextmanager
def load(callers: int, path: str, body: bytes) -> Iterator[Counter[str]]:
    """Ask from several callers at once, each again and again, and count what comes of it; all of them are busy."""
    stop, counting, counted = Event(), Lock(), Counter[str]()

    def call() -> None:
        while not stop.is_set():
            word = outcome("POST", path, body)
            with counting:
                counted[word] += 1

    with ThreadPoolExecutor(callers) as pool:
        calls = [pool.submit(call) for _ in range(callers)]
        try:
            until(lambda: counted.total() > 2 * callers)
            yield counted
        finally:
            stop.set()
    for ended in calls:
        ended.result()


def until(promise: Callable[[], bool], *, seconds: float = 90) -> None:
    """Wait until something is true.

    Raises:
        TimeoutError: It did not become true in time.
    """
    end = time.monotonic() + seconds
    while not promise():
        if time.monotonic() > end:
            raise TimeoutError
        time.sleep(0.1)


def states() -> Mapping[str, str]:
    """Each model, and whether the replica that answers has it."""
    return {entry["name"]: entry["state"] for entry in ask("POST", "/v2/repository/index")[1]}

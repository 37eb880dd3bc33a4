"""Promises of service.http.app."""

import threading

from service.settings import Settings
from tests.service.http.conftest import Connect


def test_the_end_leaves_no_thread(settings: Settings, connect: Connect) -> None:
    """Neither the one that looks at the repository nor those that work."""
    before = set(threading.enumerate())
    with connect(settings) as client:
        assert client.get("/v2/health/live").status_code == 200
        names = {thread.name for thread in set(threading.enumerate()) - before}
        assert {"watcher", "striate-0"} <= names
    assert not {thread.name for thread in set(threading.enumerate()) - before} & names

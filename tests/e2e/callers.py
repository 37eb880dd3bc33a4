"""Callers who keep their connections, and of whose requests each part can be sent when a test wants it."""

import http.client
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

from tests import images
from tests.e2e.conftest import Server

CLASSIFY = "/v1/models/brightness/classify"
PICTURE = images.plain(255)

Caller = http.client.HTTPConnection


@contextmanager
def connected(server: Server, count: int) -> Iterator[list[Caller]]:
    """Callers whose connections are made when they first ask."""
    with ExitStack() as stack:
        made = [Caller("127.0.0.1", server.port, timeout=60) for _ in range(count)]
        for caller in made:
            stack.callback(caller.close)
        yield made


@contextmanager
def answered(server: Server, count: int) -> Iterator[list[Caller]]:
    """Callers each of which had an answer from `brightness`."""
    with connected(server, count) as made:
        for caller in made:
            assert classify(caller)[0] == 200
        yield made


def ask(caller: Caller, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
    """Ask once."""
    caller.request(method, path, body)
    answer = caller.getresponse()
    return answer.status, answer.read()


def classify(caller: Caller) -> tuple[int, bytes]:
    """Ask `brightness` about a picture."""
    return ask(caller, "POST", CLASSIFY, PICTURE)


def begin(caller: Caller) -> None:
    """Send a request but for the last byte of its body."""
    caller.putrequest("POST", CLASSIFY)
    caller.putheader("Content-Length", str(len(PICTURE)))
    caller.endheaders(PICTURE[:-1])


def end(caller: Caller) -> http.client.HTTPResponse | None:
    """Send the last byte, and read the answer; None where the connection is closed."""
    try:
        caller.send(PICTURE[-1:])
        answer = caller.getresponse()
        answer.read()
    except (http.client.RemoteDisconnected, ConnectionError):
        return None
    return answer

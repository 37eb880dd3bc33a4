"""Servers that answer what a test wants."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from socketserver import StreamRequestHandler, ThreadingTCPServer
from threading import Thread

import pytest

Answering = Callable[[bytes], AbstractContextManager[str]]


@contextmanager
def answering(answer: bytes) -> Iterator[str]:
    """A server that gives every request the same bytes; without any it closes the connection instead."""

    class Handler(StreamRequestHandler):
        def handle(self) -> None:
            try:
                while self._receive() and answer:
                    self.wfile.write(answer)
            except ConnectionError:
                pass  # The load ends when its time is up, whether an answer is under way or not.

        def _receive(self) -> bool:
            length = 0
            while (line := self.rfile.readline()) not in (b"\r\n", b""):
                name, _, value = line.partition(b":")
                length = int(value) if name.lower() == b"content-length" else length
            return bool(line) and len(self.rfile.read(length)) == length

    with ThreadingTCPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01})
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_address[1]}"
        finally:
            server.shutdown()
            thread.join()


@pytest.fixture
def answers() -> Answering:
    """Starts a server that gives every request the same bytes."""
    return answering

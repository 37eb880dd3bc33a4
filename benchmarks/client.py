"""One connection that stays open, and costs next to nothing: what is measured is the service."""

import re
import socket
import time
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Self
from urllib.parse import urlencode

from benchmarks.errors import BenchmarkError


@dataclass(frozen=True)
class Answer:
    """What came back.

    Args:
        status: Of HTTP.
        head: The status line and the header fields.
        body: The content.
        milliseconds: From the first byte sent to the last received.
    """

    status: int
    head: str
    body: bytearray
    milliseconds: float

    @property
    def stages(self) -> dict[str, float]:
        """The milliseconds of each stage, as Server-Timing tells."""
        return {stage: float(duration) for stage, duration in re.findall(r"(\w+);dur=([\d.]+)", self.head)}


class Client:
    """A connection to a server.

    Args:
        url: Of the server.

    Raises:
        OSError: Nobody listens there.
    """

    def __init__(self, url: str) -> None:
        self._socket = socket.create_connection(address(url), timeout=60)
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def send(self, request: bytes) -> Answer:
        """Send a whole request, and receive its answer.

        Raises:
            OSError: The server closed the connection.
            BenchmarkError: The answer has no length.
        """
        start = time.perf_counter()
        self._socket.sendall(request)
        head, body = self._receive()
        milliseconds = 1000 * (time.perf_counter() - start)
        return Answer(int(head.split(maxsplit=2)[1]), head, body, milliseconds)

    def post(self, path: str, body: bytes, **query: str) -> Answer:
        """Send a body.

        Raises:
            OSError: The server closed the connection.
            BenchmarkError: The answer is an error.
        """
        answer = self.send(request(f"{path}?{urlencode(query)}" if query else path, body))
        if answer.status != 200:
            raise BenchmarkError(f"{path} answers {answer.status}: {answer.body[:300].decode(errors='replace')}")
        return answer

    def _receive(self) -> tuple[str, bytearray]:
        """The head and the body of an answer; a large body is written where it stays."""
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            chunk = self._socket.recv(2**16)
            _refuse_end(len(chunk))
            received += chunk
        head = received[:end].decode("latin-1")
        length = re.search(r"^content-length: (\d+)", head, re.MULTILINE | re.IGNORECASE)
        if length is None:
            raise BenchmarkError(f"the answer has no length: {head}")
        first = received[end + 4 :]
        body, have = bytearray(int(length[1])), len(first)
        body[:have] = first
        with memoryview(body) as view:
            while have < len(body):
                got = self._socket.recv_into(view[have:])
                _refuse_end(got)
                have += got
        return head, body


def address(url: str) -> tuple[str, int]:
    """The host and the port of a URL.

    >>> address("http://127.0.0.1:8000")
    ('127.0.0.1', 8000)
    """
    host, port = url.removeprefix("http://").split(":")
    return host, int(port)


def request(path: str, body: bytes, headers: Mapping[str, str] | None = None) -> bytes:
    r"""The bytes of a POST request.

    >>> request("/v1/x", b"abc", {"A": "b"})
    b'POST /v1/x HTTP/1.1\r\nHost: localhost\r\nContent-Length: 3\r\nA: b\r\n\r\nabc'
    """
    fields = {"Host": "localhost", "Content-Length": str(len(body)), **(headers or {})}
    lines = [f"POST {path} HTTP/1.1", *(f"{name}: {value}" for name, value in fields.items())]
    return "\r\n".join(lines).encode() + b"\r\n\r\n" + body


def _refuse_end(received: int) -> None:
    if not received:
        raise ConnectionResetError("the server closed the connection")

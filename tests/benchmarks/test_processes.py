"""Servers as processes."""

import os
import sys

import pytest

from benchmarks.client import Client, request
from benchmarks.errors import BenchmarkError
from benchmarks.processes import proportional_memory, started

SERVER = """
import sys
from http.server import BaseHTTPRequestHandler, HTTPServer

class Handler(BaseHTTPRequestHandler):
    def do_POST(self):
        self.rfile.read(int(self.headers["content-length"]))
        self.send_response(200)
        self.send_header("content-length", "2")
        self.end_headers()
        self.wfile.write(b"ok")

HTTPServer(("127.0.0.1", int(sys.argv[1])), Handler).serve_forever()
"""


def command(code: str) -> list[str]:
    """A Python program."""
    return [sys.executable, "-c", code]


def test_a_server_is_waited_for_and_stopped() -> None:
    """It answers within, and nobody listens after."""
    with started(lambda port: [*command(SERVER), str(port)], request("/", b"x")) as server:
        with Client(server.url) as client:
            assert client.post("/", b"x").body == b"ok"
        assert 0 < server.seconds < 60
        assert server.memory() > 2**20
    with pytest.raises(ConnectionRefusedError):
        Client(server.url)


def test_a_server_that_ends_is_an_error_with_what_it_said() -> None:
    """Nobody waits for two minutes."""
    with (
        pytest.raises(BenchmarkError, match="no models here"),
        started(lambda _: command("raise SystemExit('no models here')"), request("/", b"")),
    ):
        pytest.fail("it does not run")


def test_a_server_may_keep_bytecode(monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where this process may not: its start is that of a program which is there to stay."""
    monkeypatch.setenv("PYTHONDONTWRITEBYTECODE", "1")
    code = f"import sys\nassert not sys.dont_write_bytecode\n{SERVER}"
    with started(lambda port: [*command(code), str(port)], request("/", b"x")) as server:
        assert server.seconds > 0


@pytest.mark.skipif(sys.platform != "linux", reason="other systems tell memory otherwise")
def test_memory_that_was_taken_counts() -> None:
    """64 MiB that nobody shares."""
    before = proportional_memory(os.getpid())
    taken = bytearray(b"x") * 2**26
    assert proportional_memory(os.getpid()) - before > 0.9 * len(taken)

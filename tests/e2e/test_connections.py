"""Callers that are slow, hang up, or send too much, over a real socket."""

import http.client
import signal
import socket
from pathlib import Path

import httpx2

from tests import images, tiny_models
from tests.e2e.conftest import Start

CLASSIFY = "/v1/models/brightness/classify"


def send(port: int, head: str, body: bytes = b"") -> socket.socket:
    """Send the beginning of a request."""
    connection = socket.create_connection(("127.0.0.1", port), timeout=30)
    connection.sendall(head.replace("\n", "\r\n").encode() + b"\r\n\r\n" + body)
    return connection


def answer_of(connection: socket.socket) -> http.client.HTTPResponse:
    """Read the answer."""
    response = http.client.HTTPResponse(connection)
    response.begin()
    return response


def test_a_body_that_does_not_arrive_is_given_up(start: Start, repository: Path) -> None:
    """408 with what has arrived; others are served meanwhile."""
    tiny_models.publish(repository)
    with start(repository, "--body-timeout-seconds", "1") as server:
        head = f"POST {CLASSIFY} HTTP/1.1\nHost: x\nContent-Length: 100"
        with send(server.port, head, b"0123456789") as slow:
            assert httpx2.post(server.url + CLASSIFY, content=images.plain(255), timeout=60).status_code == 200
            answer = answer_of(slow)
            assert answer.status == 408
            assert b"only 10 bytes of the body arrived within 1 s" in answer.read()


def test_a_body_that_says_it_is_huge_is_refused_at_once(start: Start, repository: Path) -> None:
    """413 before the body is sent."""
    tiny_models.publish(repository)
    with start(repository) as server:
        head = f"POST {CLASSIFY} HTTP/1.1\nHost: x\nContent-Length: 99999999999"
        with send(server.port, head) as huge:
            assert answer_of(huge).status == 413


def test_a_caller_that_hangs_up_hurts_nobody(start: Start, repository: Path) -> None:
    """Half a body, then gone: the next caller is served, and nothing is logged as a fault."""
    tiny_models.publish(repository)
    with start(repository) as server:
        for _ in range(20):
            send(server.port, f"POST {CLASSIFY} HTTP/1.1\nHost: x\nContent-Length: 100", b"half").close()
        assert httpx2.post(server.url + CLASSIFY, content=images.plain(255), timeout=60).status_code == 200
        server.process.send_signal(signal.SIGTERM)
        log = server.log.until("Application shutdown complete")
    assert "ERROR" not in log


def test_sigterm_ends_the_service(start: Start, repository: Path) -> None:
    """An orderly end is no failure: the exit status is 0."""
    tiny_models.publish(repository)
    with start(repository) as server:
        server.process.send_signal(signal.SIGTERM)
        assert server.process.wait(timeout=30) == 0

"""Promises of `striate health`."""

import json
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread

import pytest

from tests.service.command_line.conftest import Striate

READY = b"GET /v2/health/ready HTTP/1.1\r\n"
LIVE = b"GET /v2/health/live HTTP/1.1\r\n"


@contextmanager
def answering(answer: bytes, *, asked: bytes = READY, host: str = "127.0.0.1") -> Iterator[int]:
    """A port on which one caller is told something, and which is then closed."""
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    with socket.create_server((host, 0), family=family) as listener:
        heard = []

        def tell() -> None:
            caller, _ = listener.accept()
            with caller:
                heard.append(caller.recv(65_536))
                caller.sendall(answer)

        thread = Thread(target=tell)
        thread.start()
        yield listener.getsockname()[1]
        thread.join()
        assert heard[0].startswith(asked)


def answer(status: str, body: object) -> bytes:
    """An answer in JSON."""
    text = json.dumps(body).encode()
    return b"HTTP/1.1 %s\r\nContent-Length: %d\r\n\r\n%s" % (status.encode(), len(text), text)


def test_ready_is_success(striate: Striate) -> None:
    """One word."""
    with answering(answer("200 OK", {"ready": True})) as port:
        found = striate("health", "--port", port)
    assert (found.status, found.out, found.err) == (0, "ready\n", "")


def test_alive_is_another_question(striate: Striate) -> None:
    """As an orchestrator asks before it starts a process anew."""
    with answering(answer("200 OK", {"live": True}), asked=LIVE) as port:
        found = striate("health", "--live", "--port", port)
    assert (found.status, found.out) == (0, "live\n")


@pytest.mark.parametrize(
    ("body", "reason"),
    [
        ({"ready": False, "error": "lenet5 version 1 loading"}, "lenet5 version 1 loading"),
        ({"detail": "the service is ending"}, "the service is ending"),
        ({"ready": False}, "status 503"),
        (["no object"], "status 503"),
    ],
)
def test_not_ready_is_failure_with_the_reason(striate: Striate, body: object, reason: str) -> None:
    """As the service gives it, where it gives one."""
    with answering(answer("503 Service Unavailable", body)) as port:
        found = striate("health", "--port", port)
    assert (found.status, found.out, found.err) == (1, "", f"error: not ready: {reason}\n")


@pytest.mark.parametrize(
    "said",
    [b"", b"SSH-2.0-OpenSSH_9.2\r\n", b"HTTP/1.1 20\xff OK\r\n\r\n"],
    ids=["nothing", "another protocol", "no status"],
)
def test_what_is_no_answer_is_failure(striate: Striate, said: bytes) -> None:
    """The port may be somebody else's."""
    with answering(said) as port:
        found = striate("health", "--port", port)
    assert (found.status, found.out) == (1, "")
    assert found.err.startswith(f"error: no answer from 127.0.0.1 port {port}: ")


def test_nobody_there_is_failure(striate: Striate) -> None:
    """At once."""
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody else can listen there
        port = taken.getsockname()[1]
        found = striate("health", "--port", port)
    assert found.status == 1
    assert f"no answer from 127.0.0.1 port {port}: " in found.err
    assert "refused" in found.err


def test_silence_is_failure(striate: Striate) -> None:
    """A service that hangs accepts connections still."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        found = striate("health", "--timeout", "0.1", "--port", listener.getsockname()[1])
    assert found.status == 1
    assert "timed out" in found.err


@pytest.mark.parametrize(
    ("listened", "asked"), [("0.0.0.0", "127.0.0.1"), ("::", "::1"), ("::1", "::1"), ("127.0.0.1", "127.0.0.1")]
)
def test_it_asks_where_the_service_listens(
    striate: Striate, monkeypatch: pytest.MonkeyPatch, listened: str, asked: str
) -> None:
    """By the settings of the service; one that listens on every address is found on this machine's own."""
    with answering(answer("200 OK", {}), host=asked) as port:
        monkeypatch.setenv("STRIATE_HOST", listened)
        monkeypatch.setenv("STRIATE_PORT", str(port))
        assert striate("health").out == "ready\n"


def test_a_port_that_is_not_known_is_told(striate: Striate) -> None:
    """The service took a free one."""
    found = striate("health", "--port", "0")
    assert found.status == 1
    assert "--port" in found.err


@pytest.mark.parametrize("timeout", ["0", "-1", "inf", "nan", "soon"])
def test_a_wrong_timeout_is_refused(striate: Striate, timeout: str) -> None:
    """No trace."""
    found = striate("health", "--timeout", timeout, "--port", "1")
    assert found.status in {1, 2}
    assert "Traceback" not in found.err


def test_it_starts_without_what_computes() -> None:
    """A health check runs every few seconds: it takes no time that requests could have."""
    heavy = ["fastapi", "numpy", "onnx", "onnxruntime", "uvicorn", "PIL"]
    program = f"""
import sys
sys.argv = ["striate", "health", "--help"]
from service.__main__ import main
try:
    main()
finally:
    print([name for name in {heavy} if name in sys.modules], file=sys.stderr)
"""
    run = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert run.stderr == "[]\n"

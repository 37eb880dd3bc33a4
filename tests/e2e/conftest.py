"""Real servers on free ports."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


@dataclass(frozen=True)
class Server:
    """A running service."""

    process: subprocess.Popen[str]
    url: str

    @property
    def port(self) -> int:
        """Where it listens."""
        return int(self.url.rsplit(":", 1)[1])


Start = Callable[..., AbstractContextManager[Server]]


@contextmanager
def started(models: Path, *flags: str) -> Iterator[Server]:
    """Start the service as a user does, and wait until its models are ready."""
    command = [sys.executable, "-m", "service", "serve", "--port", "0", "--models", str(models), *flags]
    with subprocess.Popen(command, cwd=ROOT, stderr=subprocess.PIPE, text=True) as process:
        try:
            assert process.stderr
            log = read_until(process.stderr, "models ready")
            running = re.search(r"running on (http://\S+:\d+)", log)
            assert running, log
            yield Server(process, running[1])
        finally:
            process.kill()


def read_until(lines: Iterator[str], text: str) -> str:
    """Read a log up to the line with some text.  The log ends where the process does."""
    read = ""
    for line in lines:
        read += line
        if text in line:
            return read
    pytest.fail(f"the server stopped without saying {text!r}:\n{read}")


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The service with the shipped models."""
    with started(ROOT / "models") as running:
        yield running


@pytest.fixture
def start() -> Start:
    """Starts a service with a test's own models and flags."""
    return started

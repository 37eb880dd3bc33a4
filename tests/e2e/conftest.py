"""Real servers on free ports."""

import re
import subprocess
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from pathlib import Path
from queue import Queue
from threading import Thread

import pytest

ROOT = Path(__file__).parents[2]


class Log:
    """What a process prints, read as it comes: a pipe that nobody reads fills up, and the process waits."""

    def __init__(self, stream: Iterable[str]) -> None:
        self._lines: Queue[str | None] = Queue()
        self._thread = Thread(target=self._read, args=(stream,))
        self._thread.start()

    def until(self, text: str) -> str:
        """Everything up to the next line with some text."""
        read = ""
        while (line := self._lines.get(timeout=120)) is not None:
            read += line
            if text in line:
                return read
        pytest.fail(f"the process ended without saying {text!r}:\n{read}")

    def close(self) -> None:
        """Read to the end, which is where the process ended; the stream may be closed then."""
        self._thread.join()

    def _read(self, stream: Iterable[str]) -> None:
        for line in stream:
            self._lines.put(line)
        self._lines.put(None)


@dataclass(frozen=True)
class Server:
    """A running service."""

    process: subprocess.Popen[str]
    log: Log
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
        assert process.stderr
        log = Log(process.stderr)
        try:
            said = log.until("models ready")
            if "running on http" not in said:  # small models are ready before it listens
                said += log.until("running on http")
            running = re.search(r"running on (https?://\S+:\d+)", said)
            assert running, said
            yield Server(process, log, running[1])
        finally:
            process.kill()
            log.close()


@pytest.fixture(scope="session")
def server() -> Iterator[Server]:
    """The service with the shipped models."""
    with started(ROOT / "models") as running:
        yield running


@pytest.fixture
def start() -> Start:
    """Starts a service with a test's own models and flags."""
    return started

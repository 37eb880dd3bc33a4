"""Servers as processes of their own: started, waited for, measured, stopped."""

import os
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Final

from benchmarks.client import Client
from benchmarks.errors import BenchmarkError

READY: Final = b"GET /v2/health/ready HTTP/1.1\r\nHost: localhost\r\n\r\n"
"""Answered with 200 when the service has all its models."""

Command = Callable[[int], Sequence[str]]
"""Makes the command of a server that listens on a port."""

_PATIENCE: Final = 120.0
_POLL: Final = 0.01


@dataclass(frozen=True)
class Server:
    """A process that answers.

    Args:
        url: Where.
        pid: Of the process that was started; it may have children.
        seconds: From the start of the process to the first answer that was good.
    """

    url: str
    pid: int
    seconds: float

    def memory(self) -> int:
        """The proportional memory of the process and all below it, in bytes: what is shared counts by share."""
        return sum(proportional_memory(pid) for pid in family(self.pid))


def striate(*arguments: str) -> list[str]:
    """The command `striate`, in the environment that the benchmark runs in."""
    return [sys.executable, "-m", "service", *arguments]


def serve(models: Path, *flags: str) -> Command:
    """`striate serve`."""
    return lambda port: striate("serve", "--port", str(port), "--models", str(models), *flags)


def bare(application: str, *flags: str) -> Command:
    """A FastAPI application under uvicorn, in one process.

    Args:
        application: A module of `benchmarks.bare`.
        flags: For uvicorn.
    """
    return lambda port: [
        sys.executable,
        "-m",
        "uvicorn",
        f"benchmarks.bare.{application}:app",
        f"--port={port}",
        *flags,
    ]


@contextmanager
def started(command: Command, first: bytes) -> Iterator[Server]:
    """Start a server, wait until it answers, and stop it in the end.

    Args:
        command: Makes its command.
        first: The request that is sent until it is answered with 200.

    Raises:
        BenchmarkError: It ends, or does not answer within two minutes.
    """
    port = _free_port()
    with tempfile.TemporaryFile() as log:
        start = time.perf_counter()
        with subprocess.Popen(command(port), stdout=log, stderr=log, env=_environment()) as process:  # noqa: S603  (ours)
            try:
                url = f"http://127.0.0.1:{port}"
                _wait(process, url, first, log)
                yield Server(url, process.pid, time.perf_counter() - start)
            finally:
                process.terminate()
                try:
                    process.wait(timeout=20)
                except subprocess.TimeoutExpired:
                    process.kill()


def family(pid: int) -> Iterator[int]:
    """A process and all below it."""
    yield pid
    for children in Path(f"/proc/{pid}/task").glob("*/children"):
        for child in children.read_text().split():
            yield from family(int(child))


def processor_seconds(pids: Iterable[int]) -> float:
    """How long some processes have kept cores busy since they started (Linux)."""
    ticks = 0
    for pid in pids:
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def proportional_memory(pid: int) -> int:
    """The memory of one process, in bytes, where a page that n processes share counts for 1/n of it (Linux)."""
    for line in Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines():
        if line.startswith("Pss:"):
            return int(line.split()[1]) * 1024
    raise BenchmarkError(f"the kernel does not tell the memory of process {pid}")


def _environment() -> dict[str, str]:
    """That of this process, in which Python may keep bytecode.

    Packages have theirs from their installation.  Without its own, a service would be compiled at each start.
    """
    return {name: value for name, value in os.environ.items() if name != "PYTHONDONTWRITEBYTECODE"}


def _wait(process: subprocess.Popen[bytes], url: str, first: bytes, log: IO[bytes]) -> None:
    end = time.monotonic() + _PATIENCE
    while process.poll() is None and time.monotonic() < end:
        try:
            with Client(url) as client:
                if client.send(first).status == 200:
                    return
        except OSError:
            pass
        time.sleep(_POLL)
    log.seek(0)
    raise BenchmarkError(f"{' '.join(map(str, process.args))} does not answer:\n{log.read().decode()}")  # type: ignore[arg-type]


def _free_port() -> int:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port: int = listener.getsockname()[1]
    return port

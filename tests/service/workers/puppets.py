"""A supervisor whose workers are played by the test: processes that do nothing, and lend it their channels."""

import os
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from service.workers import messages
from service.workers.channel import Channel
from service.workers.messages import Message
from service.workers.plan import Plan
from tests.e2e.conftest import ROOT, Log

PATIENCE = 20.0  # seconds for what should take far less
_PUPPET = """
import os, socket, sys
channel = socket.socket(fileno=int(sys.argv[2]))
strings = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
strings.connect(sys.argv[1])
socket.send_fds(strings, [b"%d" % os.getpid()], [channel.fileno()])
channel.close()
sys.exit(int(strings.recv(9) or 0))
"""

Kind = TypeVar("Kind", bound=Message)


class Puppet:
    """A worker process that says and hears what the test does, and ends when the test wants it.

    Args:
        strings: The way to the process.
    """

    def __init__(self, strings: socket.socket) -> None:
        self._strings = strings
        pid, (file,), _, _ = socket.recv_fds(strings, 9, 1)
        self.pid = int(pid)
        self.number = 0
        self._end = socket.socket(fileno=file)
        self._end.settimeout(PATIENCE)
        self._channel = Channel(self._end)

    def say(self, *said: Message) -> None:
        """Tell the supervisor something."""
        for message in said:
            self._channel.send(message)

    def hear(self, kind: type[Kind]) -> Kind:
        """The next message of the supervisor, which is of some kind."""
        message, files = self._channel.receive()
        for file in files:
            os.close(file)
        assert isinstance(message, kind), message
        return message

    def drop(self) -> int:
        """Drop all that the supervisor has said until now; how much it was."""
        count = 0
        self._end.settimeout(0)
        with suppress(BlockingIOError):
            while self._end.recv(1):
                count += 1
        self._end.settimeout(PATIENCE)
        return count

    def close_channel(self) -> None:
        """Hear no more, though the process goes on."""
        self._channel.close()

    def end(self, status: int) -> None:
        """End the process."""
        self._strings.send(b"%d" % status)

    def kill(self) -> None:
        """Kill the process."""
        os.kill(self.pid, signal.SIGKILL)

    def close(self) -> None:
        """Let go of it; a process that goes on ends."""
        self.close_channel()
        self._strings.close()


@dataclass(frozen=True)
class Stage:
    """A running supervisor.

    Args:
        process: Its process.
        log: What it says.
        program: What it starts workers with; without this file, it cannot.
    """

    process: subprocess.Popen[str]
    log: Log
    program: Path
    _listener: socket.socket
    _puppets: socket.socket
    _held: ExitStack

    def puppet(self) -> Puppet:
        """Wait for the next worker."""
        strings, _ = self._puppets.accept()
        puppet = Puppet(strings)
        self._held.callback(puppet.close)
        return puppet

    def worker(self, *said: Message) -> Puppet:
        """Wait for the next worker, and for what it is told first; then it says something."""
        puppet = self.puppet()
        puppet.number = puppet.hear(messages.Assignment).number
        puppet.say(*said)
        return puppet

    def ready(self, *, models: int = 1) -> Puppet:
        """Wait for the next worker, and have it serve so many models."""
        puppet = self.worker(messages.Up(), messages.Loaded(models, models, "cpu", None))
        self.log.until(f"worker {puppet.number} (process {puppet.pid}) is ready")
        return puppet

    def caller(self) -> socket.socket:
        """Somebody who connects."""
        caller = socket.create_connection(self._listener.getsockname(), timeout=PATIENCE)
        self._held.callback(caller.close)
        return caller

    def cpu_seconds(self) -> float:
        """What the supervisor has taken until now."""
        user, system = Path(f"/proc/{self.process.pid}/stat").read_text().rpartition(")")[2].split()[11:13]
        return (int(user) + int(system)) / os.sysconf("SC_CLK_TCK")

    def status(self) -> int:
        """Wait for its end."""
        return self.process.wait(PATIENCE)


@contextmanager
def supervisor(folder: Path, workers: int = 1, *, share: str = "{}", patience_seconds: float = 1000) -> Iterator[Stage]:
    """Start a supervisor in an empty folder."""
    program = folder / "worker"
    program.write_text('#!/bin/sh\nexec "$@"\n')
    program.chmod(0o700)
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        puppets = stack.enter_context(socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET))
        puppets.settimeout(PATIENCE)
        puppets.bind(str(folder / "puppets"))
        puppets.listen()
        plan = Plan(
            command=[str(program), sys.executable, "-IS", "-c", _PUPPET, str(folder / "puppets")],
            listeners=[listener.fileno()],
            url="http://127.0.0.1",
            shares=[share] * workers,
            threads=workers,
            patience_seconds=patience_seconds,
            log_level="info",
            log_format="console",
        )
        file = plan.save()
        process = stack.enter_context(
            subprocess.Popen(
                [sys.executable, "-m", "service.workers.supervisor", str(file)],
                cwd=ROOT,
                pass_fds=[file, listener.fileno()],
                stderr=subprocess.PIPE,
                text=True,
            )
        )
        os.close(file)
        assert process.stderr
        log = Log(process.stderr)
        stack.callback(log.close)
        stack.callback(puppets.close)  # no process goes on that has the log open
        held = stack.enter_context(ExitStack())
        stack.callback(process.kill)
        yield Stage(process, log, program, listener, puppets, held)

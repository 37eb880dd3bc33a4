"""Promises of service.workers.worker: a real worker, whose supervisor is played by the test."""

import os
import resource
import signal
import socket
import subprocess
import sys
from collections.abc import Iterator
from contextlib import ExitStack, closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

import pytest

from service.counters import shared_memory
from service.settings import Settings
from service.workers import messages
from service.workers.channel import Channel
from service.workers.messages import Message
from tests import certificates, tiny_models
from tests.e2e.callers import Caller, begin, classify, end
from tests.e2e.conftest import ROOT, Log

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")

PATIENCE = 60.0  # seconds for what should take far less
LOAD = "/v2/repository/models/{}/load"
KEY = {"Authorization": "Bearer a-key"}

Kind = TypeVar("Kind", bound=Message)


@dataclass(frozen=True)
class Worker:
    """A running worker.

    Args:
        process: Its process.
        log: What it says.
        channel: The way to it.
    """

    process: subprocess.Popen[str]
    log: Log
    channel: Channel
    _listener: socket.socket
    _callers: ExitStack

    def say(self, *said: Message) -> None:
        """Tell it something."""
        for message in said:
            self.channel.send(message)

    def hear(self, kind: type[Kind]) -> Kind:
        """The next message of some kind, whatever it says before."""
        while not isinstance(message := self.channel.receive()[0], kind):
            pass
        return message

    def caller(self) -> Caller:
        """Somebody who connects, and is handed over."""
        caller = self._callers.enter_context(
            closing(Caller("127.0.0.1", self._listener.getsockname()[1], timeout=PATIENCE))
        )
        caller.connect()
        connection, _ = self._listener.accept()
        with connection:
            assert self.channel.hand(messages.Connection(), [connection.fileno()])
        return caller


@contextmanager
def started(**settings: object) -> Iterator[Worker]:
    """Start a worker."""
    with ExitStack() as stack:
        listener = stack.enter_context(socket.create_server(("127.0.0.1", 0)))
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine.settimeout(PATIENCE)
        channel = Channel(mine)
        stack.callback(channel.close)
        with theirs:
            process = stack.enter_context(
                subprocess.Popen(
                    [sys.executable, "-m", "service.workers.worker", str(theirs.fileno())],
                    cwd=ROOT,
                    pass_fds=[theirs.fileno()],
                    stderr=subprocess.PIPE,
                    text=True,
                )
            )
        memory = shared_memory()
        stack.callback(os.close, memory)
        channel.hand(messages.Assignment(1, Settings(threads=1, **settings).model_dump_json()), [memory])
        assert process.stderr
        log = Log(process.stderr)
        stack.callback(log.close)
        callers = stack.enter_context(ExitStack())
        stack.callback(process.kill)
        yield Worker(process, log, channel, listener, callers)


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository with `brightness`."""
    folder = tmp_path_factory.mktemp("models")
    tiny_models.publish(folder)
    return folder


@pytest.fixture(scope="module")
def worker(models: Path) -> Iterator[Worker]:
    """A worker that serves `brightness`."""
    with started(models=models, admin_key="a-key") as worker:
        worker.hear(messages.Loaded)
        yield worker


def test_a_connection_for_which_it_can_open_no_file_counts_as_closed(worker: Worker) -> None:
    """The kernel drops it; the log says so, and the next one is served."""
    pid = worker.process.pid
    most = resource.prlimit(pid, resource.RLIMIT_NOFILE)
    resource.prlimit(pid, resource.RLIMIT_NOFILE, (0, most[1]))
    lost = worker.caller()
    worker.log.until("a connection is lost: Too many open files")
    resource.prlimit(pid, resource.RLIMIT_NOFILE, most)
    assert lost.sock.recv(1) == b""
    counts = worker.hear(messages.Counts)
    assert counts.taken == counts.closed > 0
    assert classify(worker.caller())[0] == 200


def test_a_name_that_no_model_can_have_is_not_passed_on(worker: Worker) -> None:
    """However long it is: it would have to go through a message."""
    caller = worker.caller()
    caller.request("POST", LOAD.format("a" * 256), headers=KEY)
    answer = caller.getresponse()
    assert (answer.status, b"has no model" in answer.read()) == (404, True)
    caller.request("POST", LOAD.format("a" * 255), headers=KEY)
    asked = worker.hear(messages.Ask)
    assert asked.model == "a" * 255
    worker.say(messages.Changed(asked.token))
    assert caller.getresponse().status == 200


def test_what_other_workers_failed_in_is_told(worker: Worker) -> None:
    """Which of them, and why."""
    caller = worker.caller()
    caller.request("POST", LOAD.format("brightness"), headers=KEY)
    worker.say(messages.Changed(worker.hear(messages.Ask).token, [2, 3], "the disk is full"))
    answer = caller.getresponse()
    assert (answer.status, b"worker 2, 3: the disk is full" in answer.read()) == (503, True)


def test_changes_are_done_in_order(worker: Worker) -> None:
    """One after the other, since the supervisor tells them apart by that."""
    asked = [messages.Change("load", name) for name in ("brightness", "missing") * 10]
    worker.say(*asked)
    missing = "the repository has no model 'missing'"
    assert [worker.hear(messages.Done).error for _ in asked] == [None, missing] * 10


def test_a_change_is_done_though_the_service_has_a_fault(worker: Worker) -> None:
    """Nobody waits for it for ever."""
    worker.say(messages.Change("unload", None))  # type: ignore[arg-type]  # no text is compared with it
    assert worker.hear(messages.Done).error == "the service has a fault; its log says which"
    assert "Traceback" in worker.log.until("TypeError")


def test_an_answer_that_nobody_waits_for_is_dropped(worker: Worker) -> None:
    """As where the caller has gone."""
    worker.say(messages.Changed(1000))
    worker.say(messages.Change("unload", None))  # type: ignore[arg-type]  # which is logged
    assert "AttributeError" not in worker.log.until("TypeError")
    worker.hear(messages.Done)


def test_as_many_connections_are_closed_as_are_too_many(worker: Worker) -> None:
    """Behind their answers, which say so."""
    callers = [worker.caller() for _ in range(3)]
    for caller in callers:
        assert classify(caller)[0] == 200
        begin(caller)
    assert classify(worker.caller())[0] == 200  # so that the others have begun
    worker.say(messages.Shed(2))
    worker.say(messages.Change("load", "brightness"))
    worker.hear(messages.Done)
    answers = [answer.headers["connection"] for caller in callers if (answer := end(caller))]
    assert sorted(answer == "close" for answer in answers) == [False, True, True]


def test_a_caller_who_goes_before_the_handshake_counts_as_closed(models: Path, tmp_path: Path) -> None:
    """Else the worker would seem to have more connections with each of them."""
    made = certificates.make(tmp_path)
    with started(models=models, tls_certificate=made.certificate, tls_key=made.key) as worker:
        worker.hear(messages.Loaded)
        worker.caller().close()
        while worker.hear(messages.Counts) != messages.Counts(taken=1, closed=1):
            pass


def test_a_worker_that_is_told_to_end_refuses_nobody(models: Path) -> None:
    """It says that it ends, and closes each connection behind its next answer."""
    with started(models=models) as worker:
        worker.hear(messages.Loaded)
        slow, other = worker.caller(), worker.caller()
        assert [classify(caller)[0] for caller in (slow, other)] == [200, 200]
        begin(slow)
        worker.process.send_signal(signal.SIGTERM)
        worker.hear(messages.Draining)
        worker.log.until("ending when 1 requests are answered")
        assert classify(other)[0] == 200
        answer = end(slow)
        assert answer
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert worker.process.wait(PATIENCE) == 0


def test_whoever_waits_for_all_workers_is_told_when_the_supervisor_ends(models: Path) -> None:
    """Nobody else will tell, but for what was told before; and the worker ends, as nobody would start another one."""
    with started(models=models, admin_key="a-key") as worker:
        worker.hear(messages.Loaded)
        first, other = worker.caller(), worker.caller()
        tokens = []
        for caller in (first, other):
            caller.request("POST", LOAD.format("brightness"), headers=KEY)
            tokens.append(worker.hear(messages.Ask).token)
        os.kill(worker.process.pid, signal.SIGSTOP)  # so that it hears both at once
        worker.say(messages.Changed(tokens[0]))
        worker.channel.close()
        os.kill(worker.process.pid, signal.SIGCONT)
        assert first.getresponse().status == 200
        answer = other.getresponse()
        assert (answer.status, b"the service is ending" in answer.read()) == (503, True)
        assert worker.process.wait(PATIENCE) == 0


def test_a_worker_that_cannot_serve_says_why(tmp_path: Path) -> None:
    """To the supervisor, which tells it once for all workers."""
    with started(models=tmp_path / "nowhere") as worker:
        assert "nowhere cannot be read" in worker.hear(messages.Refused).reason
        assert worker.process.wait(PATIENCE) == 1

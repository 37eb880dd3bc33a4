"""Promises of service.workers.supervisor."""

import fcntl
import os
import resource
import select
import signal
import socket
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from service.workers import messages
from tests.service.workers.puppets import PATIENCE, Puppet, Stage, supervisor

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")

MOST_UNTAKEN = 64


def change(asker: Puppet, *others: Puppet, model: str = "a", error: str | None = None, ready: int = 1) -> None:
    """Have all workers unload a model, or fail to; whoever asked is told, and all that was said before is heard."""
    asker.say(messages.Ask(1, "unload", model))
    for puppet in (asker, *others):
        assert puppet.hear(messages.Change) == messages.Change("unload", model)
        puppet.say(messages.Done(ready, error))
    assert asker.hear(messages.Changed).reason == error


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        select.select([], [], [], 0.01)


def end(stage: Stage) -> None:
    """Tell it to end."""
    stage.process.send_signal(signal.SIGTERM)


# The life of workers.


def test_whoever_comes_while_no_worker_is_left_waits(tmp_path: Path) -> None:
    """For the next one, which is given time where others have failed, and the log says so."""
    with supervisor(tmp_path) as stage:
        stage.worker(messages.Up()).kill()
        stage.log.until("was ended by SIGKILL: its connections are closed, another one takes its place")
        stage.worker(messages.Up()).kill()
        stage.log.until(
            "was ended by SIGKILL, the 2. in a row that does so within 10 s of its start: the next one starts in 0.5 s"
        )
        stage.caller()
        stage.worker(messages.Up()).hear(messages.Connection)


def test_a_worker_that_ends_in_order_has_not_failed(tmp_path: Path) -> None:
    """However often it does: the next one starts at once."""
    with supervisor(tmp_path) as stage:
        for _ in range(2):
            stage.worker(messages.Up()).end(0)
            stage.log.until("ended with status 0: its connections are closed, another one takes its place")


def test_a_channel_to_a_process_that_has_ended_is_closed(tmp_path: Path) -> None:
    """Whoever else has the other end."""
    with supervisor(tmp_path) as stage:
        puppet = stage.worker()
        puppet.kill()
        with pytest.raises(EOFError):
            puppet.hear(messages.Drain)


def test_a_worker_that_cannot_be_started_holds_nothing_up(tmp_path: Path) -> None:
    """The log says why; the others serve, change and end."""
    with supervisor(tmp_path, 2) as stage:
        first, other = stage.ready(), stage.ready()
        stage.program.unlink()
        first.kill()
        stage.log.until(f"worker {first.number} cannot be started: [Errno 2] No such file or directory")
        stage.caller()
        other.hear(messages.Connection)
        change(other)
        end(stage)
        other.hear(messages.Drain)
        other.end(0)
        assert stage.status() == 0


def test_the_service_ends_though_a_worker_never_started(tmp_path: Path) -> None:
    """The others are told to end: there is no process to end in its place."""
    with supervisor(tmp_path, 2) as stage:
        first, other = sorted((stage.worker(), stage.worker()), key=lambda puppet: puppet.number)
        other.say(messages.Up())
        stage.program.unlink()
        first.kill()
        stage.log.until("worker 1 cannot be started")
        end(stage)
        other.hear(messages.Drain)
        other.end(0)
        assert stage.status() == 0


def test_a_worker_that_starts_while_the_service_ends_ends_too(tmp_path: Path) -> None:
    """Though it was not there yet when all were told: here its program cannot be read until then."""
    with supervisor(tmp_path) as stage:
        puppet = stage.worker(messages.Up())
        with stage.program.open() as program:
            fcntl.fcntl(program, fcntl.F_SETSIG, signal.SIGURG)  # which nobody minds
            fcntl.fcntl(program, fcntl.F_SETLEASE, fcntl.F_WRLCK)
            puppet.kill()
            wait_until(lambda: fcntl.fcntl(program, fcntl.F_GETLEASE) != fcntl.F_WRLCK)
            end(stage)
            fcntl.fcntl(program, fcntl.F_SETLEASE, fcntl.F_UNLCK)
        assert stage.status() == 0


def test_a_service_that_is_refused_ends(tmp_path: Path) -> None:
    """At the first worker that says why."""
    with supervisor(tmp_path) as stage:
        puppet = stage.worker(messages.Refused("no models"))
        puppet.end(1)
        assert "takes its place" not in stage.log.until("cannot serve: no models")
        assert stage.status() == 1


def test_a_service_of_which_no_worker_starts_ends(tmp_path: Path) -> None:
    """Though none says why: after five in a row, each of which was given more time."""
    with supervisor(tmp_path) as stage:
        start = time.monotonic()
        for _ in range(5):
            stage.worker().end(3)
        stage.log.until(") ended with status 3, as did 4 others before it")
        assert time.monotonic() - start >= 0.5 + 1 + 2
        assert stage.status() == 1


def test_a_service_that_has_served_goes_on(tmp_path: Path) -> None:
    """Though its next worker is refused: what is wrong may be put right again."""
    with supervisor(tmp_path) as stage:
        stage.worker(messages.Up()).kill()
        stage.worker(messages.Refused("no models")).end(1)
        stage.caller()
        stage.worker(messages.Up()).hear(messages.Connection)


def test_the_service_is_ready_when_all_workers_are(tmp_path: Path) -> None:
    """The log says so once, and how many models every worker serves."""
    with supervisor(tmp_path, 2) as stage:
        first = stage.ready(models=2)
        other = stage.worker(messages.Up(), messages.Loaded(1, 2, "cpu", None))
        said = stage.log.until("models ready")
        assert f"process {other.pid}) is ready" in said
        assert "1 of 2 models ready on cpu, 2 threads in 2 workers" in said
        other.say(messages.Loaded(2, 2, "cpu", None))
        change(other, first)
        end(stage)
        for puppet in (first, other):
            puppet.hear(messages.Drain)
            puppet.end(0)
        assert "models ready" not in stage.log.until("all workers have ended")


def test_a_signal_for_the_supervisor_is_not_for_its_workers(tmp_path: Path) -> None:
    """As Ctrl-C, which a terminal sends to a whole group of processes."""
    with supervisor(tmp_path) as stage:
        puppet = stage.worker()
        assert os.getpgid(puppet.pid) == puppet.pid


# Connections.


def test_a_connection_is_closed_when_its_worker_closes_it(tmp_path: Path) -> None:
    """The supervisor has let go of it."""
    with supervisor(tmp_path) as stage:
        puppet = stage.worker(messages.Up())
        caller = stage.caller()
        puppet.hear(messages.Connection)  # which the puppet closes
        assert caller.recv(1) == b""


def test_the_worker_that_has_the_fewest_connections_gets_the_next(tmp_path: Path) -> None:
    """Those that are closed do not count."""
    with supervisor(tmp_path, 2) as stage:
        first, other = stage.ready(), stage.ready()
        stage.caller(), stage.caller()
        first.hear(messages.Connection), other.hear(messages.Connection)
        for closed in (1, 2):
            first.say(messages.Counts(closed, closed))
            change(first, other)
            stage.caller()
            first.hear(messages.Connection)


def test_a_worker_that_serves_fewer_models_gets_no_connections(tmp_path: Path) -> None:
    """Until it tells that it serves as many as the others."""
    with supervisor(tmp_path, 2) as stage:
        first, other = stage.ready(models=1), stage.ready(models=2)
        for _ in range(2):
            stage.caller()
            other.hear(messages.Connection)
        first.say(messages.Ask(1, "load", "a"))
        for puppet in (first, other):
            puppet.hear(messages.Change)
            puppet.say(messages.Done(2, None))
        first.hear(messages.Changed)
        for _ in range(2):
            stage.caller()
            first.hear(messages.Connection)


def test_a_worker_that_is_told_to_end_gets_no_connections(tmp_path: Path) -> None:
    """By somebody else, so that it must say so."""
    with supervisor(tmp_path, 2) as stage:
        first, other = stage.ready(), stage.ready()
        first.say(messages.Draining())
        change(first, other)
        for _ in range(2):
            stage.caller()
            other.hear(messages.Connection)


def test_a_connection_that_cannot_be_handed_to_one_worker_is_for_another(tmp_path: Path) -> None:
    """Whichever would have been the first."""
    with supervisor(tmp_path, 2) as stage:
        broken, other = sorted((stage.ready(), stage.ready()), key=lambda puppet: puppet.number)
        broken.close_channel()
        for _ in range(2):
            stage.caller()
            other.hear(messages.Connection)


def test_a_worker_that_reads_nothing_for_a_while_gets_connections_again(tmp_path: Path) -> None:
    """When it goes on; what finds no room meanwhile is closed, and the rest waits with the kernel."""
    room = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    with room[0], room[1]:
        share = " " * (room[0].getsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF) - 20_000)
    with supervisor(tmp_path, share=share) as stage:
        puppet = stage.puppet()
        puppet.say(messages.Up())
        for _ in range(MOST_UNTAKEN):
            stage.caller()
        stage.log.until("a connection was closed: no worker can take it")
        taken = puppet.drop()
        assert 1 < taken < MOST_UNTAKEN
        puppet.say(messages.Counts(taken - 1, 0))
        puppet.hear(messages.Connection)


def test_callers_whom_no_worker_can_take_yet_cost_nothing(tmp_path: Path) -> None:
    """They wait with the kernel, and the supervisor for its workers."""
    with supervisor(tmp_path) as stage:
        puppet = stage.worker(messages.Up())
        for _ in range(MOST_UNTAKEN + 1):
            stage.caller()
        for _ in range(MOST_UNTAKEN):
            puppet.hear(messages.Connection)
        before = stage.cpu_seconds()
        select.select([], [], [], 0.5)
        assert stage.cpu_seconds() - before < 0.05
        puppet.say(messages.Counts(1, 0))
        puppet.hear(messages.Connection)


def test_callers_wait_where_no_file_can_be_opened(tmp_path: Path) -> None:
    """The log says so, but once a second; when one can be opened again they are served."""
    with supervisor(tmp_path) as stage:
        puppet = stage.ready()
        most = resource.prlimit(stage.process.pid, resource.RLIMIT_NOFILE)
        resource.prlimit(stage.process.pid, resource.RLIMIT_NOFILE, (0, most[1]))
        start = time.monotonic()
        stage.caller()
        for _ in range(3):
            stage.log.until("a connection was not accepted: [Errno 24] Too many open files")
        assert time.monotonic() - start >= 1
        resource.prlimit(stage.process.pid, resource.RLIMIT_NOFILE, most)
        puppet.hear(messages.Connection)


def test_a_worker_with_too_many_connections_is_told_until_it_has_fewer(tmp_path: Path) -> None:
    """Once a second."""
    with supervisor(tmp_path, 2) as stage:
        busy, idle = stage.ready(), stage.ready()
        for _ in range(2):
            stage.caller(), stage.caller()
            busy.hear(messages.Connection), idle.hear(messages.Connection)
        busy.say(messages.Counts(2, 0))
        idle.say(messages.Counts(2, 2))
        for _ in range(2):
            assert busy.hear(messages.Shed).count == 1


# Changes.


def test_a_change_is_done_where_a_worker_ends(tmp_path: Path) -> None:
    """The one in its place loads afresh."""
    with supervisor(tmp_path, 2) as stage:
        asker, other = stage.ready(), stage.ready()
        asker.say(messages.Ask(1, "load", "a"))
        asker.hear(messages.Change)
        asker.say(messages.Done(1, None))
        other.hear(messages.Change)
        other.kill()
        assert asker.hear(messages.Changed) == messages.Changed(1)


def test_a_worker_that_starts_is_told_what_was_unloaded(tmp_path: Path) -> None:
    """By one worker at least: where all failed, nothing was."""
    with supervisor(tmp_path, 2) as stage:
        asker, other = stage.ready(), stage.ready()
        change(asker, other, model="unknown", error="no such model")
        change(asker, other, model="a")
        asker.say(messages.Ask(1, "unload", "b"))
        for puppet, error in ((asker, "busy"), (other, None)):
            puppet.hear(messages.Change)
            puppet.say(messages.Done(1, error))
        assert asker.hear(messages.Changed) == messages.Changed(1, [asker.number], "busy")
        asker.kill()
        new = stage.worker()
        assert [new.hear(messages.Change).model for _ in range(2)] == ["a", "b"]
        new.say(messages.Done(0, None), messages.Done(0, None))
        change(new, other, model="c")


def test_what_was_unloaded_outlives_a_change_that_fails_meanwhile(tmp_path: Path) -> None:
    """One change waits for the other."""
    with supervisor(tmp_path) as stage:
        puppet = stage.ready()
        puppet.say(messages.Ask(1, "unload", "unknown"), messages.Ask(2, "unload", "a"))
        puppet.hear(messages.Change)
        puppet.say(messages.Done(1, "no such model"))
        puppet.hear(messages.Changed)
        puppet.hear(messages.Change)
        puppet.say(messages.Done(0, None))
        puppet.hear(messages.Changed)
        puppet.kill()
        assert stage.worker().hear(messages.Change).model == "a"


# The end.


def test_workers_end_in_order(tmp_path: Path) -> None:
    """Then the status is 0; one that does not is told of, and it is 1."""
    for status in (0, 3):
        folder = tmp_path / str(status)
        folder.mkdir()
        with supervisor(folder) as stage:
            puppet = stage.worker(messages.Up())
            stage.caller()
            puppet.hear(messages.Connection)
            end(stage)
            puppet.hear(messages.Drain)
            puppet.end(status)
            assert ("with status 3 while the service ended" in stage.log.until("all workers have ended")) == bool(
                status
            )
            assert stage.status() == bool(status)


def test_a_worker_that_has_not_begun_is_ended_at_once(tmp_path: Path) -> None:
    """That is no failure."""
    with supervisor(tmp_path) as stage:
        stage.worker()
        end(stage)
        assert stage.status() == 0


def test_a_worker_that_does_not_end_is_killed(tmp_path: Path) -> None:
    """It alone, and the status is 1."""
    with supervisor(tmp_path, 2, patience_seconds=1) as stage:
        late, other = stage.ready(), stage.ready()
        end(stage)
        other.hear(messages.Drain)
        other.end(0)
        said = stage.log.until("all workers have ended")
        assert said.count("has not ended in time, and is killed") == 1
        assert f"worker {late.number} (process {late.pid}) was ended by SIGKILL while the service ended" in said
        assert stage.status() == 1

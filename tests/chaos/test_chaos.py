"""A service that is broken on purpose while callers ask: no answer is wrong, and it answers again when it can.

`make chaos` runs all of them; the tests of every day leave out those that take ten seconds and more (mark `long`).
"""

import os
import shutil
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from contextlib import closing
from pathlib import Path

import httpx2
import pytest

from benchmarks.client import address
from benchmarks.processes import READY, Command, serve, started
from tests import tiny_models
from tests.chaos.conftest import PATIENCE, answer, asking, taken
from tests.e2e.callers import CLASSIFY, PICTURE, Caller, connected
from tests.e2e.conftest import ROOT, Server

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="it looks at processes as Linux shows them")

KEY = {"Authorization": "Bearer a-key"}
STOPPED = [2.0, pytest.param(10.0, marks=pytest.mark.long)]


def workers(server: Server) -> list[int]:
    """The processes of the workers."""
    pid = server.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


def wait_until(holds: Callable[[], bool]) -> None:
    """Wait for something that nobody tells."""
    end = time.monotonic() + PATIENCE
    while not holds():
        assert time.monotonic() < end
        time.sleep(0.05)


def test_workers_are_killed_one_after_the_other(two: Server) -> None:
    """Callers lose a connection where their worker dies, and no more; nothing piles up in the supervisor."""
    with asking(two, 8) as load:
        before = taken(two)
        for _ in range(4):
            os.kill(min(workers(two)), signal.SIGKILL)
            two.log.until(") is ready")
            load.wait_for(20)
        assert set(load.answers) == {200}
        assert load.broken <= 4 * 8
        wait_until(lambda: len(workers(two)) == 2)
        after = taken(two)
    assert after.files <= before.files + 2
    assert after.threads <= before.threads + 4


def test_a_worker_is_killed_while_models_are_loaded(two: Server, repository: Path) -> None:
    """The call that loads them returns, the new version serves, and no caller of the other worker notices."""
    with asking(two) as load:
        tiny_models.publish(repository, version=2)
        with httpx2.Client(timeout=PATIENCE) as client:
            os.kill(workers(two)[0], signal.SIGKILL)
            try:
                answered = client.post(f"{two.url}/v2/repository/models/brightness/load", headers=KEY).status_code
            except httpx2.TransportError:  # it was the one that had the call
                answered = client.post(f"{two.url}/v2/repository/models/brightness/load", headers=KEY).status_code
        assert answered == 200
        two.log.until(") is ready")
        load.wait_for(20)
        assert set(load.answers) == {200}


def test_the_models_are_deleted(one: Server, repository: Path) -> None:
    """What is loaded serves on, layers that nobody has asked for too; when others come they are served."""
    with asking(one) as load, connected(one, 1) as (caller,):
        shutil.rmtree(repository)
        one.log.until("what is loaded goes on")
        load.wait_for(20)
        assert answer(caller, "/v1/models/brightness/feature-maps?layer=block") == 200
        assert answer(caller, "/v1/models/brightness/layers/conv/filters") != 500
        tiny_models.publish(repository, name="another")
        one.log.until("model another version 1 is ready")
        load.wait_for(20)
    assert (set(load.answers), load.broken) == ({200}, 0)


def test_the_disk_is_full(repository: Path) -> None:
    """No file can be written, and the log goes nowhere: the service writes none, and answers without its log."""
    tiny_models.publish(repository)

    def confined(port: int) -> list[str]:
        script = 'ulimit -f 0; TMPDIR=/nowhere exec "$@" 2> /dev/full'
        return ["bash", "-c", script, "bash", *serve(repository, "--threads", "2", "--watch-seconds", "0.1")(port)]

    command: Command = confined
    with (
        started(command, READY) as server,
        closing(Caller(*address(server.url), timeout=PATIENCE)) as caller,
        httpx2.Client(base_url=server.url, timeout=PATIENCE) as client,
    ):
        assert [answer(caller) for _ in range(20)] == [200] * 20
        form = client.post(
            CLASSIFY, files=[("image", ("a.png", PICTURE)), ("image", ("b.png", PICTURE + bytes(2**22)))]
        )
        assert form.status_code == 200, form.text
        tiny_models.publish(repository, version=2)
        wait_until(lambda: len(client.get("/v1/models").json()["models"]) == 2)


@pytest.mark.parametrize("seconds", STOPPED)
def test_a_worker_is_stopped_for_a_while(two: Server, seconds: float) -> None:
    """Its callers wait, and get right answers when it goes on; the others are not disturbed."""
    with asking(two, 8) as load:
        before = taken(two)
        os.kill(workers(two)[0], signal.SIGSTOP)
        try:
            load.wait_for(20)
            time.sleep(seconds)
        finally:
            os.kill(workers(two)[0], signal.SIGCONT)
        load.wait_for(20)
    assert (set(load.answers), load.broken) == ({200}, 0)
    wait_until(lambda: taken(two).sockets < before.sockets)


@pytest.mark.parametrize("seconds", STOPPED)
@pytest.mark.parametrize("count", [1, 2])
def test_the_whole_service_is_stopped_for_a_while(request: pytest.FixtureRequest, count: int, seconds: float) -> None:
    """As where a machine is put to sleep: every caller gets a right answer when it goes on."""
    server: Server = request.getfixturevalue("one" if count == 1 else "two")
    pids = [server.process.pid, *workers(server)]
    with asking(server) as load:
        for pid in pids:
            os.kill(pid, signal.SIGSTOP)
        time.sleep(seconds)
        for pid in reversed(pids):
            os.kill(pid, signal.SIGCONT)
        load.wait_for(20)
    assert (set(load.answers), load.broken) == ({200}, 0)


def test_a_hostile_model_comes_while_callers_ask(one: Server, repository: Path) -> None:
    """A pipe, garbage and a giant, one beside the other: each is listed with its reason, and nobody waits for it."""
    with asking(one) as load:
        for name in ("pipe", "garbage"):
            (repository / name / "1").mkdir(parents=True)
        os.mkfifo(repository / "pipe" / "1" / "model.onnx")
        (repository / "garbage" / "1" / "model.onnx").write_bytes(bytes(range(256)) * 100)
        one.log.until("model garbage version 1 does not load")
        one.log.until("model pipe version 1 does not load")
        load.wait_for(20)
    assert (set(load.answers), load.broken) == ({200}, 0)
    states = {
        model["model"]: model["state"] for model in httpx2.get(f"{one.url}/v1/models", timeout=60).json()["models"]
    }
    assert states == {"brightness": "ready", "garbage": "failed", "pipe": "failed"}


def test_make_chaos_runs_them_all() -> None:
    """Also those that the tests of every day leave out."""
    command = [sys.executable, "-m", "pytest", "tests/chaos", "--collect-only", "-q", "-m", ""]
    listed = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True).stdout
    assert "[10.0]" in listed

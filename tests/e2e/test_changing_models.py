"""Models that come, go and break in the folder of a running service."""

import json
import os
import shutil
import signal
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from threading import Event

import httpx2
import pytest

from tests import tiny_models
from tests.e2e.callers import PICTURE, Caller, answered, ask, classify, connected
from tests.e2e.conftest import Server, Start

COUNTS = [1, pytest.param(2, marks=pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux"))]
KEY = {"Authorization": "Bearer a-key"}
MAPS = "/v1/models/brightness/feature-maps?layer={}"


@pytest.fixture(params=COUNTS, ids=["one process", "two workers"])
def serving(request: pytest.FixtureRequest, start: Start, repository: Path) -> Iterator[Server]:
    """`brightness` in one process, and in two."""
    tiny_models.publish(repository)
    flags = ["--workers", str(request.param), "--threads", "2", "--watch-seconds", "0.1", "--admin-key", "a-key"]
    with start(repository, *flags) as server:
        yield server


def arrive(repository: Path, *, name: str = "brightness", version: int = 1) -> Path:
    """Put a version in its place, whole."""
    target = repository / name / str(version)
    target.parent.mkdir(exist_ok=True)
    return tiny_models.publish(repository / ".coming", name=name, version=version).rename(target)


@contextmanager
def load(server: Server, count: int = 4) -> Iterator[None]:
    """Callers who ask for classes and maps again and again, each of whom must get an answer each time."""
    enough = Event()

    def call(caller: Caller, layer: str) -> int:
        answers = 0
        while not enough.is_set():
            assert classify(caller)[0] == 200
            status, body = ask(caller, "POST", MAPS.format(layer), PICTURE)
            assert status == 200, body
            answers += 1
        return answers

    with answered(server, count) as callers, ThreadPoolExecutor(count) as pool:
        calls = [
            pool.submit(call, caller, layer) for caller, layer in zip(callers, ["conv", "pool"] * count, strict=False)
        ]
        try:
            yield
        finally:
            enough.set()
        assert all(done.result() for done in calls)


def versions(server: Server) -> set[int]:
    """Those that answer eight callers, who are divided among the workers."""
    with connected(server, 8) as callers:
        return {json.loads(classify(caller)[1])["version"] for caller in callers}


def wait_for_version(server: Server, version: int) -> None:
    """Ask until every worker answers with a version."""
    while versions(server) != {version}:
        pass


def test_no_request_fails_while_models_change(serving: Server, repository: Path) -> None:
    """A version comes, is cut short, becomes whole again and goes, while callers ask."""
    with load(serving):
        file = arrive(repository, version=2) / "model.onnx"
        wait_for_version(serving, 2)
        whole = file.read_bytes()
        file.write_bytes(whole[:100])
        serving.log.until("model brightness version 2 does not load: model.onnx has 100 bytes")
        assert versions(serving) == {2}
        file.write_bytes(whole)
        serving.log.until("model brightness version 2 is ready")
        shutil.rmtree(repository / "brightness" / "2")
        wait_for_version(serving, 1)


def test_a_repository_that_vanishes_takes_nothing_along(serving: Server, repository: Path) -> None:
    """Callers get their answers, and the log says what is wrong."""
    with load(serving):
        repository.rename(repository.with_name("elsewhere"))
        serving.log.until("cannot be read: No such file or directory: what is loaded goes on")
        assert versions(serving) == {1}
    assert httpx2.get(f"{serving.url}/v2/health/ready", timeout=60).status_code == 200


def test_a_reason_is_listed(serving: Server, repository: Path) -> None:
    """Without telling where the repository is."""
    (repository / "brightness" / "1" / "model.onnx").write_bytes(b"broken")
    serving.log.until("does not load")
    reason = None
    while reason is None:
        (described,) = httpx2.get(f"{serving.url}/v1/models", timeout=60).json()["models"]
        reason = described["reason"]
    assert described["state"] == "ready"
    assert "the one before it serves: model.onnx has 6 bytes" in reason
    assert str(repository) not in reason


def test_a_model_that_was_unloaded_by_a_call_stays_so(start: Start, repository: Path) -> None:
    """In every worker, also in one that starts later, though its folder changes."""
    tiny_models.publish(repository)
    tiny_models.publish(repository, name="other")
    flags = ["--workers", "2", "--threads", "2", "--watch-seconds", "0.1", "--admin-key", "a-key"]
    with start(repository, *flags) as server:
        unload = f"{server.url}/v2/repository/models/brightness/unload"
        assert httpx2.post(unload, headers=KEY, timeout=60).status_code == 200
        pid = server.process.pid
        (killed, _) = Path(f"/proc/{pid}/task/{pid}/children").read_text().split()
        os.kill(int(killed), signal.SIGKILL)
        server.log.until(") is ready")
        arrive(repository, version=2)
        arrive(repository, name="last")
        for _ in range(2):  # each worker has followed what came behind
            server.log.until("model last version 1 is ready")
        with connected(server, 8) as callers:
            found = [json.loads(ask(caller, "GET", "/v2/models")[1])["models"] for caller in callers]
        assert found == [["last", "other"]] * 8

"""A device that computes nothing any more, as CUDA after an illegal access: the process must be started again."""

import sys
from collections.abc import Iterator
from pathlib import Path

import httpx2
import pytest

from tests import images, tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE, answered, ask, begin, end
from tests.e2e.conftest import ROOT, Server, Start

LOST = """
import sys

if {"service", "service.workers.worker"} & set(sys.orig_argv):
    import service.runtime

    def beat():
        raise RuntimeError("CUDA failure 700: an illegal memory access was encountered")

    device = service.runtime.Device("cpu", "cpu", pulse=service.runtime.Pulse(beat))
    service.runtime.open_device = lambda *_: device
"""
"""A CPU whose next failure is its last; Python reads it in every process of the service."""

ASK = "/v1/models/fragile/classify"


@pytest.fixture
def fragile(repository: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A repository with `brightness` and with `fragile`, which fails on white pictures."""
    tiny_models.publish(repository)
    tiny_models.publish(repository, tiny_models.fragile(), name="fragile", layers=())
    (tmp_path / "sitecustomize.py").write_text(LOST)
    monkeypatch.setenv("PYTHONPATH", f"{tmp_path}:{ROOT}")
    return repository


@pytest.fixture
def alone(start: Start, fragile: Path) -> Iterator[Server]:
    """A service of one process."""
    with start(fragile) as server:
        yield server


def test_the_service_is_not_live_and_ends(alone: Server) -> None:
    """Who asked gets 503, health says that it is not live, and the status tells whoever keeps it running."""
    with httpx2.Client(base_url=alone.url, timeout=60) as client, answered(alone, 2) as (slow, other):
        begin(slow)  # it does not end before this one is answered
        assert client.post(ASK, content=images.plain(0)).status_code == 200
        assert ask(other, "GET", "/v2/health/live")[0] == 200
        lost = client.post(ASK, content=PICTURE)
        assert lost.status_code == 503
        assert lost.json()["type"] == "urn:striate:device-lost"
        assert ask(other, "GET", "/v2/health/live") == (503, b'{"live":false,"error":"the device is lost"}')
        assert end(slow)
    assert alone.process.wait(timeout=30) == 1


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_a_worker_is_replaced(start: Start, fragile: Path) -> None:
    """The others go on meanwhile."""
    with start(fragile, "--workers", "2", "--threads", "2") as server:
        lost = httpx2.post(server.url + ASK, content=PICTURE, timeout=60)
        assert lost.status_code == 503
        assert "ended with status 1: its connections are closed" in server.log.until("takes its place")
        assert httpx2.post(server.url + CLASSIFY, content=PICTURE, timeout=60).status_code == 200
        server.log.until(") is ready")

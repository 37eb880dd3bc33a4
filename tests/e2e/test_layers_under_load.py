"""Many callers ask for random layers of several models, while graphs are cut, kept and dropped."""

import asyncio
import io
import random
import shutil
import socket
import subprocess
import sys
import threading
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import numpy as np
import pytest
import uvicorn
from numpy.typing import NDArray

from service.addressing import find_layers
from service.engine import Engine, open_engine
from service.feature_maps import MapRequest, feature_maps
from service.http.app import create_app
from service.settings import Settings
from service.timing import Timings
from tests.e2e.conftest import ROOT

CLIENTS = 32
SECONDS = 60
ROOM = 48 * 2**20  # bytes; a cut of the largest model has up to 45 MB, so that sessions come and go
TOLERANCE = 1e-4  # of the largest value of a layer

Maps = Mapping[str, NDArray[Any]]


@dataclass
class Callers:
    """Callers of one service, and what they saw together.

    Args:
        url: Of the service.
        photo: What they send.
        expected: For each model what each layer answers to the photo.
        deadline: When they stop.
    """

    url: str
    photo: bytes
    expected: Mapping[str, Maps]
    deadline: float
    maps: int = 0
    classes: int = 0
    wrong: list[str] = field(default_factory=list)

    def call(self, number: int) -> None:
        """Ask for one thing after the other; one in ten times for classes."""
        dice = random.Random(number)  # noqa: S311  (not for secrets)
        with httpx2.Client(base_url=self.url, timeout=600) as client:
            while time.monotonic() < self.deadline:
                if dice.random() < 0.1:
                    answer = client.post("/v1/models/efficientnet-lite0/classify", content=self.photo)
                    self.classes += answer.status_code == 200
                else:
                    self.ask(client, dice)

    def ask(self, client: httpx2.Client, dice: random.Random) -> None:
        """Ask for some layers of some model, and compare them."""
        name = dice.choice(sorted(self.expected))
        layers = dice.sample(sorted(self.expected[name]), dice.choice((1, 1, 1, 2, 3)))
        query = {"layer": layers, "format": "npz"}
        answer = client.post(f"/v1/models/{name}/feature-maps", params=query, content=self.photo)
        if answer.status_code == 200:
            archive = np.load(io.BytesIO(answer.content))
            self.wrong += [f"{name} {one}" for one in layers if differs(archive[one], self.expected[name][one])]
            self.maps += len(layers)
        else:
            self.wrong.append(answer.text)


def differs(got: NDArray[Any], right: NDArray[Any]) -> bool:
    """Whether a map is wrong."""
    return bool(np.abs(got - right).max() > TOLERANCE * np.abs(right).max())


class Server(uvicorn.Server):
    """Tells when it listens."""

    def __init__(self, config: uvicorn.Config) -> None:
        super().__init__(config)
        self.listening = threading.Event()

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Tell it."""
        await super().startup(sockets)
        self.listening.set()


@contextmanager
def serving(engine: Engine) -> Iterator[str]:
    """Serve an engine of this process, so that the test can look into its cache."""
    server = Server(uvicorn.Config(create_app(engine), port=0, log_level="error"))
    thread = threading.Thread(target=asyncio.run, args=(server.serve(),))
    thread.start()
    try:
        assert server.listening.wait(timeout=60)
        yield f"http://127.0.0.1:{server.servers[0].sockets[0].getsockname()[1]}"
    finally:
        server.should_exit = True
        thread.join()


@pytest.fixture
def engine(tmp_path: Path) -> Engine:
    """The shipped models and an untrained ResNet-18, with little room for cut graphs."""
    models = tmp_path / "models"
    shutil.copytree(ROOT / "models", models)
    command = [
        sys.executable,
        "-m",
        "service",
        "export",
        "random",
        "resnet18",
        "--name",
        "resnet18",
        "--models",
        str(models),
    ]
    subprocess.run(command, cwd=ROOT, check=True, capture_output=True)
    settings = Settings(models=models, device="cpu", session_cache_bytes=ROOM, deadline_seconds=600)
    engine = open_engine(settings)
    engine.registry.load_all()
    return engine


def everything(engine: Engine, name: str, photo: bytes) -> Maps:
    """Every layer of a model from one run, to compare with."""
    model = engine.registry.find(name)
    request = MapRequest(find_layers(model.layers, ["*"]), "npz")
    found = feature_maps(model, [photo], request, max_pixels=10**8, timings=Timings())
    return {one.layer.path: one.data for one in found.maps}


def test_random_layers_under_load(engine: Engine, chelsea: bytes) -> None:
    """No wrong map, no error, the cache within its bound, and classification still answered."""
    expected = {name: everything(engine, name, chelsea) for name in ("efficientnet-lite0", "lenet5", "resnet18")}
    with serving(engine) as url, ThreadPoolExecutor(CLIENTS) as pool:
        callers = Callers(url, chelsea, expected, time.monotonic() + SECONDS)
        waiting = {pool.submit(callers.call, number) for number in range(CLIENTS)}
        cached = []
        while waiting:
            done, waiting = wait(waiting, timeout=0.1)
            cached.append(engine.sessions.bytes)
            for caller in done:
                caller.result()
    assert callers.wrong == []
    assert callers.maps > 100
    assert callers.classes > 10
    assert 0 < max(cached) <= ROOM

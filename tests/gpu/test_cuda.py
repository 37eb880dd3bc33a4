"""The service on an NVIDIA GPU."""

import asyncio
from collections.abc import Iterator
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from service.compute import Compute
from service.engine import Engine, open_engine
from service.errors import StriateError
from service.image import decode_all
from service.model import Model
from service.runtime import GpuOptions, open_device
from service.sessions import SessionCache
from service.settings import Settings
from service.timing import Timings

ROOT = Path(__file__).parents[2]
PHOTOS = [path.read_bytes() for path in sorted((ROOT / "tests" / "photos").glob("*.jpg"))]
MODEL = "efficientnet-lite0"


@pytest.fixture(scope="module")
def engine() -> Iterator[Engine]:
    """On the GPU, every size of batch warmed up."""
    made = open_engine(Settings(models=ROOT / "models", device="cuda"))
    made.registry.load_all()
    yield made
    made.close()


@pytest.fixture(scope="module")
def on_cpu() -> Model:
    """The same model on the CPU."""
    made = open_engine(Settings(models=ROOT / "models", device="cpu"))
    return made.registry.load(MODEL)


def test_every_model_is_ready_on_the_gpu(engine: Engine) -> None:
    """None fell back to the CPU."""
    assert [(entry.state, entry.model and entry.model.device.used) for entry in engine.registry.entries] == [
        ("ready", "cuda") for _ in engine.registry.entries
    ]


@pytest.mark.parametrize("count", [1, 2, 5, 33])
def test_the_gpu_says_what_the_cpu_says(engine: Engine, on_cpu: Model, count: int) -> None:
    """Alone, in a batch that is filled up, and in more than one."""
    model = engine.registry.find(MODEL)
    images = [PHOTOS[i % len(PHOTOS)] for i in range(count)]
    pixels = decode_all(images, model.image_input, max_pixels=10**7)
    assert model.probabilities(pixels) == pytest.approx(on_cpu.probabilities(pixels), abs=1e-4)


def test_layers_are_those_of_the_cpu(engine: Engine, on_cpu: Model) -> None:
    """The first, one in the middle, the last."""
    model = engine.registry.find(MODEL)
    pixels = decode_all(PHOTOS, model.image_input, max_pixels=10**7)
    rows = list(model.layers)
    wanted = [rows[0], rows[len(rows) // 2], rows[-1]]
    for found, expected in zip(model.feature_maps(pixels, wanted), on_cpu.feature_maps(pixels, wanted), strict=True):
        assert np.abs(found - expected).max() <= 1e-3 * np.abs(expected).max()


def test_many_callers_share_runs_and_get_their_own(engine: Engine, on_cpu: Model) -> None:
    """A hundred at once, each with another photo than its neighbours."""
    model = engine.registry.find(MODEL)
    pixels = [decode_all([photo], model.image_input, max_pixels=10**7) for photo in PHOTOS]
    expected = [int(on_cpu.probabilities(one).argmax()) for one in pixels]

    def best(i: int) -> int:
        return int(model.probabilities(pixels[i % len(pixels)]).argmax())

    async def all_of_them() -> list[int]:
        return await asyncio.gather(*(engine.scheduler.run(partial(best, i), Timings()) for i in range(100)))

    assert asyncio.run(all_of_them()) == [expected[i % len(expected)] for i in range(100)]


def test_memory_has_a_limit() -> None:
    """A network that needs more than the arena may take is refused when it is loaded."""
    device = open_device("cuda", GpuOptions(memory_bytes=2**20))
    folder = open_engine(Settings(models=ROOT / "models", device="cpu")).registry.entry(MODEL).folder
    with pytest.raises(StriateError):
        Model(folder, compute=Compute(device, cores=1, max_batch=32), cache=SessionCache(max_bytes=0))

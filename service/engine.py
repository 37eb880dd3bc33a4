"""The composition root: settings become the objects that answer requests.  Nothing else builds them."""

import threading
from dataclasses import dataclass
from functools import partial
from typing import Final

from service.compute import Compute
from service.cores import available_cores
from service.counters import Memories
from service.encoded_image import PIXEL_BYTES, prepare_decoders
from service.figures import Figures
from service.inference_statistics import InferenceStatistics
from service.model import Limits, Model
from service.registry import Registry
from service.request_statistics import RequestStatistics
from service.room import Room
from service.runtime import Device, GpuOptions, open_device
from service.scheduler import Scheduler
from service.sessions import SessionCache
from service.settings import Settings
from service.turns import Turns
from service.watcher import Watcher

# On a CPU, a batch takes as long as its images one after the other.
_MAX_BATCH: Final = {"cpu": 1, "cuda": 32}
# What each thread may take to decode, whatever others do: a JPEG of 14 megapixels goes into it, or a WebP of 6.
_OWN_BYTES: Final = 128 * 2**20


@dataclass(frozen=True)
class Engine:
    """All that answers requests, with or without HTTP in front."""

    settings: Settings
    device: Device
    threads: int
    sessions: SessionCache
    registry: Registry
    watcher: Watcher
    scheduler: Scheduler
    turns: Turns
    statistics: InferenceStatistics
    requests: RequestStatistics
    room: Room
    figures: Figures

    def begin_loading(self) -> None:
        """Load the models in a thread, and return at once."""
        threading.Thread(target=self.registry.load_all, name="loading").start()

    def close(self) -> None:
        """Let the jobs that run end, drop those that wait, and load no more models."""
        self.registry.close()
        self.scheduler.close()


def open_engine(settings: Settings, memories: Memories | None = None) -> Engine:
    """Build the engine.  No model is loaded yet: `engine.begin_loading()` does that, or `engine.registry.load_all()`.

    Args:
        settings: What the operator chose.
        memories: Where counters lie; None where this process serves alone.

    Raises:
        DeviceError: The device that was demanded does not come up.
        ModelFileError: The model repository cannot be read.
    """
    prepare_decoders()
    threads = settings.threads or available_cores()
    device = open_device(settings.device, GpuOptions(settings.gpu_memory_bytes, settings.gpu_tf32, settings.gpu_nhwc))
    max_batch = settings.max_batch or _MAX_BATCH[device.used]
    largest = settings.max_pixels * max(PIXEL_BYTES.values())
    own = min(_OWN_BYTES, largest)
    sessions = SessionCache(max_bytes=settings.session_cache_bytes)
    scheduler = Scheduler(
        # Of two batches, one is computed while the other one is decoded and encoded.
        workers=threads if max_batch == 1 else threads + 2 * max_batch,
        max_queue=settings.max_queue,
        deadline_seconds=settings.deadline_seconds,
        own_bytes=own,
        shared_bytes=largest - own,
    )
    lying = memories or Memories()
    statistics = InferenceStatistics(lying)
    compute = Compute(
        device,
        cores=threads,
        crowded=lambda: scheduler.admitted >= threads,
        max_batch=max_batch,
        ran=statistics.ran,
    )
    limits = Limits(file_bytes=settings.max_model_bytes, run_bytes=settings.max_run_bytes)
    registry = Registry(settings.models, partial(Model, compute=compute, cache=sessions, limits=limits))
    return Engine(
        settings=settings,
        device=device,
        threads=threads,
        sessions=sessions,
        registry=registry,
        watcher=Watcher(registry, settings.models, seconds=settings.watch_seconds),
        scheduler=scheduler,
        turns=Turns(statistics.ran),
        statistics=statistics,
        requests=RequestStatistics(lying),
        room=Room(max_bytes=settings.max_held_bytes),
        figures=Figures(lying),
    )

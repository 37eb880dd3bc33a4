"""The composition root: settings become the objects that answer requests.  Nothing else builds them."""

from dataclasses import dataclass, field
from functools import partial

from service.cores import available_cores
from service.inference_statistics import InferenceStatistics
from service.model import Model
from service.registry import Registry
from service.runtime import Device, open_device
from service.scheduler import Scheduler
from service.sessions import SessionCache
from service.settings import Settings


@dataclass(frozen=True)
class Engine:
    """All that answers requests, with or without HTTP in front."""

    settings: Settings
    device: Device
    threads: int
    sessions: SessionCache
    registry: Registry
    scheduler: Scheduler
    statistics: InferenceStatistics = field(default_factory=InferenceStatistics)

    def close(self) -> None:
        """Let the jobs that run end, and drop those that wait."""
        self.scheduler.close()


def open_engine(settings: Settings) -> Engine:
    """Build the engine.  No model is loaded yet: `engine.registry.load_all()` does that.

    Raises:
        DeviceError: The device that was demanded does not come up.
        ModelFileError: The model repository cannot be read.
    """
    threads = settings.threads or available_cores()
    device = open_device(settings.device)
    sessions = SessionCache(max_bytes=settings.session_cache_bytes)
    return Engine(
        settings=settings,
        device=device,
        threads=threads,
        sessions=sessions,
        registry=Registry(settings.models, partial(Model, device=device, threads=threads, cache=sessions)),
        scheduler=Scheduler(workers=threads, max_queue=settings.max_queue, deadline_seconds=settings.deadline_seconds),
    )

"""Two ways to serve: every replica holds all models, or each one those that it was asked for last."""

from collections.abc import Callable
from typing import Any, Final

import ray
from fastapi import FastAPI
from pydantic import BaseModel, ConfigDict, Field
from ray import serve
from ray.serve import Application
from ray.serve.config import AutoscalingConfig
from starlette.applications import Starlette
from starlette.routing import Mount
from starlette.types import ASGIApp

from deploy.ray.forwarding import Call, Reply
from deploy.ray.on_demand import OnDemand
from deploy.ray.router import Router
from service.engine import open_engine
from service.errors import DeviceError
from service.http.app import create_app
from service.settings import Settings

REPLICAS: Final = "Striate"
ROUTERS: Final = "Router"

# On a replica that dies, at most these are lost, or asked again.
_MAX_ONGOING: Final = 8


class Arguments(BaseModel):
    """What `serve run` takes as `name=value`, and a configuration under `args`.

    A configuration may change cores, GPUs and autoscaling under `deployments` as well.
    """

    model_config = ConfigDict(extra="forbid")

    models: str = Field("models", description="Folder of the model repository, the same on every node.")
    models_per_replica: int = Field(0, ge=0, description="Most models in a replica; 0 for all, in every replica.")
    cpus: float = Field(1, gt=0, description="Cores of a replica.")
    gpus: float = Field(0, ge=0, description="GPUs of a replica; 0.25 where four share one.")
    min_replicas: int = Field(1, ge=1, description="Fewest replicas.")
    max_replicas: int = Field(8, ge=1, description="Most replicas.")
    settings: dict[str, Any] = Field({}, description="Other settings of the service, by name.")


def app(args: Arguments) -> Application:
    """The application, for `serve run` and `serve deploy`."""
    # Loading and unloading by hand would reach one replica of many.
    given = {**args.settings, "models": args.models, "admin_key": ""}
    settings = Settings(**given)  # what is wrong is said here, and not by each replica
    options: dict[str, Any] = {
        "ray_actor_options": {"num_cpus": args.cpus, "num_gpus": args.gpus},
        "autoscaling_config": _scaling(args, ongoing_requests=_MAX_ONGOING / 2),
        "max_ongoing_requests": _MAX_ONGOING,
        "max_queued_requests": settings.max_queue,
        "graceful_shutdown_timeout_s": settings.shutdown_seconds,
    }
    if not args.models_per_replica:
        return serve.deployment(_whole(given), name=REPLICAS, **options).bind()
    replicas = serve.deployment(Multiplexed, name=REPLICAS, **options).bind(given, args.models_per_replica)
    routers = serve.deployment(
        _routing(settings),
        name=ROUTERS,
        ray_actor_options={"num_cpus": 0},
        autoscaling_config=_scaling(args, ongoing_requests=32),
        max_ongoing_requests=128,
    )
    return routers.bind(replicas)


def here(given: dict[str, Any]) -> Settings:
    """The settings of a replica: as many threads as it has cores, and on the GPU where it has a share of one."""
    assigned = ray.get_runtime_context().get_assigned_resources()
    threads = max(1, int(assigned.get("CPU", 1)))
    device = "cuda" if assigned.get("GPU") else "cpu"
    return Settings(**{"threads": threads, "device": device, **given})


class Multiplexed:
    """A replica that loads models when it is asked for them, and unloads those that it was asked for least recently.

    Args:
        given: Settings by name.
        models: How many it holds at most.
    """

    def __init__(self, given: dict[str, Any], models: int) -> None:
        self._service = OnDemand(here(given), serve.multiplexed(max_num_models_per_replica=models))

    async def __call__(self, call: Call) -> Reply:
        """Answer a call."""
        return await self._service.answer(call)

    def check_health(self) -> None:
        """Ray asks again and again, and replaces a replica that raises."""
        self._service.check()

    def __del__(self) -> None:
        """Let what runs end."""
        self._service.close()


class Whole:
    """A replica that is the service as it is, with all models; Ray makes it answer."""

    app: FastAPI

    def check_health(self) -> None:
        """As that of `Multiplexed`."""
        if self.app.state.engine.device.pulse.lost:
            raise DeviceError("the device is lost")


def _whole(given: dict[str, Any]) -> type:

    def build() -> FastAPI:
        engine = open_engine(here(given))
        engine.registry.load_all()  # a replica gets requests as soon as it is built
        return create_app(engine)

    return _answering(build, Whole)


def _routing(settings: Settings) -> type:
    def build() -> Starlette:
        return Starlette(routes=[Mount("/", Router(serve.get_deployment_handle(REPLICAS), settings))])

    return _answering(build)


def _answering(build: Callable[[], ASGIApp], replica: type | None = None) -> type:
    """A class whose instances answer as the application that is built in each."""
    made: type = serve.ingress(build)(replica)
    return made


def _scaling(args: Arguments, *, ongoing_requests: float) -> AutoscalingConfig:
    return AutoscalingConfig(
        min_replicas=args.min_replicas,
        max_replicas=args.max_replicas,
        target_ongoing_requests=ongoing_requests,
        upscale_delay_s=5,
        downscale_delay_s=300,
    )

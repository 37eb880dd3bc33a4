"""Builds the HTTP application around an engine."""

import asyncio
import logging
import os
from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager
from functools import partial
from typing import TYPE_CHECKING, Any, Final

from fastapi import APIRouter, Depends, FastAPI, params
from fastapi.telemetry import TelemetryConfig
from starlette.middleware.errors import ServerErrorMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service import __version__
from service.engine import Engine
from service.http import access, problems
from service.http.calls import refuse_unknown_parameters, version_in_path
from service.http.changes import Change, changes_of
from service.http.direct_paths import DirectPaths
from service.http.head_requests import HeadRequests
from service.http.holding import Holding
from service.http.metrics import Metrics
from service.http.observation import Observation, route_of, templates
from service.http.request_log import request_log
from service.http.routes import (
    classify,
    documentation,
    embeddings,
    feature_maps,
    filters,
    health,
    heatmap,
    models,
    page,
    preprocessed,
)
from service.http.routes import metrics as metrics_routes
from service.http.routes.v2 import infer, repository, server
from service.http.routes.v2 import models as protocol_models
from service.http.schemas import ProblemAnswer
from service.settings import Settings

if TYPE_CHECKING:
    from service.http.tracing import Tracing

log = logging.getLogger(__name__)

_TELL_SECONDS: Final = 1.0
# Where OpenTelemetry's own variables have the address of a collector.
_ENDPOINTS: Final = ("OTEL_EXPORTER_OTLP_ENDPOINT", "OTEL_EXPORTER_OTLP_TRACES_ENDPOINT")

_MODEL: Final = "/v1/models/{model}"

_PROTOCOL_MODEL: Final = "/v2/models/{model}"

# No parameter is ignored: a route that reads its query string itself (`parse_query`) sees to it, this does for others.
_STRICT: list[params.Depends] = [Depends(refuse_unknown_parameters)]

_ROUTERS: tuple[tuple[APIRouter, list[params.Depends]], ...] = (
    (classify.router, []),
    (feature_maps.router, []),
    (models.router, _STRICT),
    (embeddings.router, []),
    (heatmap.router, []),
    (filters.router, []),
    (preprocessed.router, []),
)

# FastAPI looks for it anew at every request, which takes as long as to find the route.
_NO_TELEMETRY: TelemetryConfig = {"tracing": False, "metrics": False, "logs": False}

_DESCRIPTION = """
Classifies images, and returns the feature maps of any layer of any network that it serves.

An image is sent as it is (`curl --data-binary @cat.jpg`; PUT works like POST, so `curl -T` does too), as multipart
form data (`-F image=@cat.jpg`, repeated for several), or in JSON as `{"images": ["<base64 or data URL>"]}`.
"""


class Application(FastAPI):
    """An application whose requests are all observed."""

    def __init__(self, **given: Any) -> None:  # noqa: ANN401  (FastAPI's)
        super().__init__(**given)
        self.templates = dict(templates(self.router))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer, without FastAPI's telemetry, of which nothing is wanted here."""
        scope["app"] = self
        if self.middleware_stack is None:
            self.middleware_stack = self.build_middleware_stack()
        await self.middleware_stack(scope, receive, send)

    def build_middleware_stack(self) -> ASGIApp:
        """What a request goes through: what was added comes before FastAPI's own, which direct routes need not."""
        added, self.user_middleware = self.user_middleware, []
        direct = {"/v1": [routes for routes, _ in _ROUTERS], "/v2": [infer.router], "": [health.router]}
        app: ASGIApp = DirectPaths(HeadRequests(super().build_middleware_stack()), direct)
        for layer in reversed(added):
            app = layer.cls(app, *layer.args, **layer.kwargs)
        # Starlette would put its own answer to a fault before what observes.
        return self.observed(ServerErrorMiddleware(app, handler=problems.on_bug))

    def openapi(self) -> dict[str, Any]:
        """The documentation for programs."""
        schema = super().openapi()
        schema["components"]["schemas"][ProblemAnswer.__name__] = ProblemAnswer.model_json_schema()
        return access.described(schema, self.state.keys)

    def include_router(self, router: APIRouter, *, prefix: str = "", **given: Any) -> None:  # noqa: ANN401  (FastAPI's)
        """Answer the routes of a router too, below a prefix."""
        super().include_router(router, prefix=prefix, **given)
        self.templates |= templates(router, prefix)

    def observed(self, app: ASGIApp) -> ASGIApp:
        """Another application that is observed as this one is; for answers that this one does not give."""
        engine: Engine = self.state.engine
        return Observation(
            app,
            statistics=engine.requests,
            log=self.state.log,
            route_of=partial(route_of, self.templates),
            active=self.state.active,
            tracing=self.state.tracing,
        )


def create_app(
    engine: Engine,
    *,
    change: Change | None = None,
    loaded: Callable[[Engine], None] | None = None,
    worker: int | None = None,
) -> Application:
    """Build the application.  It answers at once; the models are loaded after it has started.

    Args:
        engine: What answers.
        change: Loads and unloads models, where that is not for this process alone.
        loaded: Told when no model is loading any more, and again when models have changed by themselves; where it is
            not given, the log is.
        worker: The number of this process, where several serve together.

    Raises:
        SettingsError: The file of keys cannot be used.
    """
    app = Application(
        title="Striate",
        version=__version__,
        description=_DESCRIPTION,
        lifespan=_lifespan,
        docs_url=None,
        redoc_url=None,
        redirect_slashes=False,
        telemetry=_NO_TELEMETRY,
    )
    app.state.engine = engine
    app.state.tracing = open_tracing(engine.settings)
    app.state.active = set()
    app.state.metrics = Metrics(engine, app.state.active)
    app.state.log = request_log(engine.settings, worker)
    app.state.change = change or changes_of(engine.registry)
    app.state.loaded = loaded or _log_loaded
    for pages in (page.router, documentation.router):
        app.include_router(pages, include_in_schema=False, dependencies=_STRICT)
    for routes, dependencies in _ROUTERS:
        app.include_router(routes, prefix=_MODEL, dependencies=dependencies)
    for routes, dependencies in _ROUTERS:
        versioned = [*dependencies, Depends(version_in_path)]
        app.include_router(routes, prefix=f"{_MODEL}/versions/{{version}}", dependencies=versioned)
    app.include_router(health.router, dependencies=_STRICT)
    app.include_router(metrics_routes.router, dependencies=_STRICT)
    app.include_router(models.index, dependencies=_STRICT)
    for routes in (server.router, protocol_models.index, repository.router):
        app.include_router(routes, dependencies=_STRICT)
    for routes in (protocol_models.router, infer.router):
        app.include_router(routes, prefix=_PROTOCOL_MODEL, dependencies=_STRICT)
        versioned = [*_STRICT, Depends(version_in_path)]
        app.include_router(routes, prefix=f"{_PROTOCOL_MODEL}/versions/{{version}}", dependencies=versioned)
    problems.install(app)
    app.add_middleware(Holding, room=engine.room)
    access.install(app, engine.settings)
    return app


def open_tracing(settings: Settings) -> "Tracing | None":
    """What sends traces, where somebody has said to where; else None, and nothing is imported for it."""
    if not settings.otlp_endpoint and not any(os.environ.get(name) for name in _ENDPOINTS):
        return None
    from service.http.tracing import Tracing  # noqa: PLC0415  (20 ms that most starts need not take)

    return Tracing(settings.otlp_endpoint)


@asynccontextmanager
async def _lifespan(app: FastAPI) -> AsyncIterator[None]:
    engine: Engine = app.state.engine
    loading = asyncio.create_task(asyncio.to_thread(engine.registry.load_all))
    loading.add_done_callback(lambda task: _on_loaded(app, task))
    telling = asyncio.create_task(_tell_figures(app.state.metrics))
    yield
    telling.cancel()
    engine.registry.close()
    await asyncio.wait([loading])
    await asyncio.to_thread(engine.watcher.close)
    engine.close()
    if app.state.tracing is not None:
        await asyncio.to_thread(app.state.tracing.close)


async def _tell_figures(metrics: Metrics) -> None:
    """Tell the other processes how things stand here, as any of them may be asked."""
    while True:
        metrics.tell()
        await asyncio.sleep(_TELL_SECONDS)


def _on_loaded(app: FastAPI, task: asyncio.Task[None]) -> None:
    if error := task.exception():
        log.critical("loading the models failed", exc_info=error)
    else:
        app.state.loaded(app.state.engine)
        tell = partial(task.get_loop().call_soon_threadsafe, app.state.loaded, app.state.engine)
        app.state.engine.watcher.start(tell)


def _log_loaded(engine: Engine) -> None:
    entries = engine.registry.entries
    ready = sum(entry.state == "ready" for entry in entries)
    if engine.device.reason:
        log.info("device auto: running on the %s, since %s", engine.device.used, engine.device.reason)
    log.info("%d of %d models ready on %s, %d threads", ready, len(entries), engine.device.used, engine.threads)

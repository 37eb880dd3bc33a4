"""The service with no model at first: each is loaded when it is asked for."""

import asyncio
import contextlib
import re
from collections.abc import Awaitable, Callable
from http import HTTPStatus
from typing import Final

from fastapi.responses import JSONResponse
from starlette.middleware import Middleware
from starlette.types import ASGIApp, Receive, Scope, Send

from deploy.ray.forwarding import Call, Reply, ask, model_of
from service.engine import open_engine
from service.errors import DeviceError, ModelFileError
from service.http.app import create_app
from service.http.routes.health import READY
from service.settings import Settings

_MODEL_READY: Final = re.compile(r"/v2/models/[^/]+/ready")


class Loaded:
    """A model that is loaded, for as long as this is kept."""

    def __init__(self, unload: Callable[[], None]) -> None:
        self._unload: Callable[[], None] | None = unload

    def __del__(self) -> None:
        """Unload it.  Ray calls this before it lets go of it; whoever runs on the model ends as usual."""
        unload, self._unload = self._unload, None
        if unload is not None:
            unload()


Load = Callable[[str], Awaitable[Loaded]]


class OnDemand:
    """Answers calls, and loads the model that one is about.

    Args:
        settings: Of the service.
        keep: Makes of what loads a model what gives one that is loaded, and lets go of others.

    Raises:
        DeviceError: The device that was demanded does not come up.
        ModelFileError: The model repository cannot be read.
        SettingsError: The file of keys cannot be used.
    """

    def __init__(self, settings: Settings, keep: Callable[[Load], Load]) -> None:
        self._engine = open_engine(settings)
        registry = self._registry = self._engine.registry
        for name in {entry.folder.name for entry in registry.entries}:
            registry.unload(name)

        async def load(model: str) -> Loaded:
            # One that is broken counts as loaded: callers get the reason, and it is not tried at each call.
            with contextlib.suppress(ModelFileError):
                await asyncio.to_thread(registry.reload, model)
            return Loaded(lambda: registry.unload(model))

        self._app = create_app(self._engine)
        # Innermost, behind what refuses callers: those push no model out.
        self._app.user_middleware.append(Middleware(_Lending, service=self, lend=keep(load)))

    async def answer(self, call: Call) -> Reply:
        """Answer one call."""
        return await ask(self._app, call)

    def has(self, model: str) -> bool:
        """Whether a model is loaded."""
        return any(entry.folder.name == model for entry in self._registry.entries)

    async def names(self) -> set[str]:
        """The models that are loaded, or could be."""
        return {entry.name for entry in await asyncio.to_thread(self._registry.index)}

    def check(self) -> None:
        """Check that it can go on.

        Raises:
            DeviceError: The device is lost.
        """
        if self._engine.device.pulse.lost:
            raise DeviceError("the device is lost")

    def close(self) -> None:
        """Let what runs end."""
        self._engine.close()


class _Lending:
    """Has the model loaded that a request is about.  What could be loaded is ready."""

    def __init__(self, app: ASGIApp, service: OnDemand, lend: Load) -> None:
        self._app = app
        self._service = service
        self._lend = lend

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        path = scope["path"]
        if path == READY:
            ready = bool(await self._service.names())
            status = HTTPStatus.OK if ready else HTTPStatus.SERVICE_UNAVAILABLE
            await JSONResponse({"ready": ready, "live": True}, status)(scope, receive, send)
            return
        model = model_of(path)
        # A name that nothing has pushes no model out.
        if model is not None and (self._service.has(model) or model in await self._service.names()):
            if _MODEL_READY.fullmatch(path) and not self._service.has(model):
                await JSONResponse({"name": model, "ready": True})(scope, receive, send)
                return
            await self._lend(model)
        await self._app(scope, receive, send)

"""Alive, and ready: two different answers (Open Inference Protocol)."""

from collections.abc import Callable, Coroutine
from http import HTTPStatus
from typing import Any, Final

from fastapi import APIRouter, Request, Response
from fastapi.responses import JSONResponse

from service.http.calls import DirectRoute, EngineOf, get_engine, refuse_unknown_parameters
from service.readiness import why_not_ready


class _Route(DirectRoute):
    """One whose endpoint takes the engine and nothing else, and waits for nothing."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        endpoint = self.endpoint

        async def answer(request: Request) -> Response:
            await refuse_unknown_parameters(request)
            response = await endpoint(await get_engine(request))
            assert isinstance(response, Response)  # noqa: S101  (for the type checker: endpoints are untyped)
            return response

        return answer


router = APIRouter(tags=["health"], route_class=_Route)

LIVE: Final = "/v2/health/live"
READY: Final = "/v2/health/ready"


@router.get(LIVE, responses={503: {"description": "It must be started again."}})
async def live(engine: EngineOf) -> JSONResponse:
    """Whether the process can go on: it answers, and its device computes."""
    if engine.device.pulse.lost:
        return JSONResponse({"live": False, "error": "the device is lost"}, HTTPStatus.SERVICE_UNAVAILABLE)
    return JSONResponse({"live": True})


@router.get(READY, responses={503: {"description": "Models are loading, or one that is required is not ready."}})
async def ready(engine: EngineOf) -> JSONResponse:
    """Whether every required model is loaded and warmed up; where every other call takes a key, no model is named."""
    live = not engine.device.pulse.lost
    error = why_not_ready(engine.registry, engine.settings.required) if live else "the device is lost"
    if error is None:
        return JSONResponse({"ready": True, "live": True})
    said = {} if engine.settings.keys_file else {"error": error}
    return JSONResponse({"ready": False, "live": live, **said}, HTTPStatus.SERVICE_UNAVAILABLE)

"""Alive, and ready: two different answers (Open Inference Protocol)."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from service.http.calls import EngineOf
from service.readiness import why_not_ready

router = APIRouter(tags=["health"])

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

"""Alive, and ready: two different answers (Open Inference Protocol)."""

from http import HTTPStatus
from typing import Final

from fastapi import APIRouter
from fastapi.responses import JSONResponse

from service.http.calls import EngineOf

router = APIRouter(tags=["health"])

LIVE: Final = "/v2/health/live"
READY: Final = "/v2/health/ready"


@router.get(LIVE)
async def live() -> dict[str, bool]:
    """Whether the process answers at all."""
    return {"live": True}


@router.get(READY, responses={503: {"description": "Models are loading, or there is none to ask."}})
async def ready(engine: EngineOf) -> JSONResponse:
    """Whether models are loaded and can be asked; where every other call takes a key, no model is named."""
    if engine.registry.ready:
        return JSONResponse({"ready": True, "live": True})
    states = [f"{entry.folder.name} version {entry.folder.version} {entry.state}" for entry in engine.registry.entries]
    if engine.settings.keys_file:
        return JSONResponse({"ready": False, "live": True}, HTTPStatus.SERVICE_UNAVAILABLE)
    error = ", ".join(states) or f"there are no models in {engine.settings.models.name!r}"
    return JSONResponse({"ready": False, "live": True, "error": error}, HTTPStatus.SERVICE_UNAVAILABLE)

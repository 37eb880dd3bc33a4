"""What the server is."""

from typing import Any, Final

from fastapi import APIRouter, Request

from service import __version__
from service.http.calls import EngineOf
from service.keys import KeyRing

router = APIRouter(tags=["open inference protocol"])

NAME: Final = "striate"

_EXTENSIONS: Final = (
    "binary_tensor_data",
    "classification",
    "model_configuration",
    "parameters",
    "schedule_policy",
    "statistics",
)
_WITH_ADMIN_KEY: Final = ("model_repository", "model_repository(unload_dependents)")


@router.get("/v2")
@router.get("/v2/", include_in_schema=False)
async def show_server(request: Request) -> dict[str, Any]:
    """The name and version of the server, and what it has beyond the protocol itself."""
    return {"name": NAME, "version": __version__, "extensions": extensions(request.app.state.keys)}


@router.get("/v2/models")
async def list_models(engine: EngineOf) -> dict[str, list[str]]:
    """The names of the models that are ready, as KServe gives them."""
    ready = (entry.folder.name for entry in engine.registry.entries if entry.model)
    return {"models": list(dict.fromkeys(ready))}


def extensions(keys: KeyRing | None) -> list[str]:
    """What is real, and nothing else: models are loaded and unloaded only where there is a key for it."""
    return [*_EXTENSIONS, *(_WITH_ADMIN_KEY if keys and keys.has_admin else ())]

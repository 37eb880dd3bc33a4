"""The models of the repository: which there are, and loading and unloading them while the service runs."""

import asyncio
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from service.engine import Engine
from service.errors import MalformedRequestError, ParameterError, SwitchedOffError
from service.http.access import refusal
from service.http.calls import EngineOf
from service.http.changes import Change
from service.http.uploads import read_body
from service.keys import KeyRing

_MAX_BYTES: Final = 2**20


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class _IndexBody(_Body):
    ready: bool = False


class _ChangeBody(_Body):
    parameters: dict[str, Any] = {}


B = TypeVar("B", bound=_Body)


async def require_admin(request: Request) -> None:
    """Let through who may change what is loaded.

    Raises:
        SwitchedOffError: Nobody may.
        KeyRequiredError: No key was sent, or a wrong one.
        KeyRoleError: The key that was sent is not that of an admin.
    """
    keys: KeyRing | None = request.app.state.keys
    if keys is None or not keys.has_admin:
        raise SwitchedOffError(
            "models are not loaded and unloaded while this service runs; a key of the role admin (settings keys_file"
            " and admin_key) switches that on"
        )
    if error := refusal(getattr(request.state, "key", None), "admin"):
        raise error


async def get_change(request: Request) -> Change:
    """What loads and unloads models in every process of the service."""
    change: Change = request.app.state.change
    return change


ChangeOf = Annotated[Change, Depends(get_change)]

router = APIRouter(prefix="/v2/repository", tags=["open inference protocol"])

AdminOnly = Depends(require_admin)


@router.post("/index")
async def list_repository(request: Request, engine: EngineOf) -> list[dict[str, str]]:
    """Every version of every model, loaded or not; with `{"ready": true}` those that are ready."""
    body = await _body(request, engine, _IndexBody)
    entries = await asyncio.to_thread(engine.registry.index)
    return [
        {"name": entry.name, "version": str(entry.version), "state": entry.state, "reason": entry.reason}
        for entry in entries
        if entry.state == "READY" or not body.ready
    ]


@router.post("/models/{model}/load", dependencies=[AdminOnly])
async def load_model(request: Request, engine: EngineOf, change: ChangeOf, model: str) -> Response:
    """Load a model, or load it again; returns when it is ready, and until then the one before it serves."""
    body = await _body(request, engine, _ChangeBody)
    if body.parameters:
        raise ParameterError(
            f"there is no parameter {next(iter(body.parameters))!r}: models are loaded as they lie in the repository"
        )
    await change("load", model)
    return Response()


@router.post("/models/{model}/unload", dependencies=[AdminOnly])
async def unload_model(request: Request, engine: EngineOf, change: ChangeOf, model: str) -> Response:
    """Forget a model; requests that run end as usual.  No model here depends on another."""
    body = await _body(request, engine, _ChangeBody)
    for name, value in body.parameters.items():
        if name != "unload_dependents" or not isinstance(value, bool):
            raise ParameterError(f"parameter {name!r} is {value!r}; accepted: unload_dependents, true or false")
    await change("unload", model)
    return Response()


async def _body(request: Request, engine: Engine, kind: type[B]) -> B:
    """The body of a request, which may be empty."""
    timeout = engine.settings.body_timeout_seconds
    text = await read_body(request, engine.room, max_bytes=_MAX_BYTES, timeout_seconds=timeout)
    try:
        return kind.model_validate_json(text or b"{}")
    except ValidationError as error:
        places = (f"{'.'.join(map(str, e['loc'])) or 'the body'}: {e['msg']}" for e in error.errors()[:5])
        raise MalformedRequestError(f"the body cannot be read: {'; '.join(places)}") from error

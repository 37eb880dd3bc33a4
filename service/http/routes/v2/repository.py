"""The models of the repository: which there are, and loading and unloading them while the service runs."""

import asyncio
import hmac
from typing import Annotated, Any, Final, TypeVar

from fastapi import APIRouter, Depends, Request, Response
from pydantic import BaseModel, ConfigDict, ValidationError

from service.engine import Engine
from service.errors import KeyRequiredError, MalformedRequestError, ParameterError, SwitchedOffError
from service.http.calls import EngineOf
from service.http.changes import Change
from service.http.uploads import read_body

_MAX_BYTES: Final = 2**20


class _Body(BaseModel):
    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


class _IndexBody(_Body):
    ready: bool = False


class _ChangeBody(_Body):
    parameters: dict[str, Any] = {}


B = TypeVar("B", bound=_Body)


def require_key(request: Request, engine: EngineOf) -> None:
    """Let through who may change what is loaded.

    Raises:
        SwitchedOffError: Nobody may.
        KeyRequiredError: No key was sent, or a wrong one.
    """
    key = engine.settings.admin_key
    if not key:
        raise SwitchedOffError(
            "models are not loaded and unloaded while this service runs; the setting admin_key switches that on"
        )
    scheme, _, sent = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer" or not hmac.compare_digest(sent.strip().encode(), key.encode()):
        raise KeyRequiredError("this takes the key of the setting admin_key: send Authorization: Bearer KEY")


async def get_change(request: Request) -> Change:
    """What loads and unloads models in every process of the service."""
    change: Change = request.app.state.change
    return change


ChangeOf = Annotated[Change, Depends(get_change)]

router = APIRouter(prefix="/v2/repository", tags=["open inference protocol"])

KeyRequired = Depends(require_key)


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


@router.post("/models/{model}/load", dependencies=[KeyRequired])
async def load_model(request: Request, engine: EngineOf, change: ChangeOf, model: str) -> Response:
    """Load a model, or load it again; returns when it is ready, and until then the one before it serves."""
    body = await _body(request, engine, _ChangeBody)
    if body.parameters:
        raise ParameterError(
            f"there is no parameter {next(iter(body.parameters))!r}: models are loaded as they lie in the repository"
        )
    await change("load", model)
    return Response()


@router.post("/models/{model}/unload", dependencies=[KeyRequired])
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
    text = await read_body(request, max_bytes=_MAX_BYTES, timeout_seconds=timeout)
    try:
        return kind.model_validate_json(text or b"{}")
    except ValidationError as error:
        places = (f"{'.'.join(map(str, e['loc'])) or 'the body'}: {e['msg']}" for e in error.errors()[:5])
        raise MalformedRequestError(f"the body cannot be read: {'; '.join(places)}") from error

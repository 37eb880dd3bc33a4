"""The one table from error to HTTP status, and how an error is written.

Under `/v1` (and everywhere else) an error is a problem detail (RFC 9457).  Under `/v2` it is `{"error": "…"}`, as the
Open Inference Protocol says.
"""

from collections.abc import Awaitable, Callable, Mapping
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import FastAPI, Request, Response
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.requests import ClientDisconnect

from service import errors
from service.http.observation import observed_of

MEDIA_TYPE: Final = "application/problem+json"
RETRY_AFTER_SECONDS: Final = 1

# Headers that a status demands.
_MORE: Final[Mapping[int, Mapping[str, str]]] = {
    HTTPStatus.SERVICE_UNAVAILABLE: {"Retry-After": str(RETRY_AFTER_SECONDS)},
    HTTPStatus.UNAUTHORIZED: {"WWW-Authenticate": "Bearer"},
}
_CLIENT_CLOSED_REQUEST: Final = 499  # nobody reads it: the caller has gone

# Looked up along the bases of the error's class, so that a subclass may stand for itself or for its parent.
STATUS: Final[Mapping[type[errors.StriateError], int]] = {
    errors.StriateError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.SettingsError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.MissingCommandError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.HealthError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DeviceError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.RequestError: HTTPStatus.BAD_REQUEST,
    errors.MalformedRequestError: HTTPStatus.BAD_REQUEST,
    errors.ParameterError: HTTPStatus.BAD_REQUEST,
    errors.NotAcceptableError: HTTPStatus.NOT_ACCEPTABLE,
    errors.SlowRequestError: HTTPStatus.REQUEST_TIMEOUT,
    errors.RequestTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.AnswerTooLargeError: HTTPStatus.REQUEST_ENTITY_TOO_LARGE,
    errors.ImageTypeError: HTTPStatus.UNSUPPORTED_MEDIA_TYPE,
    errors.ImageDecodeError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.NotFoundError: HTTPStatus.NOT_FOUND,
    errors.UnknownModelError: HTTPStatus.NOT_FOUND,
    errors.UnknownVersionError: HTTPStatus.NOT_FOUND,
    errors.UnknownLayerError: HTTPStatus.NOT_FOUND,
    errors.ModelError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelFileError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelNotReadyError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ModelTaskError: HTTPStatus.UNPROCESSABLE_ENTITY,
    errors.AccessError: HTTPStatus.FORBIDDEN,
    errors.KeyRequiredError: HTTPStatus.UNAUTHORIZED,
    errors.KeyRoleError: HTTPStatus.FORBIDDEN,
    errors.RateError: HTTPStatus.TOO_MANY_REQUESTS,
    errors.SwitchedOffError: HTTPStatus.FORBIDDEN,
    errors.OverloadError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.QueueFullError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.EndingError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.NoRoomError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.DeadlineError: HTTPStatus.GATEWAY_TIMEOUT,
    errors.AbandonedError: _CLIENT_CLOSED_REQUEST,
    errors.PostponedError: HTTPStatus.SERVICE_UNAVAILABLE,
    errors.ExecutionError: HTTPStatus.INTERNAL_SERVER_ERROR,
    errors.DeviceLostError: HTTPStatus.SERVICE_UNAVAILABLE,
}


def status_of(error: errors.StriateError) -> int:
    """The HTTP status of an error."""
    return next(int(STATUS[base]) for base in type(error).__mro__ if base in STATUS)


def code_of(error_class: type[Exception]) -> str:
    """The name of a kind of error for programs.

    >>> code_of(errors.UnknownLayerError)
    'unknown-layer'
    """
    words = "".join(f"-{c.lower()}" if c.isupper() else c for c in error_class.__name__.removesuffix("Error"))
    return words.removeprefix("-")


def install(app: FastAPI) -> None:
    """Make every error of an application come out in the form that its path demands."""
    for kind, handler in _HANDLERS.items():
        app.add_exception_handler(kind, handler)
    app.add_exception_handler(Exception, on_bug)


async def response_to(request: Request, error: Exception) -> Response:
    """The answer to a request that ended in an error, as an application gives it where `install` was called.

    Raises:
        Exception: The error itself, where it is none that was thought of.
    """
    for base in type(error).__mro__:
        if base in _HANDLERS:
            return await _HANDLERS[base](request, error)
    raise error


def answer(request: Request, error: errors.StriateError) -> Response:
    """The answer to a request that ended in an error of ours."""
    status = status_of(error)
    extra: dict[str, Any] = {}
    if isinstance(error, errors.NotFoundError):
        extra["nearest"] = error.nearest
    if isinstance(error, errors.ImageTypeError | errors.ImageDecodeError) and error.index is not None:
        extra["index"] = error.index
    headers = {"Retry-After": str(error.wait_seconds)} if isinstance(error, errors.RateError) else None
    return _answer(request, status, code_of(type(error)), str(error), extra, headers)


# They are async though they wait for nothing: Starlette would send others to a thread.
async def _on_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, errors.StriateError)  # noqa: S101  (for the type checker; Starlette passes no other)
    return answer(request, error)


async def _on_validation_error(request: Request, error: Exception) -> Response:
    assert isinstance(error, RequestValidationError)  # noqa: S101  (as above)
    places = (f"{'.'.join(str(part) for part in e['loc'][1:])}: {e['msg']}" for e in error.errors())
    return _answer(request, HTTPStatus.BAD_REQUEST, code_of(errors.ParameterError), "; ".join(places), {})


async def _on_http_exception(request: Request, error: Exception) -> Response:
    assert isinstance(error, HTTPException)  # noqa: S101  (as above)
    detail, headers = error.detail, error.headers
    if error.status_code == HTTPStatus.NOT_FOUND:
        detail = f"there is nothing at {_path(request)}; /docs lists what there is"
    if error.status_code == HTTPStatus.METHOD_NOT_ALLOWED:
        allowed = (headers or {}).get("Allow", "").replace("GET", "GET, HEAD")
        headers = {"Allow": allowed}
        detail = f"{request.method} is not for {_path(request)}; accepted: {allowed}"
    code = HTTPStatus(error.status_code).phrase.lower().replace(" ", "-")
    return _answer(request, error.status_code, code, detail, {}, headers=headers)


async def _on_disconnect(request: Request, error: Exception) -> Response:
    assert isinstance(error, ClientDisconnect)  # noqa: S101  (as above)
    observed_of(request.scope).failed("hung-up", "the caller hung up")
    return Response(status_code=_CLIENT_CLOSED_REQUEST)


async def on_bug(request: Request, error: Exception) -> Response:  # noqa: ARG001  (as Starlette calls it)
    """Whatever nobody thought of.  Its trace is logged; the caller gets no insides."""
    detail = "the service has a fault; its log says which"
    return _answer(request, HTTPStatus.INTERNAL_SERVER_ERROR, "internal", detail, {})


_HANDLERS: Final[Mapping[type[Exception], Callable[[Request, Exception], Awaitable[Response]]]] = {
    errors.StriateError: _on_error,
    RequestValidationError: _on_validation_error,
    HTTPException: _on_http_exception,
    ClientDisconnect: _on_disconnect,
}


def _answer(
    request: Request,
    status: int,
    code: str,
    detail: str,
    extra: Mapping[str, Any],
    headers: Mapping[str, str] | None = None,
) -> Response:
    observed_of(request.scope).failed(code, detail)
    body, media_type, more = written(_path(request), status, code, detail, extra)
    return Response(body, status, {**(headers or {}), **more}, media_type)


def written(
    path: str, status: int, code: str, detail: str, extra: Mapping[str, Any] | None = None
) -> tuple[bytes, str, Mapping[str, str]]:
    """Write an error: its body, the type of that, and the headers that its status demands.

    Args:
        path: Of the request; it decides the form.
        status: Of HTTP.
        code: The kind of error, for programs.
        detail: What was wrong, and what would be accepted.
        extra: More fields, where the form has room for them.
    """
    if path.startswith("/v2"):
        body: dict[str, Any] = {"error": detail}
        media_type = "application/json"
    else:
        title = HTTPStatus(status).phrase
        body = {"type": f"urn:striate:{code}", "title": title, "status": status, "detail": detail, **(extra or {})}
        media_type = MEDIA_TYPE
    return orjson.dumps(body), media_type, _MORE.get(status, {})


def _path(request: Request) -> str:
    """Not of `request.url`, which a caller's Host header can make unreadable."""
    return str(request.scope["path"])

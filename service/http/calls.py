"""What every request about images has in common: its model, its body, and the thread that works on it."""

import asyncio
import time
from collections.abc import Callable, Coroutine, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, TypeVar

from fastapi import Depends, Request, Response
from fastapi.dependencies.models import Dependant
from fastapi.routing import APIRoute
from starlette.requests import ClientDisconnect

from service.buffer import Content
from service.encoded_image import FORMATS
from service.engine import Engine
from service.errors import ParameterError
from service.http import problems
from service.http.holding import held
from service.http.observation import observed_of
from service.http.queries import ImageQuery
from service.http.uploads import FIELD, ImageList, encoded_images, read_body
from service.image import described
from service.model import Model
from service.protocol import compression
from service.settings import Decoding
from service.timing import Timings

T = TypeVar("T")

# The body is read by hand, since its type is found by looking at the bytes: the documentation is told of it here.
IMAGE_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "image/*": {
                "schema": {
                    "type": "string",
                    "format": "binary",
                    "description": f"One of {', '.join(FORMATS)}, found out by looking at the bytes.",
                }
            },
            "multipart/form-data": {
                "schema": {
                    "type": "object",
                    "required": [FIELD],
                    "properties": {FIELD: {"type": "array", "items": {"type": "string", "format": "binary"}}},
                }
            },
            "application/json": {"schema": ImageList.model_json_schema()},
        },
    }
}

PROBLEM_SCHEMA: Final = {"$ref": "#/components/schemas/ProblemAnswer"}

DECODING: Final = "Striate-Decoding"

_DESCRIPTIONS: Final[Mapping[int, str]] = {
    400: "Malformed, or a parameter or field is unknown or out of range.",
    404: "No such model, version or layer; the nearest names are given.",
    406: "No form that the caller accepts can be given.",
    408: "The body did not arrive in time.",
    413: "Body, picture or answer too large, with the limit.",
    415: "Not an image of an accepted type.",
    422: "An image cannot be decoded, or the model takes no images.",
    503: "Not ready, or the queue is full.",
    504: "The deadline passed.",
}


def problem_responses(*statuses: int) -> dict[int | str, dict[str, Any]]:
    """The errors of a route, for the documentation.

    They refer to the schema of `ProblemAnswer`: given the class, FastAPI would make a field of each status of each
    route, at each start.
    """
    return {
        status: {"description": _DESCRIPTIONS[status], "content": {problems.MEDIA_TYPE: {"schema": PROBLEM_SCHEMA}}}
        for status in statuses
    }


# Dependencies are async though they wait for nothing: others would be sent to a thread each.
async def get_engine(request: Request) -> Engine:
    """The engine of the application that got the request."""
    engine = request.app.state.engine
    assert isinstance(engine, Engine)  # noqa: S101  (for the type checker: an application's state is untyped)
    return engine


EngineOf = Annotated[Engine, Depends(get_engine)]


async def get_model(request: Request, engine: EngineOf, model: str) -> Model:
    """The model that the path names, in the version that it names."""
    found = engine.registry.find(model, request.path_params.get("version"))
    observed_of(request.scope).found(found)
    return found


ModelOf = Annotated[Model, Depends(get_model)]


async def version_in_path(version: str) -> None:
    """Document the version of the paths that have one; `get_model` reads it."""


async def refuse_unknown_parameters(request: Request) -> None:
    """Refuse a query parameter that a route does not have: a misspelt one must not be ignored.

    For routes whose parameters FastAPI reads; `parse_query` does it for the others.

    Raises:
        ParameterError: There is one.
    """
    if not request.query_params:
        return
    accepted = sorted(_parameters(request.scope["route"].dependant) - request.path_params.keys())
    for name in request.query_params:
        if name not in accepted:
            known = ", ".join(accepted) if accepted else "none here"
            raise ParameterError(f"there is no parameter {name!r}; accepted: {known}")


def _parameters(dependant: Dependant) -> set[str]:
    own = {parameter.alias for parameter in dependant.query_params}
    return own.union(*(_parameters(inner) for inner in dependant.dependencies))


@dataclass(frozen=True)
class ImageCall:
    """A request about images, its body received."""

    request: Request
    engine: Engine
    model: Model
    body: bytes
    timings: Timings = field(default_factory=Timings)

    def images(self) -> list[bytes]:
        """Take the encoded images out of the body; work for a thread."""
        settings, headers = self.engine.settings, self.request.headers
        coding = headers.get("content-encoding", "")
        body = compression.decompress(self.body, coding, max_bytes=settings.max_body_bytes) if coding else self.body
        found = encoded_images(
            body,
            headers.get("content-type", ""),
            max_images=settings.max_images,
            max_json_values=settings.max_json_values,
        )
        self.timings.items = len(found)
        return found

    def decoding(self, query: ImageQuery) -> Decoding:
        """How its images are decoded: as it says, or as the setting does."""
        return query.decoding or self.engine.settings.decoding

    def in_thread(self, work: Callable[[], Content]) -> Coroutine[Any, Any, Content]:
        """Do work in a thread.

        Raises:
            ClientDisconnect: The caller hung up before it was done.
        """
        return while_connected(self.request, self.engine.scheduler.run(work, self.timings))

    async def answer(
        self, work: Coroutine[Any, Any, Content], *, media_type: str, decoding: Decoding | None = None
    ) -> Response:
        """Send what comes of work.

        Args:
            work: What is to be done, as `in_thread` does it.
            media_type: Of what comes of it.
            decoding: How it decodes images; None where it decodes none.

        Raises:
            NoRoomError: There is none for the answer.
        """
        with Counted(self.engine, self.model, self.timings):
            content = await work
        headers = {"Server-Timing": self.timings.server_timing()}
        if decoding is not None:
            headers[DECODING] = described(decoding)
        return held(self.request, self.engine.room, content, media_type=media_type, headers=headers)


class Counted:
    """Counts how a request goes where the model runs inside, or should have.

    It is no generator, as `service.timing` has it.
    """

    __slots__ = ("_engine", "_model", "_start", "_timings")

    def __init__(self, engine: Engine, model: Model, timings: Timings) -> None:
        self._engine = engine
        self._model = model
        self._timings = timings

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        seconds = time.perf_counter() - self._start
        model, statistics = self._model, self._engine.statistics
        if kind is not None:
            statistics.failed(model.name, model.version, seconds=seconds)
        elif self._timings.seconds("compute"):
            statistics.succeeded(model.name, model.version, self._timings, seconds=seconds)


async def while_connected(request: Request, work: Coroutine[Any, Any, T]) -> T:
    """Wait for a result, and give it up when the caller hangs up.

    Raises:
        ClientDisconnect: The caller hung up before it was there.
    """
    waiting = asyncio.current_task()
    assert waiting is not None  # noqa: S101  (a coroutine runs in a task)
    gone = asyncio.ensure_future(_disconnected(request))
    working = True
    # Both may end in one turn of the loop: what is done by then is not given up any more.
    gone.add_done_callback(lambda _: waiting.cancel() if working else None)
    try:
        return await work
    except asyncio.CancelledError:
        if not gone.done():
            raise
        waiting.uncancel()
        raise ClientDisconnect from None
    finally:
        working = False
        gone.cancel()


async def _disconnected(request: Request) -> None:
    """Return when the caller hangs up."""
    while (await request.receive())["type"] != "http.disconnect":
        pass


async def get_image_call(request: Request, model: str) -> ImageCall:
    """Receive a request: the model is looked up before the body is read."""
    engine = await get_engine(request)
    found = await get_model(request, engine, model)
    if not found.brief:
        engine.scheduler.refuse_when_full()
    settings = engine.settings
    body = await read_body(
        request, engine.room, max_bytes=settings.max_body_bytes, timeout_seconds=settings.body_timeout_seconds
    )
    call = ImageCall(request, engine, found, body)
    observed_of(request.scope).timings = call.timings
    return call


ImageCallOf = Annotated[ImageCall, Depends(get_image_call)]


class DirectRoute(APIRoute):
    """A route of a model that is found by one look at the path, and whose handler reads the request by itself.

    FastAPI documents it like any other.  To resolve its dependencies for each request would take three times as long
    as all the rest of the way from the socket to the thread that works on it.
    """


class ImageRoute(DirectRoute):
    """One whose endpoint takes an `ImageCall` and nothing else, and reads its query string with `parse_query`."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""
        endpoint = self.endpoint

        async def answer(request: Request) -> Response:
            response = await endpoint(await get_image_call(request, request.path_params["model"]))
            assert isinstance(response, Response)  # noqa: S101  (for the type checker: endpoints are untyped)
            return response

        return answer

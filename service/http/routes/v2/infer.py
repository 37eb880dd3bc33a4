"""Tensors in, tensors out."""

from collections.abc import Callable, Coroutine
from dataclasses import dataclass
from functools import partial
from typing import Any, Final

from fastapi import APIRouter, Request, Response

from service.buffer import Content
from service.engine import Engine
from service.errors import ParameterError
from service.http.calls import (
    DECODING,
    Counted,
    DirectRoute,
    EngineOf,
    ModelOf,
    get_engine,
    get_model,
    refuse_unknown_parameters,
    while_connected,
)
from service.http.holding import held, hold
from service.http.observation import observed_of
from service.http.uploads import read_body
from service.image import described
from service.model import Model
from service.protocol import answers, compression, requests
from service.protocol.compression import Coding
from service.protocol.inference import holds_images, infer, raw
from service.protocol.requests import InferRequest, Schedule
from service.settings import Decoding
from service.timing import Timings

HEADER_LENGTH: Final = "Inference-Header-Content-Length"

_ALIGNMENT: Final = 16  # bytes; that of the memory of a body
_MOST_DIGITS: Final = 18
_LONG: Final = 2**18  # bytes of JSON; they are searched in 0.2 ms
_BODY: Final[dict[str, Any]] = {
    "requestBody": {
        "required": True,
        "content": {
            "application/json": {"schema": {"type": "object", "required": ["inputs"]}},
            "application/octet-stream": {"schema": {"type": "string", "format": "binary"}},
        },
    }
}


@dataclass(frozen=True)
class _Done:
    """What a request is answered with: `body` is that of `answer`, in `coding`; `decoding` is that of its images."""

    answer: answers.Answer
    body: Content
    coding: Coding | None
    decoding: Decoding | None


@dataclass(frozen=True)
class _Call:
    """A request whose body has arrived and is not compressed."""

    model: Model
    engine: Engine
    body: memoryview
    header_length: int | None
    accept: str
    timings: Timings

    async def schedule(self, request: Request) -> Schedule:
        """When it wants to be worked on; a raw body cannot say, and a long text is not read on the event loop."""
        length = len(self.body) if self.header_length is None else self.header_length
        if length == 0:
            return Schedule()
        read = partial(
            requests.schedule, self.body, self.header_length, max_json_values=self.engine.settings.max_json_values
        )
        if length <= _LONG:
            return read()
        return await while_connected(request, self.engine.scheduler.run(read, self.timings))

    def work(self) -> _Done:
        """Do what it asks for; work for a thread."""
        with self.timings.measure("decode"):
            request = self._parse()
        outputs = infer(self.model, request, settings=self.engine.settings, timings=self.timings)
        with self.timings.measure("encode"):
            answer = answers.write(outputs, model=self.model.name, version=self.model.version, id_=request.id)
            binary = answer.header_length is not None
            coding = compression.choose(self.accept, binary=binary, size=len(answer.body))
            body = compression.compress(answer.body, coding) if coding else answer.body
            return _Done(answer, body, coding, self._decoding(request))

    def _decoding(self, request: InferRequest) -> Decoding | None:
        if not holds_images(self.model, request):
            return None
        return request.decoding or self.engine.settings.decoding

    def _parse(self) -> InferRequest:
        if self.header_length == 0:
            return raw(self.model, self.body)
        settings = self.engine.settings
        return requests.parse(
            self.body,
            self.header_length,
            max_json_depth=settings.max_json_depth,
            max_json_values=settings.max_json_values,
        )


class _Route(DirectRoute):
    """The one for tensors."""

    def get_route_handler(self) -> Callable[[Request], Coroutine[Any, Any, Response]]:
        """What answers a request."""

        async def answer(request: Request) -> Response:
            await refuse_unknown_parameters(request)
            engine = await get_engine(request)
            return await infer_tensors(request, engine, await get_model(request, engine, request.path_params["model"]))

        return answer


router = APIRouter(tags=["open inference protocol"], route_class=_Route)


@router.post("/infer", openapi_extra=_BODY)
async def infer_tensors(request: Request, engine: EngineOf, model: ModelOf) -> Response:
    """Run a model on tensors, in JSON or binary; on encoded images, where it takes images.

    Any layer may be named in `outputs`, beside the outputs of the model.
    """
    call = await _receive(request, engine, model)
    wanted = await call.schedule(request)
    job = engine.scheduler.run(
        call.work, call.timings, priority=wanted.priority, timeout_seconds=wanted.timeout_seconds
    )
    with Counted(engine, model, call.timings):
        done = await while_connected(request, job)
    headers = {"Server-Timing": call.timings.server_timing()}
    if done.answer.header_length is not None:
        headers[HEADER_LENGTH] = str(done.answer.header_length)
    if done.coding is not None:
        headers["Content-Encoding"] = done.coding
    if done.decoding is not None:
        headers[DECODING] = described(done.decoding)
    return held(request, engine.room, done.body, media_type=done.answer.media_type, headers=headers)


async def _receive(request: Request, engine: Engine, model: Model) -> _Call:
    settings = engine.settings
    length = header_length(request.headers.get(HEADER_LENGTH))
    # Puts the first binary tensor where an array of any type may begin, so that it need not be copied.
    before = bytes(-(length or 0) % _ALIGNMENT)
    engine.scheduler.refuse_when_full()
    body = await read_body(
        request,
        engine.room,
        max_bytes=settings.max_body_bytes,
        timeout_seconds=settings.body_timeout_seconds,
        before=before,
    )
    timings = observed_of(request.scope).timings = Timings()
    coding = request.headers.get("content-encoding", "")
    view = memoryview(body)[len(before) :]
    if coding:
        packed = bytes(view)
        job = engine.scheduler.run(
            lambda: compression.decompress(packed, coding, max_bytes=settings.max_body_bytes), timings
        )
        view = memoryview(await while_connected(request, job))
        hold(request, engine.room, len(view))
    return _Call(model, engine, view, length, request.headers.get("accept-encoding", ""), timings)


def header_length(value: str | None) -> int | None:
    """Read `Inference-Header-Content-Length`; None where it is not sent.

    Raises:
        ParameterError: It is no length.
    """
    if value is None:
        return None
    if not (value.isascii() and value.isdecimal() and len(value) <= _MOST_DIGITS):
        raise ParameterError(f"{HEADER_LENGTH} is {value!r}; accepted: the length of the JSON in bytes")
    return int(value)

"""The body of a request becomes encoded images.

A body comes in one of three forms: the bytes of one image, whatever its Content-Type says; multipart form data with
one or several fields `image`; or JSON, `{"images": ["<base64 or data URL>", …]}`.
"""

import asyncio
import re
from collections.abc import Iterable
from typing import TYPE_CHECKING, Annotated, Final

import orjson
from fastapi import Request
from pydantic import BaseModel, ConfigDict, FailFast, Field, ValidationError
from python_multipart.exceptions import FormParserError
from python_multipart.multipart import MultipartParser, parse_options_header
from starlette.requests import ClientDisconnect

from service.errors import (
    ImageTypeError,
    MalformedRequestError,
    ParameterError,
    RequestTooLargeError,
    SlowRequestError,
)
from service.http.holding import hold
from service.http.observation import observed_of
from service.room import Room
from service.text import as_bytes, count_values, from_base64, lend

if TYPE_CHECKING:
    from python_multipart.multipart import MultipartCallbacks

FIELD: Final = "image"

_PIECE: Final = 2**18  # bytes of form data; 1 ms
_LARGE: Final = 2**20  # bytes of a body; to join 20 MB takes 15 ms, for which the event loop has no time
_LONG: Final = 2**16  # bytes of JSON; the values of a shorter one are read in a few milliseconds
_DATA_URL: Final = re.compile(r"\s{0,1000}+data:[^,]{0,1000}+,", re.IGNORECASE)
_NO_LIST: Final = 'the JSON is not {"images": ["<base64 or data URL>", …]}'
_FORMS: Final = (
    'the bytes of an image, multipart form data with fields "image", or JSON {"images": ["<base64 or data URL>"]}'
)


class ImageList(BaseModel):
    """Images in JSON."""

    model_config = ConfigDict(
        frozen=True,
        # Told by hand: of each key that is not known, and of each that is no text, an error would be made.
        extra="allow",
        strict=True,
        json_schema_extra={"examples": [{"images": ["iVBORw0KGgo…"]}], "additionalProperties": False},
    )

    images: Annotated[list[str], FailFast(), Field(min_length=1, description="Each in base64, or as a data URL.")]


async def read_body(
    request: Request, room: Room, *, max_bytes: int, timeout_seconds: float, before: bytes = b""
) -> bytes:
    """Read a body while counting it, so that one is refused before it is held for which there is no room.

    Args:
        request: Of which.
        room: What it takes room of, as long as the request lasts.
        max_bytes: How many bytes are accepted.
        timeout_seconds: How long it may take to arrive.
        before: Put in front of it, and not counted.

    Raises:
        RequestTooLargeError: It has more than `max_bytes`, or says that it will.
        NoRoomError: The bodies and answers of others leave no room for it.
        SlowRequestError: It did not arrive in time.
        ClientDisconnect: The caller hung up.
    """
    announced = request.headers.get("content-length", "")
    if announced.isdecimal():
        if int(announced) > max_bytes:
            raise _too_large(max_bytes)
        room.check(int(announced))
    chunks, size = [before] if before else [], 0  # one piece alone is not copied
    try:
        async with asyncio.timeout(timeout_seconds):
            more = True
            while more:
                message = await request.receive()
                if message["type"] == "http.disconnect":
                    raise ClientDisconnect
                chunk, more = message.get("body", b""), message.get("more_body", False)
                size += len(chunk)
                if size > max_bytes:
                    raise _too_large(max_bytes)
                hold(request, room, len(chunk))
                chunks.append(chunk)
    except TimeoutError as error:
        raise SlowRequestError(
            f"only {size:,} bytes of the body arrived within {timeout_seconds:g} s (setting body_timeout_seconds)"
        ) from error
    observed_of(request.scope).received = size
    return _joined(chunks) if size <= _LARGE else await asyncio.to_thread(_joined, chunks)


def _joined(chunks: list[bytes]) -> bytes:
    body = b"".join(chunks)
    chunks.clear()  # here, since to give back the memory of 20 MB takes milliseconds
    return body


def _too_large(max_bytes: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"the body is larger than the {max_bytes:,} bytes accepted (setting max_body_bytes)")


def encoded_images(body: bytes, content_type: str, *, max_images: int, max_json_values: int) -> list[bytes]:
    """Take the encoded images out of a body.

    Args:
        body: The whole body.
        content_type: The header of that name; only multipart and JSON bodies need it to be right.
        max_images: How many are accepted.
        max_json_values: How many values long JSON may have, which has no use for more than one for each image.

    Raises:
        MalformedRequestError: There is no image, or the body does not have the form that it claims.
        ParameterError: It has a field of another name.
        RequestTooLargeError: There are too many images, or values.
    """
    kind, options = parse_options_header(content_type)
    if kind == b"multipart/form-data":
        return _from_multipart(body, options.get(b"boundary", b""), max_images=max_images)
    if kind == b"application/json" or body[:64].lstrip()[:1] == b"{":
        _refuse_values(body, max_json_values)
        return _from_json(body, max_images=max_images)
    return [body]


def _too_many(found: str, max_images: int) -> RequestTooLargeError:
    return RequestTooLargeError(f"{found} images; at most {max_images} are accepted (setting max_images)")


def _refuse_values(body: bytes, most: int) -> None:
    if len(body) > _LONG and (values := count_values(body)) > most:
        raise RequestTooLargeError(
            f"the JSON of the request has {values:,} values; at most {most:,} are accepted (setting max_json_values)"
        )


def _from_json(body: bytes, *, max_images: int) -> list[bytes]:
    try:
        found = ImageList.model_validate_json(body)
    except ValidationError as error:
        told = error.errors()
        _refuse_fields(orjson.loads(body) if told[0]["type"] == "missing" else ())
        why = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'body'}: {e['msg']}" for e in told)
        raise MalformedRequestError(f"{_NO_LIST}: {why}") from error
    _refuse_fields(found.model_extra or ())
    texts = found.images
    if len(texts) > max_images:
        raise _too_many(f"{len(texts)}", max_images)
    return [_from_base64(text, index=i if len(texts) > 1 else None) for i, text in enumerate(texts)]


def _refuse_fields(names: Iterable[str]) -> None:
    for name in names:
        raise ParameterError(f"{_NO_LIST}: there is no field {name!r}; accepted: images")


def _from_base64(text: str, *, index: int | None) -> bytes:
    where = "images.0" if index is None else f"images.{index}"
    if text[:8].lower().startswith(("http://", "https:/")):
        raise ImageTypeError("the text is a link, and this service fetches nothing: send the image itself", index=index)
    try:
        return from_base64(text[len(prefix[0]) :] if (prefix := _DATA_URL.match(text)) else text)
    except ValueError as error:
        raise MalformedRequestError(f"{where} is no base64: {error}") from error


def _from_multipart(body: bytes, boundary: bytes, *, max_images: int) -> list[bytes]:
    if not boundary:
        raise MalformedRequestError("the Content-Type of the multipart body has no boundary")
    parts = _Parts(max_images)
    try:
        parser = MultipartParser(boundary, parts.callbacks())
        for start in range(0, len(body), _PIECE):
            if start:
                lend()
            parser.write(body[start : start + _PIECE])
    except FormParserError as error:
        raise MalformedRequestError(f"the multipart body is malformed: {error}") from error
    if not parts.complete:
        raise MalformedRequestError("the multipart body is cut short: its closing boundary is missing")
    wrong = [name for name in parts.names if name != FIELD]
    if wrong:
        raise ParameterError(f"the form has a field {wrong[0]!r}; accepted: {FIELD}, once for each image")
    if not parts.bodies:
        raise MalformedRequestError(f"the form has no field {FIELD!r}; send {_FORMS}")
    return [as_bytes(memoryview(part)) for part in parts.bodies]


class _Parts:
    """Gathers what the parser finds: for each part its name and its bytes.

    Args:
        max_images: How many parts are accepted; one more ends it.
    """

    def __init__(self, max_images: int) -> None:
        self._max_images = max_images
        self.names: list[str] = []
        self.bodies: list[bytearray] = []
        self.complete = False
        self._header = bytearray()
        self._value = bytearray()

    def callbacks(self) -> "MultipartCallbacks":
        """What the parser calls."""
        return {
            "on_part_begin": self._on_part_begin,
            "on_header_field": lambda data, start, end: self._header.extend(data[start:end]),
            "on_header_value": lambda data, start, end: self._value.extend(data[start:end]),
            "on_header_end": self._on_header_end,
            "on_part_data": lambda data, start, end: self.bodies[-1].extend(data[start:end]),
            "on_end": self._on_end,
        }

    def _on_part_begin(self) -> None:
        if len(self.bodies) == self._max_images:
            raise _too_many(f"more than {self._max_images}", self._max_images)
        self.names.append("")
        self.bodies.append(bytearray())

    def _on_header_end(self) -> None:
        if self._header.lower() == b"content-disposition":
            _, options = parse_options_header(bytes(self._value).decode("latin-1"))
            self.names[-1] = options.get(b"name", b"").decode("utf-8", "replace")
        self._header.clear()
        self._value.clear()

    def _on_end(self) -> None:
        self.complete = True

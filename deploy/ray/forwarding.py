"""A request as a value, which can be sent to another process and asked there of the same application."""

import asyncio
import re
from dataclasses import dataclass
from typing import Final

from starlette.requests import ClientDisconnect
from starlette.types import ASGIApp, Message, Receive, Scope

from service.errors import RequestTooLargeError, SlowRequestError

Headers = tuple[tuple[bytes, bytes], ...]

# What is said of all models together has a place among their names.
_ABOUT_ALL: Final = "stats"
_OF_MODEL: Final = re.compile(r"/v[12]/models/([^/]+)")


@dataclass(frozen=True)
class Call:
    """A request whose body has arrived.

    Args:
        method: As `POST`.
        path: Without the query string, and with nothing in it that is percent-encoded.
        query: The query string as it came.
        headers: As they came, names in lower case.
        client: Address and port of the caller, as far as they are known.
        body: All of it.
    """

    method: str
    path: str
    query: bytes
    headers: Headers
    client: tuple[str, int] | None
    body: bytes


@dataclass(frozen=True)
class Reply:
    """An answer, with all of its body."""

    status: int
    headers: Headers
    body: bytes


def model_of(path: str) -> str | None:
    """The model that a path is about; None where it is about none, or about all.

    >>> model_of("/v1/models/lenet5/layers")
    'lenet5'
    """
    found = _OF_MODEL.match(path)
    return found[1] if found and found[1] != _ABOUT_ALL else None


async def receive_call(scope: Scope, receive: Receive, *, max_bytes: int, timeout_seconds: float) -> Call:
    """Receive a request whole.

    Args:
        scope: Its head.
        receive: Gives its body.
        max_bytes: How many bytes of a body are accepted.
        timeout_seconds: How long it may take to arrive.

    Raises:
        RequestTooLargeError: The body has more than `max_bytes`.
        SlowRequestError: It did not arrive in time.
        ClientDisconnect: The caller hung up.
    """
    try:
        async with asyncio.timeout(timeout_seconds):
            body = await _read(receive, max_bytes)
    except TimeoutError as error:
        raise SlowRequestError(f"the body did not arrive within {timeout_seconds:g} s") from error
    headers = tuple((bytes(name), bytes(value)) for name, value in scope["headers"])
    client = scope.get("client")
    return Call(scope["method"], scope["path"], scope["query_string"], headers, tuple(client) if client else None, body)


async def ask(app: ASGIApp, call: Call) -> Reply:
    """Ask an application in this process."""
    unread: list[Message] = [{"type": "http.request", "body": call.body, "more_body": False}]
    said: list[Message] = []

    async def receive() -> Message:
        """The body, and then nothing: where the caller hangs up, all of this is cancelled."""
        if not unread:
            await asyncio.Event().wait()
        return unread.pop()

    async def send(message: Message) -> None:
        said.append(message)

    await app(_scope(call), receive, send)
    start, *rest = said
    headers = tuple((bytes(name), bytes(value)) for name, value in start["headers"])
    return Reply(start["status"], headers, b"".join(message.get("body", b"") for message in rest))


async def _read(receive: Receive, max_bytes: int) -> bytes:
    chunks: list[bytes] = []
    more, size = True, 0
    while more:
        message = await receive()
        if message["type"] == "http.disconnect":
            raise ClientDisconnect
        chunks.append(message.get("body", b""))
        more, size = message.get("more_body", False), size + len(chunks[-1])
        if size > max_bytes:
            raise RequestTooLargeError(f"the body is larger than the {max_bytes:,} bytes accepted")
    return b"".join(chunks)


def _scope(call: Call) -> Scope:
    return {
        "type": "http",
        "asgi": {"version": "3.0"},
        "http_version": "1.1",
        "scheme": "http",
        "method": call.method,
        "path": call.path,
        "raw_path": call.path.encode(),
        "root_path": "",
        "query_string": call.query,
        "headers": list(call.headers),
        "client": call.client,
        "server": None,
    }

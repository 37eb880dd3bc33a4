"""A server whose connections are no sockets, and whose time passes as soon as everybody waits for it."""

import asyncio
import contextlib
import inspect
import re
import selectors
import weakref
from collections.abc import Callable, Coroutine, Iterable, Mapping
from functools import wraps
from pathlib import Path
from typing import Any, Final, Literal

import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.http.connection import Guests, Outbox, Protocol
from service.settings import Settings

HIGH_WATER: Final = 65_536
PIECES: Final = 20
PIECE: Final = bytes(50_000)
BODY_SECONDS: Final = 1000


class _Waits(selectors.SelectSelector):
    """Waits for no time: it passes."""

    def __init__(self) -> None:
        super().__init__()
        self.now = 0.0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        """What is ready; a test in which nothing is, and nothing will be, would never end."""
        assert timeout is not None, "everybody waits, and nothing will happen"
        self.now += max(timeout, 0)
        return super().select(0)


class _Loop(asyncio.SelectorEventLoop):
    """An event loop on which an hour takes no time."""

    def __init__(self) -> None:
        self._waits = _Waits()
        super().__init__(self._waits)

    def time(self) -> float:
        """Seconds since it began."""
        return self._waits.now


Script = Callable[..., Coroutine[Any, Any, None]]


def in_no_time(script: Script) -> Callable[..., None]:
    """Makes a test of what takes long."""

    @wraps(script)
    def test(**arguments: object) -> None:
        with asyncio.Runner(loop_factory=_Loop) as runner:
            runner.run(script(**arguments))

    return test


def conversation(**settings: object) -> Callable[[Script], Callable[..., None]]:
    """Makes a test of what happens at a `server`, whose settings are those."""

    def decorate(script: Script) -> Callable[..., None]:
        @wraps(script)
        async def played(**arguments: object) -> None:
            await script(server=Server(settings), **arguments)

        # What is left are the parameters that pytest knows of.
        signature = inspect.signature(script)
        left = [parameter for name, parameter in signature.parameters.items() if name != "server"]
        played.__signature__ = signature.replace(parameters=left)  # type: ignore[attr-defined]
        return in_no_time(played)

    return decorate


async def passed(seconds: float = 0.01) -> None:
    """Wait until so much time has passed, which takes none: whoever had something to do has done it."""
    await asyncio.sleep(seconds)


class Server:
    """A server of a small application.

    Args:
        settings: Those that are not as usual.
    """

    def __init__(self, settings: Mapping[str, object]) -> None:
        self.settings = Settings.model_validate({"models": Path("models"), **settings})
        self.refused: list[str] = []  # the codes of what the connections refused
        self.asked: list[str] = []  # what came to the application
        self.sent = 0  # pieces of answers
        self.gone = 0  # callers who did not wait for the answer
        self.faults: list[object] = []  # errors that nobody thought of
        asyncio.get_running_loop().set_exception_handler(lambda _, context: self.faults.append(context))
        self.go_on = asyncio.Event()
        self.state = ServerState()
        self.state.default_headers = [(b"x-content-type-options", b"nosniff")]
        self._config = uvicorn.Config(
            self._watched,
            ws="none",
            interface="asgi3",
            lifespan="off",
            log_config=None,
            proxy_headers=False,
            timeout_keep_alive=self.settings.keep_alive_seconds,
        )
        self._guests, self._outbox = Guests(), Outbox()

    def call(self, **given: Any) -> "Line":  # noqa: ANN401  (what a line takes)
        """A new connection."""
        protocol = Protocol(
            config=self._config,
            server_state=self.state,
            app_state={},
            settings=self.settings,
            guests=self._guests,
            outbox=self._outbox,
            refused=self.refused.append,
        )
        return Line(protocol, **given)

    async def _watched(self, scope: Scope, receive: Receive, send: Send) -> None:
        try:
            await self._answer(scope, receive, send)
        except Exception as error:
            self.faults.append(error)
            raise

    async def _answer(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer with the path and the number of bytes that came in time.

        At `/unread` before the body has come; at `/later` when the test says so; at `/begun` the head before the body
        has come, and the rest when the test says so; at `/large` with so much that a caller takes a while to take it;
        and at `/never` never.
        """
        path: str = scope["path"]
        self.asked.append(path)
        received = await _received(receive) if path not in ("/unread", "/begun") else 0
        if path == "/later":
            await self.go_on.wait()
        if path == "/never":
            while (await receive())["type"] != "http.disconnect":
                pass
            self.gone += 1
            return
        body = b"%s %d" % (path.encode(), received)
        pieces = [PIECE] * PIECES if path == "/large" else [body]
        headers = [(b"content-length", b"%d" % sum(map(len, pieces)))]
        await send({"type": "http.response.start", "status": 200, "headers": headers})
        if path == "/begun":
            await self.go_on.wait()
        for number, piece in enumerate(pieces, 1):
            await send({"type": "http.response.body", "body": piece, "more_body": number < len(pieces)})
            self.sent += 1


async def _received(receive: Receive) -> int:
    received, more = 0, True
    with contextlib.suppress(TimeoutError):
        async with asyncio.timeout(BODY_SECONDS):
            while more:
                message = await receive()
                received, more = received + len(message.get("body", b"")), message.get("more_body", False)
    return received


class Line(asyncio.Transport):
    """A connection, as its caller has it in hand.

    Args:
        protocol: The other side.
        client: Who calls; None where nobody knows.
        half_closes: Whether one side can stop and hear the other, as in TLS it cannot.
    """

    def __init__(
        self, protocol: Protocol, *, client: tuple[str, int] | None = ("192.0.2.1", 50_000), half_closes: bool = True
    ) -> None:
        super().__init__({"peername": client})
        self.answers = b""  # what the caller has taken
        self.takes = True  # whether it takes what is sent at once
        self.end: Literal["", "stopped", "closing", "closed", "aborted", "hung up"] = ""
        self.unheard: list[bytes] = []  # what it said, and the other side did not read
        self.misused: list[str] = []  # what the other side did when it was too late
        self.untaken = 0
        self._full = False
        self._heard = True
        self._half_closes = half_closes
        self._protocol: Protocol | None = protocol
        protocol.connection_made(self)

    # The caller's side.

    def say(self, *texts: bytes) -> None:
        """Send, each text by itself."""
        self.unheard += texts
        self._deliver()

    def take(self, count: int) -> None:
        """Take so many bytes of what waits."""
        self.untaken = max(0, self.untaken - count)
        if self._full and self.untaken <= HIGH_WATER // 4 and self._protocol:
            self._full = False
            self._protocol.resume_writing()

    def hang_up(self, why: Exception | None = None) -> "weakref.ref[Protocol]":
        """Go, in order or not; what was on the other side should go, too."""
        assert self._protocol
        other = weakref.ref(self._protocol)
        self._lose("hung up", why)
        return other

    @property
    def is_open(self) -> bool:
        """Whether anything can be said."""
        return self._protocol is not None

    # The other side's.

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send."""
        if self.end:
            self.misused.append("write")
        elif self.takes:
            self.answers += bytes(data)
        else:
            self.untaken += len(data)
            if self.untaken > HIGH_WATER and not self._full and self._protocol:
                self._full = True
                self._protocol.pause_writing()

    def writelines(self, pieces: Iterable[bytes | bytearray | memoryview]) -> None:
        """Send."""
        self.write(b"".join(pieces))

    def get_write_buffer_size(self) -> int:
        """How many bytes were not taken."""
        return self.untaken

    def pause_reading(self) -> None:
        """Let the caller wait."""
        self._heard = False

    def resume_reading(self) -> None:
        """Hear what has been said meanwhile."""
        self._heard = True
        asyncio.get_running_loop().call_soon(self._deliver)

    def can_write_eof(self) -> bool:
        """Whether the other side can hear when it has stopped."""
        return self._half_closes

    def write_eof(self) -> None:
        """Stop, and hear."""
        if self.end:
            self.misused.append("write_eof")
        else:
            self.end = "stopped"

    def is_closing(self) -> bool:
        """Whether it ends by itself."""
        return self.end not in ("", "stopped")

    def close(self) -> None:
        """End when all is taken."""
        if not self.is_closing():
            self.end = "closing"
            if not self.untaken:
                asyncio.get_running_loop().call_soon(self._lose, "closed")

    def abort(self) -> None:
        """End."""
        if not self.is_open:
            self.misused.append("abort")
        asyncio.get_running_loop().call_soon(self._lose, "aborted")

    def _deliver(self) -> None:
        while self.unheard and self._heard and self._protocol and not self.is_closing():
            self._protocol.data_received(self.unheard.pop(0))

    def _lose(self, end: Literal["closed", "aborted", "hung up"], why: Exception | None = None) -> None:
        protocol, self._protocol = self._protocol, None
        if protocol:
            self.end = end
            protocol.connection_lost(why)


def get(path: str = "/", *, method: str = "GET", more: bytes = b"") -> bytes:
    """A request without a body."""
    return f"{method} {path} HTTP/1.1\r\nHost: x\r\n".encode() + more + b"\r\n"


def post(path: str = "/", *, length: int = 4, more: bytes = b"") -> bytes:
    """The head of a request with a body."""
    return get(path, method="POST", more=b"Content-Length: %d\r\n" % length + more)


def heard(line: Line) -> list[str]:
    """The status of each answer that the caller took, and what a good one says."""
    answers = [answer.partition(b"\r\n\r\n") for answer in re.split(rb"HTTP/1\.1 (?=\d)", line.answers)[1:]]
    return [(body if head[:3] == b"200" else head[:3]).decode() for head, _, body in answers]

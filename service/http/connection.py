"""One connection: HTTP/1.1 as uvicorn speaks it, and what it does not do, which is to have limits.

    head        its bytes, its headers, its target and the time that it takes are limited
    body        `service.http.uploads` counts and times it
    answer      whoever takes nothing of it for long is cut off
    callers     beyond `max_connections` there is room to ask about health, and for nothing else
    pipelines   requests that are sent before the answers to those before them: so many, and no more
    health      is answered as soon as it is asked

A refusal is written here where no request is whole.  It never comes in the place of an answer that is owed to an
earlier request, and what the caller still sends is read for a moment, as it might not see the refusal otherwise.
"""

import asyncio
import logging
from collections.abc import Callable
from dataclasses import dataclass
from http import HTTPStatus
from typing import Any, Final

import httptools
from uvicorn._types import ASGI3Application
from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol, RequestResponseCycle

from service.http import problems
from service.http.observation import new_id
from service.http.routes.health import LIVE, READY
from service.settings import Settings

log = logging.getLogger(__name__)

_HEAD: Final = b"HTTP/1.1 "
_CONTINUE: Final = b"HTTP/1.1 100 "
_LARGE_BYTES: Final = 32_768  # who sends pieces as large is to learn soon whether they go
_MOST_PENDING: Final = 16
# A body that is refused before it has arrived is read to its end if it is announced as no larger: to read it costs no
# more than another connection, without TLS.
_SMALL_BODY: Final = 2**20
_LINGER_SECONDS: Final = 1.0
_MOST_GUESTS: Final = 64
_HEALTH: Final = (LIVE, READY)
_FOR_GUESTS: Final = (LIVE.encode(), READY.encode())
_ASKING: Final = ("GET", "HEAD")
_GUEST_SECONDS: Final = 2.0
_MOST_PIPELINED: Final = 16
_LEAST_TAKEN: Final = 1024  # bytes a second that a caller must take of its answer


class _Refused(Exception):  # noqa: N818  (it is no fault)
    """Stops the parser."""


@dataclass(frozen=True)
class Refusal:
    """Why a request is not read to its end."""

    status: HTTPStatus
    code: str
    detail: str


_MALFORMED: Final = Refusal(HTTPStatus.BAD_REQUEST, "malformed-request", "this is no HTTP/1.1 request")
_TUNNEL: Final = Refusal(HTTPStatus.METHOD_NOT_ALLOWED, "method-not-allowed", "CONNECT is not for this server")


class Outbox:
    """Answers that are ready to be sent, of all connections of a server.

    The first of a turn of the loop goes at once: its caller need not wait for the statistics and the log.  Those behind
    it go together when the turn is over, which wakes a caller of several connections once.
    """

    def __init__(self) -> None:
        self._waiting: list[Callable[[], None]] | None = None  # None where none was sent in this turn

    def put(self, send: Callable[[], None]) -> None:
        """Send an answer, now or when the turn is over."""
        if self._waiting is None:
            self._waiting = []
            asyncio.get_running_loop().call_soon(self._send)
            send()
        else:
            self._waiting.append(send)

    def _send(self) -> None:
        waiting, self._waiting = self._waiting, None
        for send in waiting or ():
            send()


class OneWrite:
    """A transport that sends the head of an answer together with what follows, with one call to the system.

    uvicorn writes them apart, which wakes the caller twice.

    Args:
        transport: Where it goes.
        loop: Of the transport.
        outbox: Where answers go.
        patience: How long after `close` it is tried to send what was written, in seconds.
        unread: Whether more is on its way that nobody wants.
    """

    def __init__(
        self,
        transport: asyncio.Transport,
        loop: asyncio.AbstractEventLoop,
        outbox: Outbox,
        *,
        patience: float = 30.0,
        unread: Callable[[], bool] = lambda: False,
    ) -> None:
        self._transport = transport
        self._loop = loop
        self._outbox = outbox
        self._patience = patience
        self._unread = unread
        self._pending: list[bytes | memoryview] = []  # a head, and what follows
        self._gone = False
        self._end: asyncio.TimerHandle | None = None

    def __getattr__(self, name: str) -> Any:  # noqa: ANN401  (all else is the transport's own)
        return getattr(self._transport, name)

    def write(self, data: bytes | memoryview) -> None:
        """Send bytes; the head of an answer waits for what follows, as ASGI wants it."""
        if not self._pending and (data[: len(_HEAD)] != _HEAD or data[: len(_CONTINUE)] == _CONTINUE):
            self._transport.write(data)
            return
        self._pending.append(data)
        if len(data) > _LARGE_BYTES or len(self._pending) > _MOST_PENDING:
            self.flush()
        elif len(self._pending) == 2:
            self._outbox.put(self.flush)

    def complete(self) -> None:
        """An answer is complete: send a head that nothing follows."""
        if len(self._pending) == 1:
            self.flush()

    def flush(self) -> None:
        """Send what waits."""
        if self._pending:
            pending, self._pending = self._pending, []
            self._transport.writelines(pending)

    def close(self) -> None:
        """Send what was written, and close.

        To close while the caller sends would reset the connection, perhaps before it has read what was written.
        """
        if self._gone or self._end is not None:
            return
        self.flush()
        seconds = self._patience if self._transport.get_write_buffer_size() else 0.0
        if self._unread() and self._transport.can_write_eof():
            seconds = max(seconds, _LINGER_SECONDS)
            self._transport.write_eof()
            self._transport.resume_reading()
        else:
            self._transport.close()
        if seconds:
            self._end = self._loop.call_later(seconds, self._transport.abort)

    def is_closing(self) -> bool:
        """Whether nothing more will be sent."""
        return self._gone or self._end is not None or self._transport.is_closing()

    def lost(self) -> None:
        """The connection has ended."""
        self._gone = True
        self._pending = []
        if self._end is not None:
            self._end.cancel()


class Guests:
    """The connections beyond those that are served, the oldest first."""

    def __init__(self) -> None:
        self._all: dict[Protocol, None] = {}

    def __len__(self) -> int:
        return len(self._all)

    def __contains__(self, connection: "Protocol") -> bool:
        return connection in self._all

    def add(self, connection: "Protocol") -> None:
        """Let one more in; where there are too many, the one that has been quiet for longest must go."""
        self._all[connection] = None
        if len(self._all) > _MOST_GUESTS:
            oldest = next(iter(self._all))
            self.discard(oldest)  # it goes when this turn of the loop is over: until then, more may come
            oldest.transport.abort()

    def discard(self, connection: "Protocol") -> None:
        """Forget one that has gone."""
        self._all.pop(connection, None)


class Protocol(HttpToolsProtocol):
    """HTTP/1.1 on one connection.

    Args:
        settings: Those of the service.
        guests: Of the whole server.
        outbox: Of the whole server.
        refused: Told why, where a request is refused here.
    """

    def __init__(
        self,
        *arguments: Any,  # noqa: ANN401  (uvicorn's)
        settings: Settings,
        guests: Guests,
        outbox: Outbox,
        refused: Callable[[str], None] = lambda _: None,
        **options: Any,  # noqa: ANN401  (uvicorn's)
    ) -> None:
        super().__init__(*arguments, **options)
        self.url = b""
        self._settings = settings
        self._guests = guests
        self._outbox = outbox
        self._refused = refused
        self._in_head = True  # what comes next belongs to the head of a request, and else to its body
        self._received = 0  # bytes since the head began, whole packets
        self._refusal: Refusal | None = None
        self._deaf = False  # nothing more is read
        self._hurried = False  # the connection ends with the answer, unless the body has arrived before
        self._last = False  # the connection ends with the answer in any case
        self._clock: asyncio.TimerHandle | None = None
        self._stalled: asyncio.TimerHandle | None = None
        self._left = 0  # bytes of an answer that the caller had not taken when `_stalled` was set
        self._running: RequestResponseCycle | None = None  # the oldest of those to which answers are owed
        self._health: tuple[RequestResponseCycle, ASGI3Application] | None = None  # a question that waits

    # The connection.

    def connection_made(self, transport: asyncio.Transport) -> None:  # type: ignore[override]  # as uvicorn's
        """Begin."""
        patience = self._settings.send_timeout_seconds
        unread = self._is_unread
        super().connection_made(OneWrite(transport, self.loop, self._outbox, patience=patience, unread=unread))  # type: ignore[arg-type]  # it does what one does
        if len(self.connections) - len(self._guests) > self._settings.max_connections:
            self._guests.add(self)
        self._start_clock()

    def connection_lost(self, exc: Exception | None) -> None:
        """End."""
        self.transport.lost()  # type: ignore[attr-defined]  # of OneWrite
        self._guests.discard(self)
        self._stop_clock()
        self.resume_writing()
        self._unset_keepalive_if_required()
        super().connection_lost(exc)
        if self._running is not None:  # uvicorn tells the newest alone
            self._running.disconnected = True
            self._running.message_event.set()

    def shutdown(self) -> None:
        """Close behind the answer that is owed."""
        self._last = True
        super().shutdown()

    # What comes.

    def data_received(self, data: bytes) -> None:
        """Read on; where the connection ends, what still comes is dropped."""
        if self._deaf or self.transport.is_closing():
            return
        self._unset_keepalive_if_required()
        self._received += len(data)
        try:
            self.parser.feed_data(data)
        except httptools.HttpParserUpgrade as upgrade:
            self._without_upgrade(data[upgrade.args[0] :])
        except httptools.HttpParserError:
            self._refuse(self._refusal or _MALFORMED)
        else:
            self._after()
        self._answer_health()

    def on_headers_complete(self) -> None:
        """The head is whole: refuse it, or have it answered."""
        self._stop_clock()
        refusal = self._verdict()
        if refusal is not None:
            self._refusal = refusal
            raise _Refused
        if self.parser.should_upgrade():
            return  # `_without_upgrade` comes here again
        super().on_headers_complete()
        self._in_head = False
        if self in self._guests:
            self.cycle.keep_alive = False
        elif self.cycle.keep_alive and (self.expect_100_continue or self._body_may_be_large()):
            self.cycle.keep_alive, self._hurried = False, True

    def on_body(self, body: bytes) -> None:
        """A piece of the body.  The first is handed on as it is, where uvicorn alone would copy it, and again."""
        cycle: Any = self.cycle  # to uvicorn, what it has of the body is a bytearray
        if not cycle.body and not cycle.response_complete:
            cycle.body, body = body, b""
        elif isinstance(cycle.body, bytes):
            cycle.body = bytearray(cycle.body)
        super().on_body(body)

    def on_message_complete(self) -> None:
        """The body is whole, or there is none."""
        if self.parser.should_upgrade():
            return
        super().on_message_complete()
        self._in_head, self._received = True, 0
        self._stop_clock()
        if self._hurried:
            self._hurried = False
            if not self._last and not self.cycle.response_started:
                self.cycle.keep_alive = True

    def on_response_complete(self) -> None:
        """An answer is sent: what comes next?"""
        self.transport.complete()  # type: ignore[attr-defined]  # of OneWrite
        if self._deaf and not self.pipeline:
            self.transport.close()
        super().on_response_complete()

    def _after(self) -> None:
        """Set a clock where the caller owes something."""
        if self._in_head and self._received:
            if self._received > self._settings.max_head_bytes:
                self._refuse(self._too_long())
            else:
                self._start_clock()
        elif not self._owes_answer():
            if not self._in_head:
                self._start_clock()
            else:
                self._wait_for_next()

    def _wait_for_next(self) -> None:
        self.timeout_keep_alive_task = self.loop.call_later(self.timeout_keep_alive, self.timeout_keep_alive_handler)

    def _without_upgrade(self, rest: bytes) -> None:
        """Go on with HTTP/1.1, as a server may whom a caller offers something else (RFC 9110, 7.8)."""
        version = self.parser.get_http_version().encode()
        lines = [b"%s %s HTTP/%s" % (self.parser.get_method(), self.url, version)]
        lines += [b"%s: %s" % header for header in self.headers if header[0] != b"upgrade"]
        self.parser = httptools.HttpRequestParser(self)
        self.data_received(b"\r\n".join([*lines, b"\r\n"]) + rest)

    # Health.

    def _start_asgi_task(self, cycle: RequestResponseCycle, app: ASGI3Application) -> None:
        """Have a request answered; one about health when what has arrived is read, or else soon."""
        self._running = cycle
        if cycle.scope["path"] in _HEALTH and cycle.scope["method"] in _ASKING:
            self._health = cycle, app
            self.loop.call_soon(self._answer_health)
        else:
            super()._start_asgi_task(cycle, app)

    def _answer_health(self) -> None:
        """Answer without a task, for which the loop would have to get hold of the interpreter once more.

        Others keep it for milliseconds.
        """
        if self._health is None:
            return
        (cycle, app), self._health = self._health, None
        if self.flow.write_paused:  # the caller has more to take first
            super()._start_asgi_task(cycle, app)
            return
        try:
            cycle.run_asgi(app).send(None)
        except StopIteration:
            self.transport.flush()  # type: ignore[attr-defined]  # of OneWrite
        else:
            raise RuntimeError("an answer about health waits for something")

    # Limits.

    def _verdict(self) -> Refusal | None:
        settings = self._settings
        if len(self.url) > settings.max_url_bytes:
            return Refusal(
                HTTPStatus.REQUEST_URI_TOO_LONG,
                "url-too-long",
                f"the target has {len(self.url):,} bytes; at most {settings.max_url_bytes:,} are accepted"
                " (setting max_url_bytes)",
            )
        if len(self.headers) > settings.max_headers:
            return Refusal(
                HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
                "head-too-large",
                f"{len(self.headers):,} headers; at most {settings.max_headers:,} are accepted (setting max_headers)",
            )
        # `_received` is whole packets, with what is behind the head: it is only counted out where that may matter.
        if self._received > settings.max_head_bytes and self._head_bytes() > settings.max_head_bytes:
            return self._too_long()
        if len(self._guests) and self in self._guests and self.url.partition(b"?")[0] not in _FOR_GUESTS:
            return Refusal(
                HTTPStatus.SERVICE_UNAVAILABLE,
                "crowded",
                f"{settings.max_connections:,} connections are open already (setting max_connections)",
            )
        if len(self.pipeline) >= _MOST_PIPELINED:
            return _MALFORMED  # it is not told: answers are owed, and the connection ends behind them
        return _TUNNEL if self.parser.get_method() == b"CONNECT" else None

    def _head_bytes(self) -> int:
        return len(self.url) + sum(len(name) + len(value) + 4 for name, value in self.headers)

    def _too_long(self) -> Refusal:
        return Refusal(
            HTTPStatus.REQUEST_HEADER_FIELDS_TOO_LARGE,
            "head-too-large",
            f"the head of the request has more than the {self._settings.max_head_bytes:,} bytes accepted"
            " (setting max_head_bytes)",
        )

    def _body_may_be_large(self) -> bool:
        for name, value in self.headers:
            if name == b"content-length":
                return int(value) > _SMALL_BODY
            if name == b"transfer-encoding":
                return True
        return False

    def _is_unread(self) -> bool:
        """Whether the caller has perhaps more to send than was read."""
        return self._deaf or not self._in_head

    # Refusals.

    def _refuse(self, refusal: Refusal) -> None:
        """Answer a request that cannot be read, and close; behind the answers that are owed to those before it."""
        self._deaf = True
        self._stop_clock()
        if not self._owes_answer():  # and so in a head: behind the answer to a body that can be wrong, nothing is read
            self._write(refusal)
        elif self._in_head:  # of requests before this one
            self.cycle.keep_alive = False
        elif self.pipeline:
            self.pipeline.popleft()  # this one, whose body cannot be read
        elif not self.cycle.response_started:
            self._write(refusal)
        else:
            self.transport.close()

    def _owes_answer(self) -> bool:
        cycle: RequestResponseCycle | None = self.cycle
        return cycle is not None and not cycle.response_complete

    def _write(self, refusal: Refusal) -> None:
        self._refused(refusal.code)
        request_id, client = new_id(), self.client[0] if self.client else "a caller"
        log.info("%s: %d, %s (request %s)", client, refusal.status, refusal.detail, request_id)
        path = self.url.decode("latin-1")
        body, media_type, more = problems.written(path, refusal.status, refusal.code, refusal.detail)
        headers = [
            *self.server_state.default_headers,
            *((name.encode(), value.encode()) for name, value in more.items()),
            (b"content-type", media_type.encode()),
            (b"content-length", b"%d" % len(body)),
            (b"connection", b"close"),
            (b"x-request-id", request_id.encode()),
        ]
        lines = b"".join(b"%s: %s\r\n" % header for header in dict(headers).items())
        self.transport.write(STATUS_LINE[refusal.status] + lines + b"\r\n" + body)
        self.transport.close()

    # Time.

    def _start_clock(self) -> None:
        if self._clock is None:
            seconds = self._settings.head_timeout_seconds
            if len(self._guests) and self in self._guests:
                seconds = min(seconds, _GUEST_SECONDS)
            self._clock = self.loop.call_later(seconds, self._late, seconds)

    def _stop_clock(self) -> None:
        if self._clock is not None:
            self._clock.cancel()
            self._clock = None

    def _late(self, seconds: float) -> None:
        """Nothing was asked in time: whoever has said nothing at all gets no answer either."""
        if self._in_head and self._received:
            detail = f"the head of the request did not arrive within {seconds:g} s (setting head_timeout_seconds)"
            self._refuse(Refusal(HTTPStatus.REQUEST_TIMEOUT, "slow-request", detail))
        else:
            self.transport.close()

    def pause_writing(self) -> None:
        """More of an answer waits than should."""
        super().pause_writing()
        self._watch()

    def resume_writing(self) -> None:
        """Most of it has gone."""
        super().resume_writing()
        if self._stalled is not None:
            self._stalled.cancel()
            self._stalled = None

    def _watch(self) -> None:
        self._left = self.transport.get_write_buffer_size()
        self._stalled = self.loop.call_later(self._settings.send_timeout_seconds, self._check_taken)

    def _check_taken(self) -> None:
        """Cut off whoever takes next to nothing: its answer takes room that others need."""
        taken = self._left - self.transport.get_write_buffer_size()
        if taken < _LEAST_TAKEN * self._settings.send_timeout_seconds:
            log.info("%s takes its answer too slowly, and is cut off", self.client[0] if self.client else "a caller")
            self.transport.abort()
        else:
            self._watch()

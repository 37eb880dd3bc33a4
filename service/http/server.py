"""The HTTP server: uvicorn's, which loses no request when it is told to end."""

import asyncio
import logging
import socket
import sys
from collections.abc import Callable, Iterator
from functools import partial
from types import FrameType
from typing import Any, Final

import uvicorn
from fastapi import Request
from starlette.types import ASGIApp, Receive, Scope, Send
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol, RequestResponseCycle

from service.errors import EndingError
from service.http import certificates, problems
from service.http.app import Application
from service.http.connection import Guests, Outbox, Protocol
from service.http.routes.health import LIVE
from service.listener import refuse_handshakes
from service.settings import Settings
from service.signals import EndSignals, end_now

log = logging.getLogger(__name__)

# Once told to end, and all is answered: how long callers are heard who stay, as a request may be on its way on each.
_LINGER_SECONDS: Final = 0.5
_POLL_SECONDS: Final = 0.01
# How long a thread keeps the interpreter from others who want it, where it can be taken away.  The event loop gives it
# back at each look at a socket: with Python's own 5 ms it would wait for a tenth of a second to read and answer.
_TURN_SECONDS: Final = 0.001
_HEADERS: Final = [("X-Content-Type-Options", "nosniff")]  # of every answer, those of uvicorn itself included
_CLOSE: Final = (b"connection", b"close")


def configure(app: Application, settings: Settings) -> uvicorn.Config:
    """What uvicorn must know.

    Raises:
        SettingsError: The certificate or its key cannot be used.
    """
    certificates.check(settings.tls_certificate, settings.tls_key)
    refused = app.state.engine.requests.failed
    protocol = partial(Protocol, settings=settings, guests=Guests(), outbox=Outbox(), refused=refused)
    return uvicorn.Config(
        app,
        host=settings.host,
        port=settings.port,
        http=protocol,  # type: ignore[arg-type]  # it makes a protocol
        access_log=False,
        ws="none",
        log_config=None,
        timeout_keep_alive=settings.keep_alive_seconds,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        server_header=False,
        headers=_HEADERS,
        # Whoever is believed can say to be anybody: nobody is, where none is named.
        proxy_headers=bool(settings.trusted_proxies),
        forwarded_allow_ips=list(settings.trusted_proxies),
        ssl_certfile=settings.tls_certificate,
        ssl_keyfile=settings.tls_key,
        ssl_ciphers=certificates.CIPHERS,
    )


class Server(uvicorn.Server):
    """Serves until SIGTERM or SIGINT: then it answers what it has accepted, refuses what comes, and ends.

    A second signal ends it at once.

    Args:
        config: What `configure` made.
        broken: Whether the process must be started again; then it ends, with the status 1.
        refuses: Whether it refuses what comes when it was told to end.
    """

    def __init__(
        self, config: uvicorn.Config, *, broken: Callable[[], bool] = lambda: False, refuses: bool = True
    ) -> None:
        super().__init__(config)
        assert isinstance(config.app, Application)  # noqa: S101  (for the type checker: `configure` takes nothing else)
        self._app = config.app
        self.status = 0
        self._broken = broken
        self.refuses = refuses
        self._signals = EndSignals()
        self._draining = False
        self._late: set[asyncio.Task[None]] = set()  # connections that were taken in at the last moment

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:
        """Start."""
        sys.setswitchinterval(_TURN_SECONDS)
        self._loop = asyncio.get_running_loop()
        await super().startup(sockets)

    async def on_tick(self, counter: int) -> bool:
        """Look, ten times a second, whether it is to end."""
        if not self._draining and self._broken():
            log.critical("ending, to be started again")
            self.status = 1
            self.drain()
        return await super().on_tick(counter)

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:  # noqa: ARG002  (uvicorn's)
        """Take a signal.  Unlike uvicorn's, an orderly end is no failure, and does not raise the signal again."""
        if self._signals.is_second():
            end_now(sig)
        if self.started:
            self._loop.call_soon_threadsafe(self.drain)
        self.should_exit = True

    def drain(self) -> None:
        """Close each connection behind its next answer, which is a refusal where it was asked from now on; then end."""
        self.should_exit = True
        if not self._draining:
            self._draining = True
            for listener in self._listeners():
                refuse_handshakes(listener)
            # What has arrived until now was accepted: the event loop takes it in first.
            self._loop.call_later(_POLL_SECONDS, self._close_behind_answers)
            self._loop.call_later(_POLL_SECONDS, self._close_listeners)

    def _close_behind_answers(self) -> None:
        log.info("ending when %d requests are answered; a second signal ends it at once", len(self.answering))
        for connection in self.answering:
            connection.shutdown()
        self.config.encoded_headers.append(_CLOSE)  # of which the headers of answers are made once a second
        self.server_state.default_headers = [*self.server_state.default_headers, _CLOSE]
        if self.refuses:
            # For connections that are not made yet.
            self.config.loaded_app = _refusing(self.config.loaded_app, self._app.observed(_refuse))
            for connection in self.connections:
                connection.app = self.config.loaded_app

    async def shutdown(self, sockets: list[socket.socket] | None = None) -> None:
        """End: uvicorn alone closes connections on which a request may be on its way."""
        self.drain()
        start = self._loop.time()
        patience = self.config.timeout_graceful_shutdown or 0
        while self.connections and self._loop.time() - start < patience:
            if not self.answering and self._loop.time() - start > _LINGER_SECONDS:
                break
            await asyncio.sleep(_POLL_SECONDS)
        self.config.timeout_graceful_shutdown = max(1, patience - int(self._loop.time() - start))
        await super().shutdown(sockets)

    def _close_listeners(self) -> None:
        """Let nobody in any more: whoever waits with the kernel is taken in first, else the kernel would hang up."""
        for listener in self._listeners():
            self._take_in(listener)
        for server in self.servers:
            server.close()

    def _listeners(self) -> Iterator[socket.socket]:
        """Copies of what callers connect to: those of an event loop do not let others have them."""
        for server in self.servers:
            for listener in server.sockets:
                with listener.dup() as copy:
                    yield copy

    def _take_in(self, listener: socket.socket) -> None:
        while True:
            try:
                connection, _ = listener.accept()
            except OSError:
                return
            connection.setblocking(False)  # noqa: FBT003  (its only form)
            task = self._loop.create_task(self._serve_one(connection))
            self._late.add(task)
            task.add_done_callback(self._late.discard)

    async def _serve_one(self, connection: socket.socket) -> None:
        kind: Any = self.config.http_protocol_class
        state, app_state = self.server_state, self.lifespan.state
        protocol = partial(kind, config=self.config, server_state=state, app_state=app_state)
        try:
            await self._loop.connect_accepted_socket(protocol, connection, ssl=self.config.ssl)
        except OSError:  # the caller has gone
            connection.close()

    @property
    def connections(self) -> list[HttpToolsProtocol]:
        """The connections that are open."""
        return [one for one in self.server_state.connections if isinstance(one, HttpToolsProtocol)]

    @property
    def answering(self) -> list[HttpToolsProtocol]:
        """Those whose request is being answered; `shutdown` closes one behind its answer, which says so."""
        return [one for one in self.connections if _unanswered(one.cycle)]


def _unanswered(cycle: RequestResponseCycle | None) -> bool:
    """Whether a request is not answered to its end; there is none on a connection that was just made."""
    return cycle is not None and not cycle.response_complete


def _refusing(app: ASGIApp, refuse: ASGIApp) -> ASGIApp:
    """An application that is alive, and answers nothing else."""

    async def answer(scope: Scope, receive: Receive, send: Send) -> None:
        await (app if scope["path"] == LIVE else refuse)(scope, receive, send)

    return answer


async def _refuse(scope: Scope, receive: Receive, send: Send) -> None:
    answer = problems.answer(Request(scope), EndingError("the service is ending"))
    await answer(scope, receive, send)

"""A process that serves the connections that the supervisor hands to it."""

import asyncio
import errno
import functools
import itertools
import logging
import os
import socket
import sys
from collections.abc import Callable, Coroutine, Sequence
from types import FrameType
from typing import Any, Final

from service.counters import Memories
from service.engine import Engine, open_engine
from service.errors import EndingError, ExecutionError, ModelFileError, StriateError, UnknownModelError
from service.http.app import create_app
from service.http.changes import Verb, changes_of
from service.http.connection import Guests, Outbox, Protocol
from service.http.server import Server, configure
from service.logs import configure as configure_logs
from service.settings import Settings
from service.workers import messages
from service.workers.channel import Channel
from service.workers.messages import Message

log = logging.getLogger(__name__)

_LONGEST_NAME: Final = 255  # characters; no folder has a longer one


class Connection(Protocol):
    """A connection that tells when it is closed."""

    def __init__(self, *arguments: Any, lost: Callable[[], None], **options: Any) -> None:  # noqa: ANN401  (uvicorn's)
        super().__init__(*arguments, **options)
        self._lost = lost

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell it."""
        super().connection_lost(exc)
        self._lost()


class Worker(Server):
    """A server that listens nowhere, and is handed its connections.

    Args:
        engine: What answers.
        channel: The way to the supervisor.
        number: Which worker it is.
    """

    def __init__(self, engine: Engine, channel: Channel, *, number: int) -> None:
        app = create_app(engine, change=self._ask, loaded=self._tell_loaded, worker=number)
        super().__init__(configure(app, engine.settings), broken=lambda: engine.device.pulse.lost)
        self._engine = engine
        self._channel = channel
        self._change_here = changes_of(engine.registry)
        self._changing = asyncio.Lock()
        self._error: StriateError | None = None  # of the last change
        self._asked: dict[int, asyncio.Future[None]] = {}
        self._tokens = itertools.count()
        self._tasks: set[asyncio.Task[None]] = set()
        self._taken = 0
        self._closed = 0
        self._telling = False

    async def startup(self, sockets: list[socket.socket] | None = None) -> None:  # noqa: ARG002  (uvicorn's)
        """Start, and say so."""
        self._channel.listen(self._on_message, self._on_supervisor_ended)
        await super().startup(sockets=[])
        self._protocol = functools.partial(
            Connection,
            settings=self._engine.settings,
            guests=Guests(),
            outbox=Outbox(),
            refused=self._engine.requests.failed,
            config=self.config,
            server_state=self.server_state,
            app_state=self.lifespan.state,
            lost=lambda: self._count(closed=1),
        )
        self._channel.send(messages.Up())

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        """End, though the service goes on: nobody is refused, and the supervisor starts another worker."""
        self.refuses = False
        super().handle_exit(sig, frame)

    def drain(self) -> None:
        """End, and be handed nothing more."""
        super().drain()
        self._channel.send(messages.Draining())

    def _on_message(self, message: Message, files: Sequence[int]) -> None:
        match message:
            case messages.Connection():
                self._take(files)
            case messages.Shed():
                for connection in self.answering[: message.count]:
                    connection.shutdown()
            case messages.Change():
                self._start(self._change(message))
            case messages.Changed():
                self._on_changed(message)
            case messages.Drain():
                self.drain()

    def _on_supervisor_ended(self) -> None:
        """Nobody is left to replace it, or to be told."""
        self.drain()
        for future in self._asked.values():
            if not future.done():
                future.set_exception(EndingError("the service is ending"))

    def _start(self, work: Coroutine[Any, Any, None]) -> None:
        task = self._loop.create_task(work)
        self._tasks.add(task)
        task.add_done_callback(self._tasks.discard)

    # Connections.

    def _take(self, files: Sequence[int]) -> None:
        self._count(taken=1)
        for file in files:
            self._start(self._adopt(socket.socket(fileno=file)))
        if not files:  # the kernel drops what has no room
            log.error("a connection is lost: %s", os.strerror(errno.EMFILE))
            self._count(closed=1)

    async def _adopt(self, connection: socket.socket) -> None:
        connection.settimeout(0)
        try:
            await self._loop.connect_accepted_socket(self._protocol, connection, ssl=self.config.ssl)
        except OSError:  # the caller has gone
            self._count(closed=1)

    def _count(self, *, taken: int = 0, closed: int = 0) -> None:
        self._taken += taken
        self._closed += closed
        if not self._telling:
            self._telling = True
            self._loop.call_soon(self._tell_counts)

    def _tell_counts(self) -> None:
        self._telling = False
        self._channel.send(messages.Counts(self._taken, self._closed))

    # Models.

    def _tell_loaded(self, engine: Engine) -> None:
        self._channel.send(
            messages.Loaded(self._ready(), len(engine.registry.entries), engine.device.used, engine.device.reason)
        )

    def _ready(self) -> int:
        return sum(entry.state == "ready" for entry in self._engine.registry.entries)

    async def _ask(self, verb: Verb, model: str) -> None:
        """Have every worker load or unload a model, this one too."""
        if len(model) > _LONGEST_NAME:
            raise UnknownModelError(f"the repository has no model {model!r}")
        token = next(self._tokens)
        self._asked[token] = self._loop.create_future()
        self._channel.send(messages.Ask(token, verb, model))
        try:
            await self._asked[token]
        finally:
            del self._asked[token]

    def _on_changed(self, changed: messages.Changed) -> None:
        """Tell who asked; this worker's own error can be raised as it is, and it is most often that of all."""
        future = self._asked.get(changed.token)
        if future is None or future.done():
            return
        failed = ", ".join(map(str, changed.failed))
        if error := self._error or (ModelFileError(f"worker {failed}: {changed.reason}") if failed else None):
            future.set_exception(error)
        else:
            future.set_result(None)

    async def _change(self, change: messages.Change) -> None:
        async with self._changing:
            try:
                await self._change_here(change.verb, change.model)
                self._error = None
            except StriateError as error:
                self._error = error
            except Exception:
                log.exception("cannot %s model %s", change.verb, change.model)
                self._error = ExecutionError("the service has a fault; its log says which")
            self._channel.send(messages.Done(self._ready(), str(self._error) if self._error else None))


def main() -> None:
    """Serve what comes through the open file that the first argument tells."""
    channel = Channel(socket.socket(fileno=int(sys.argv[1])))
    assignment, memories = channel.receive()
    assert isinstance(assignment, messages.Assignment)  # noqa: S101  (for the type checker: it is always the first)
    settings = Settings.model_validate_json(assignment.settings)
    configure_logs(settings.log_level, settings.log_format, worker=assignment.number)
    try:
        engine = open_engine(settings, Memories(memories, own=assignment.number - 1))
        worker = Worker(engine, channel, number=assignment.number)
    except StriateError as error:
        channel.send(messages.Refused(str(error)))
        sys.exit(1)
    worker.run()
    sys.exit(worker.status)


if __name__ == "__main__":
    main()

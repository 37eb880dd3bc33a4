"""Promises of service.http.server."""

import asyncio
import signal
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from service.engine import open_engine
from service.errors import SettingsError
from service.http.app import create_app
from service.http.server import Server, configure
from service.settings import Settings
from tests.service.http.line import Line, get, heard, in_no_time, passed, post

LIVE = get("/v2/health/live")
SLOW = post("/v2/repository/index", length=1)  # answered when its body has come: 400, as it is no JSON
AT_ONCE = 0.2
LINGER_SECONDS = 0.5


def test_what_uvicorn_keeps_is_as_set(settings: Settings) -> None:
    """Where it listens, how long a connection may be idle, and how long it waits at the end."""
    changes = {"host": "127.0.0.2", "port": 1234, "keep_alive_seconds": 7, "shutdown_seconds": 9}
    chosen = settings.model_copy(update=changes)
    config = configure(create_app(open_engine(chosen)), chosen)
    found = (config.host, config.port, config.timeout_keep_alive, config.timeout_graceful_shutdown)
    assert found == tuple(changes.values())


def test_a_certificate_that_cannot_be_used_is_told_before_it_serves(settings: Settings) -> None:
    """In words of ours."""
    chosen = settings.model_copy(update={"tls_certificate": Path("missing.pem")})
    with pytest.raises(SettingsError, match="tls_certificate missing.pem cannot be read"):
        configure(create_app(open_engine(chosen)), chosen)


@pytest.fixture(autouse=True)
def turns() -> Iterator[None]:
    """How long threads have the interpreter: a server changes it."""
    before = sys.getswitchinterval()
    yield
    sys.setswitchinterval(before)


class Running:
    """A server without a socket."""

    def __init__(self, settings: Settings, **given: Any) -> None:  # noqa: ANN401  (the server's)
        self.config = configure(create_app(open_engine(settings)), settings)
        self.config.lifespan = "off"  # no model is loaded
        self.config.load()
        self.server = Server(self.config, **given)
        self.serving = asyncio.create_task(self.server.serve(sockets=[]))

    def connect(self) -> Line:
        """A new connection."""
        kind: Any = self.config.http_protocol_class
        return Line(kind(config=self.config, server_state=self.server.server_state, app_state={}))

    async def call(self, *texts: bytes) -> Line:
        """One on which all this is said."""
        await passed()
        line = self.connect()
        for text in texts:
            line.say(text)
            await passed()
        return line

    async def tell(self) -> None:
        """Tell it to end, and wait until it has heard."""
        self.server.handle_exit(signal.SIGTERM, None)
        await passed(AT_ONCE)

    @property
    def status(self) -> int | None:
        """That of the process; None where it has not ended."""
        return self.server.status if self.serving.done() else None


@in_no_time
async def test_it_ends_at_once_where_nobody_is_there(settings: Settings) -> None:
    """With the status 0."""
    running = Running(settings)
    await passed(100)
    assert running.status is None
    await running.tell()
    await passed(LINGER_SECONDS - AT_ONCE)
    assert running.status == 0


@in_no_time
async def test_a_signal_while_it_starts_ends_it(settings: Settings) -> None:
    """It never serves: whoever came already is refused."""
    running = Running(settings)
    running.server.handle_exit(signal.SIGTERM, None)
    line = running.connect()
    await passed(0.1)
    line.say(SLOW + b"x")
    await passed(AT_ONCE)
    assert (heard(line), running.status) == (["503"], 0)


@in_no_time
async def test_what_was_accepted_is_answered_and_then_it_ends(settings: Settings) -> None:
    """The answer says that it is the last."""
    running = Running(settings)
    line = await running.call(SLOW)
    await running.tell()
    await passed(10)
    assert running.status is None
    line.say(b"x")
    await passed(1)
    assert (heard(line), line.answers.count(b"connection: close"), running.status) == (["400"], 1, 0)


@in_no_time
async def test_what_came_with_the_signal_was_accepted(settings: Settings) -> None:
    """A request that was there before it was heard."""
    running = Running(settings)
    line = await running.call()
    running.server.handle_exit(signal.SIGTERM, None)
    line.say(SLOW + b"x")
    await passed(AT_ONCE)
    assert heard(line) == ["400"]


@in_no_time
@pytest.mark.parametrize("new", [False, True], ids=["open", "new"])
async def test_what_comes_later_is_refused_once(settings: Settings, new: bool) -> None:  # noqa: FBT001
    """On connections that are open and on those just made: 503 and the end; only what asks whether it lives is told."""
    running = Running(settings)
    _, *lines = [await running.call(*[SLOW] * (number == 0)) for number in range(3)]
    await running.tell()
    if new:
        lines = [await running.call() for _ in lines]
    for line, text in zip(lines, (SLOW + b"x", LIVE), strict=True):
        line.say(text)
    await passed()
    assert [heard(line) for line in lines] == [["503"], ['{"live":true}']]
    assert [line.answers.count(b"connection: close") for line in lines] == [1, 1]
    assert [line.end for line in lines] == ["closed", "closed"]


@in_no_time
@pytest.mark.parametrize("tenths", range(10))
async def test_it_says_so_whenever_it_is_told(settings: Settings, tenths: int) -> None:
    """Some headers of answers are made anew each second, at the last moment too."""
    running = Running(settings)
    line, _ = await running.call(), await running.call(SLOW)
    await passed(tenths / 10)
    await running.tell()
    line.say(LIVE)
    await passed()
    assert (line.answers.count(b"connection: close"), line.end) == (1, "closed")


@in_no_time
async def test_it_answers_to_the_end_where_it_refuses_nothing(settings: Settings) -> None:
    """Where others, who are told by others that it ends, go on to ask it."""
    running = Running(settings, refuses=False)
    line, _ = await running.call(), await running.call(SLOW)
    await running.tell()
    line.say(SLOW + b"x")
    await passed()
    assert (heard(line), line.end) == (["400"], "closed")


@in_no_time
async def test_callers_who_stay_are_heard_for_a_moment(settings: Settings) -> None:
    """Their request may be on its way; then their connections end, and it does."""
    running = Running(settings)
    early, late = await running.call(LIVE), await running.call(LIVE)
    running.server.handle_exit(signal.SIGTERM, None)
    await passed(LINGER_SECONDS - 0.1)
    early.say(SLOW + b"x")
    await passed(0.05)
    assert (heard(early)[1:], late.end, running.status) == (["503"], "", None)
    await passed(1)
    assert (late.end, running.status) == ("closed", 0)


@in_no_time
async def test_callers_who_stay_are_heard_as_long_as_an_answer_is_owed(settings: Settings) -> None:
    """The connection on which their request may be is not closed before."""
    running = Running(settings)
    slow, line = await running.call(SLOW), await running.call(LIVE)
    await running.tell()
    await passed(10)
    line.say(SLOW + b"x")
    await passed()
    slow.say(b"x")
    await passed()
    assert (heard(line)[1:], heard(slow)) == (["503"], ["400"])


@in_no_time
async def test_it_waits_for_no_caller_longer_than_set(settings: Settings) -> None:
    """Who does not send the rest of a request gets an error."""
    running = Running(settings.model_copy(update={"shutdown_seconds": 10, "body_timeout_seconds": 1000}))
    line = await running.call(SLOW)
    await running.tell()
    await passed(9)
    assert running.status is None
    await passed(3)
    assert (heard(line), running.status) == (["500"], 0)


@in_no_time
async def test_what_is_broken_ends_to_be_started_again(settings: Settings) -> None:
    """With the status 1; what was accepted is answered."""
    broken: list[str] = []
    running = Running(settings, broken=lambda: bool(broken))
    line = await running.call(SLOW)
    broken.append("device")
    await passed(1)
    line.say(b"x")
    await passed(1)
    assert (heard(line), running.status) == (["400"], 1)


@in_no_time
async def test_what_breaks_at_the_end_does_not_matter(settings: Settings) -> None:
    """It was told to end, and ends in order."""
    broken: list[str] = []
    running = Running(settings, broken=lambda: bool(broken))
    await running.call(LIVE)
    await running.tell()
    broken.append("device")
    await passed(1)
    assert running.status == 0

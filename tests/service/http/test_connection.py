"""Promises of service.http.connection."""

import asyncio
import time
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Any, cast

import pytest
import uvicorn
from starlette.types import Receive, Scope, Send
from uvicorn.server import ServerState

from service.http.connection import Guests, OneWrite, Outbox, Protocol
from service.settings import Settings


class Wire:
    """A transport that remembers what each call to the system would send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed_after: int | None = None

    def writelines(self, pieces: Sequence[bytes]) -> None:
        """Send."""
        self.sent.append(b"".join(pieces))

    def write(self, data: bytes) -> None:
        """Send."""
        self.sent.append(data)

    def close(self) -> None:
        """Remember how much was sent before."""
        self.closed_after = len(self.sent)

    def get_write_buffer_size(self) -> int:
        """All is sent at once."""
        return 0

    def is_closing(self) -> bool:
        """Something that only a transport knows."""
        return self.closed_after is not None

    def can_write_eof(self) -> bool:
        """As with TLS."""
        return False

    def get_extra_info(self, _: str) -> None:
        """It goes nowhere."""

    def pause_reading(self) -> None:
        """Nothing comes by itself."""

    def resume_reading(self) -> None:
        """Nothing comes by itself."""


def played(*actions: Callable[[OneWrite], object]) -> Wire:
    """What goes over the wire, where all this is done in one turn of the loop."""
    wire = Wire()

    async def turn() -> None:
        transport = OneWrite(cast("asyncio.Transport", wire), asyncio.get_running_loop(), Outbox())
        for action in actions:
            action(transport)
        await asyncio.sleep(0)

    asyncio.run(turn())
    return wire


HEAD = b"HTTP/1.1 200 OK\r\n\r\n"


def test_head_and_body_go_together() -> None:
    """With one call, and at once: the caller need not wait until the loop comes to it."""
    seen: list[int] = []
    wire = played(lambda t: t.write(HEAD), lambda t: t.write(b"body"), lambda t: seen.append(len(t.sent)))
    assert (wire.sent, seen) == ([HEAD + b"body"], [1])


def test_what_follows_later_goes_by_itself() -> None:
    """An answer in pieces: the head goes with the first."""
    wire = played(lambda t: t.write(HEAD), *[lambda t: t.write(memoryview(b"piece"))] * 3)
    assert wire.sent == [HEAD + b"piece", b"piece", b"piece"]


def test_a_head_that_nothing_follows_is_sent() -> None:
    """When the answer is complete; a second time there is nothing to send."""
    assert played(lambda t: t.write(HEAD), lambda t: t.complete(), lambda t: t.complete()).sent == [HEAD]


def test_who_waits_to_be_told_to_go_on_is_told_at_once() -> None:
    """`100 Continue` is no head of an answer, which comes after the body."""
    told = b"HTTP/1.1 100 Continue\r\n\r\n"
    assert played(lambda t: t.write(told)).sent == [told]


def test_a_body_that_looks_like_a_head_is_a_body() -> None:
    """The second head in a row is none."""
    assert played(lambda t: t.write(HEAD), lambda t: t.write(HEAD)).sent == [HEAD + HEAD]


def test_the_answers_behind_the_first_go_when_the_turn_is_over() -> None:
    """Together; those of the next turn again the first at once."""
    order: list[str] = []

    async def turns() -> None:
        outbox = Outbox()
        for turn in "ab":
            for number in (1, 2, 3):
                outbox.put(partial(order.append, f"{turn}{number}"))
            order.append("over")
            await asyncio.sleep(0)

    asyncio.run(turns())
    assert order == ["a1", "over", "a2", "a3", "b1", "over", "b2", "b3"]


def test_an_answer_that_waits_is_not_overtaken() -> None:
    """What is written meanwhile waits behind it: the second answer of a turn, and a piece."""
    second = [lambda t: t.write(HEAD), lambda t: t.write(b"2"), lambda t: t.complete()]
    wire = played(lambda t: t.write(HEAD), lambda t: t.write(b"1"), lambda t: t.complete(), *second, *second)
    assert wire.sent == [HEAD + b"1", HEAD + b"2" + HEAD + b"2"]


@pytest.mark.parametrize(
    "pieces", [pytest.param([bytes(100_000)], id="a large one"), pytest.param([b"1"] * 16, id="many")]
)
def test_what_takes_room_does_not_wait_for_others(pieces: list[bytes]) -> None:
    """Who makes it is to learn at once whether it is taken."""
    seen: list[int] = []
    wire = played(
        lambda t: t.write(HEAD),
        lambda t: t.write(b"1"),
        lambda t: t.write(HEAD),
        *[partial(OneWrite.write, data=piece) for piece in pieces],
        lambda t: seen.append(len(t.sent)),
    )
    assert (wire.sent, seen) == ([HEAD + b"1", HEAD + b"".join(pieces)], [2])


def test_what_waits_for_a_caller_who_has_gone_is_dropped() -> None:
    """There is nobody to send it to."""
    wire = played(
        lambda t: t.write(HEAD),
        lambda t: t.write(b"1"),
        lambda t: t.write(HEAD),
        lambda t: t.write(b"2"),
        OneWrite.lost,
    )
    assert wire.sent == [HEAD + b"1"]


def test_what_was_written_goes_before_the_end() -> None:
    """A connection that is closed behind its answer sends the answer."""
    wire = played(lambda t: t.write(HEAD), lambda t: t.close())
    assert (wire.sent, wire.closed_after) == ([HEAD], 1)


def test_nothing_is_sent_to_a_caller_who_has_gone() -> None:
    """Whoever asks is told."""
    seen: list[bool] = []
    played(OneWrite.lost, lambda t: seen.append(t.is_closing()))
    assert seen == [True]


def test_all_else_is_the_transports_own() -> None:
    """It is asked as if nothing stood before it."""
    seen: list[bool] = []
    played(lambda t: seen.append(t.is_closing()), lambda t: t.close(), lambda t: seen.append(t.is_closing()))
    assert seen == [False, True]


class Mute(asyncio.Transport):
    """A connection whose caller hears nothing."""

    def write(self, data: bytes | bytearray | memoryview) -> None:
        """Send nothing."""

    def pause_reading(self) -> None:
        """Whoever calls `data_received` goes on."""

    def resume_reading(self) -> None:
        """As before."""

    def is_closing(self) -> bool:
        """It stays open."""
        return False


def received(head: bytes, arrive: Callable[[Protocol], None]) -> list[bytes]:
    """The pieces of a body that an application gets to see, all of which arrived before it looked."""
    seen: list[bytes] = []

    async def look(scope: Scope, receive: Receive, send: Send) -> None:  # noqa: ARG001  (ASGI's)
        more = True
        while more:
            message = await receive()
            seen.append(message["body"])
            more = message["more_body"]
        await send({"type": "http.response.start", "status": 204, "headers": []})
        await send({"type": "http.response.body"})

    async def talk() -> None:
        config = uvicorn.Config(look, ws="none", interface="asgi3", log_config=None, proxy_headers=False)
        config.load()
        protocol = Protocol(
            config=config,
            server_state=(state := ServerState()),
            app_state={},
            settings=Settings(models=Path("models")),
            guests=Guests(),
            outbox=Outbox(),
        )
        protocol.connection_made(Mute())
        protocol.data_received(b"POST / HTTP/1.1\r\nHost: x\r\n%s\r\n\r\n" % head)
        arrive(protocol)
        await asyncio.gather(*state.tasks)
        protocol.connection_lost(None)

    asyncio.run(talk())
    return seen


def arriving(*pieces: bytes) -> Callable[[Protocol], None]:
    """What is read from the socket, piece by piece."""

    def arrive(protocol: Protocol) -> None:
        for piece in pieces:
            protocol.data_received(piece)

    return arrive


@pytest.mark.parametrize(
    "pieces",
    [
        pytest.param([b"a"], id="one"),
        pytest.param([b"a", b"b"], id="two"),
        pytest.param([b"a", b"b" * 70_000, b"c", b"d" * 300_000], id="large ones between small ones"),
        pytest.param([bytes([i]) for i in range(200)], id="many"),
    ],
)
def test_a_body_is_what_was_sent(pieces: list[bytes]) -> None:
    """In whatever pieces it arrives."""
    seen = received(b"Content-Length: %d" % sum(map(len, pieces)), arriving(*pieces))
    assert b"".join(seen) == b"".join(pieces)
    assert {type(piece) for piece in seen} == {bytes}


def test_a_body_in_one_piece_is_not_copied() -> None:
    """It may have megabytes."""
    body = bytes(100_000)

    def arrive(protocol: Protocol) -> None:
        protocol.on_body(body)
        protocol.on_message_complete()

    (seen,) = received(b"Content-Length: 100000", arrive)
    assert seen is body


def test_a_body_in_tiny_chunks_takes_no_longer_than_it_is() -> None:
    """Each is put to those before it, not all of them to each."""
    chunks = 600_000
    start = time.process_time()
    (seen,) = received(b"Transfer-Encoding: chunked", arriving(b"1\r\nx\r\n" * chunks + b"0\r\n\r\n"))
    assert time.process_time() - start < 2
    assert seen == b"x" * chunks


async def path_of(scope: Scope, _: Receive, send: Send) -> None:
    """An application that answers with the path that was asked for."""
    body = scope["path"].encode()
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"%d" % len(body))]})
    await send({"type": "http.response.body", "body": body})


def protocol_on(wire: Wire) -> Protocol:
    """A connection that was just made."""
    config = uvicorn.Config(path_of, log_config=None)
    own: dict[str, Any] = {"settings": Settings(), "guests": Guests(), "outbox": Outbox()}
    protocol = Protocol(config=config, server_state=ServerState(), app_state={}, **own)
    protocol.connection_made(cast("asyncio.Transport", wire))
    return protocol


def bodies(wire: Wire) -> list[bytes]:
    """Of the answers that were sent so far."""
    return [answer.rpartition(b"\r\n\r\n")[2] for answer in wire.sent]


def asking(path: str, method: str = "GET", more: str = "") -> bytes:
    """A request."""
    return f"{method} {path} HTTP/1.1\r\nHost: a\r\n{more}\r\n".encode()


async def turned() -> None:
    """Let the loop turn often enough for all that is to happen."""
    for _ in range(50):
        await asyncio.sleep(0)


LIVE = "/v2/health/live"


@pytest.mark.parametrize(
    ("sent", "at_once", "later"),
    [
        pytest.param(asking(LIVE), [LIVE], [LIVE], id="live"),
        pytest.param(asking("/v2/health/ready"), ["/v2/health/ready"], ["/v2/health/ready"], id="ready"),
        pytest.param(asking(LIVE, "HEAD"), [""], [""], id="without a body"),
        pytest.param(asking("/other"), [], ["/other"], id="something else"),
        pytest.param(asking(LIVE, "POST"), [], [LIVE], id="what is no question"),
        pytest.param(asking(LIVE) * 3, [LIVE], [LIVE] * 3, id="several ahead of their answers"),
        pytest.param(asking("/other") + asking(LIVE), [], ["/other", LIVE], id="behind something else"),
        pytest.param(asking(LIVE) + asking("/other"), [LIVE], [LIVE, "/other"], id="before something else"),
    ],
)
def test_health_is_answered_before_the_loop_turns(sent: bytes, at_once: list[str], later: list[str]) -> None:
    """Until it turns again others may keep the interpreter for long; each answer comes once, in its place."""
    wire = Wire()
    seen: list[list[bytes]] = []

    async def talk() -> None:
        protocol = protocol_on(wire)
        protocol.data_received(sent)
        seen.append(bodies(wire))
        await turned()
        protocol.connection_lost(None)

    asyncio.run(talk())
    assert [body.decode() for body in seen[0]] == at_once
    assert [body.decode() for body in bodies(wire)] == later


def test_health_waits_for_whoever_does_not_take_what_was_sent() -> None:
    """Its answer does not add to what waits already."""
    wire = Wire()

    async def talk() -> None:
        protocol = protocol_on(wire)
        protocol.pause_writing()
        protocol.data_received(asking(LIVE))
        await turned()
        assert bodies(wire) == []
        protocol.resume_writing()
        await turned()
        protocol.connection_lost(None)

    asyncio.run(talk())
    assert bodies(wire) == [LIVE.encode()]


def test_a_connection_that_is_to_end_ends_behind_the_answer_about_health() -> None:
    """Where the caller says so, and where what follows cannot be read."""
    for sent in (asking(LIVE, more="Connection: close\r\n"), asking(LIVE) + b"nonsense\r\n\r\n"):
        wire = Wire()

        async def talk(sent: bytes, wire: Wire) -> None:
            protocol_on(wire).data_received(sent)
            await turned()

        asyncio.run(talk(sent, wire))
        assert (bodies(wire), wire.closed_after) == ([LIVE.encode()], 1)

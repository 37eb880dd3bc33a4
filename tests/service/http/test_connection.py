"""Promises of service.http.connection."""

import asyncio
from collections.abc import Callable, Sequence
from typing import cast

from service.http.connection import OneWrite


class Wire:
    """A transport that remembers what each call to the system would send."""

    def __init__(self) -> None:
        self.sent: list[bytes] = []
        self.closed_after: int | None = None

    def writelines(self, pieces: Sequence[bytes]) -> None:
        """Send."""
        self.sent.append(b"".join(pieces))

    def close(self) -> None:
        """Remember how much was sent before."""
        self.closed_after = len(self.sent)

    def get_write_buffer_size(self) -> int:
        """All is sent at once."""
        return 0

    def is_closing(self) -> bool:
        """Something that only a transport knows."""
        return self.closed_after is not None


def played(*actions: Callable[[OneWrite], object]) -> Wire:
    """What goes over the wire, where all this is done in one turn of the loop."""
    wire = Wire()

    async def turn() -> None:
        transport = OneWrite(cast("asyncio.Transport", wire), asyncio.get_running_loop())
        for action in actions:
            action(transport)
        await asyncio.sleep(0)

    asyncio.run(turn())
    return wire


def test_head_and_body_go_together() -> None:
    """In their order, with one call."""
    assert played(lambda t: t.write(b"head "), lambda t: t.write(b"body")).sent == [b"head body"]


def test_what_was_written_goes_before_the_end() -> None:
    """A connection that is closed behind its answer sends the answer."""
    wire = played(lambda t: t.write(b"last words"), lambda t: t.close())
    assert (wire.sent, wire.closed_after) == ([b"last words"], 1)


def test_a_large_answer_is_not_held_back() -> None:
    """Who waits until it has gone would wait for nothing."""
    large = bytes(100_000)
    seen: list[int] = []
    wire = played(lambda t: t.write(b"head"), lambda t: t.write(large), lambda t: seen.append(len(t.sent)))
    assert wire.sent == [b"head" + large]
    assert seen == [1]


def test_many_small_pieces_are_not_held_back_either() -> None:
    """Who sends them one after the other is told when there are too many."""
    wire = played(*[lambda t: t.write(bytes(10_000))] * 20)
    assert len(wire.sent) == 3
    assert sum(map(len, wire.sent)) == 200_000


def test_all_else_is_the_transports_own() -> None:
    """It is asked as if nothing stood before it."""
    seen: list[bool] = []
    played(lambda t: seen.append(t.is_closing()), lambda t: t.close(), lambda t: seen.append(t.is_closing()))
    assert seen == [False, True]

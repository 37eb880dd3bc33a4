"""Whether anybody still waits for what a thread computes, and how much memory that may take.

A thread cannot be stopped from outside, so what takes long asks its ticket between steps, or has it tell; what takes
much memory asks before.
"""

import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from typing import Final

from service.errors import AbandonedError, PostponedError

_CURRENT: Final[ContextVar["Ticket | None"]] = ContextVar("ticket", default=None)


class Ticket:
    """The right of a job to go on; `give_up` takes it away, from any thread.

    Args:
        room: How many bytes it may take for what it decodes.
    """

    __slots__ = ("_given_up", "_room", "_stop")

    def __init__(self, room: int = sys.maxsize) -> None:
        self._given_up = False
        self._room = room
        self._stop: Callable[[], object] | None = None

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more: the caller hung up, or the deadline passed."""
        return self._given_up

    def give_up(self) -> None:
        """Say that nobody waits any more."""
        self._given_up = True
        if self._stop is not None:
            self._stop()

    def have_stopped(self, stop: Callable[[], object]) -> None:
        """Have the step that begins now stopped where the ticket is given up; the step before it has ended.

        Args:
            stop: Called from any thread, even when the step has ended already.
        """
        self._stop = stop
        if self._given_up:  # just now: either sees what the other one did
            stop()

    def check(self) -> None:
        """Go on only where somebody waits.

        Raises:
            AbandonedError: Nobody does.
        """
        if self._given_up:
            raise AbandonedError("nobody waits for the result any more")

    def need(self, count: int) -> None:
        """Go on only where there is room; to be asked before the bytes are taken.

        Raises:
            PostponedError: There is none yet: who waits for the job starts it anew when there is.
        """
        if count > self._room:
            raise PostponedError(count)


def current() -> Ticket:
    """The ticket of the job that this thread works on; outside of jobs, one that nobody gives up."""
    return _CURRENT.get() or Ticket()


def enter(ticket: Ticket) -> None:
    """From here on, this thread works on the job of this ticket."""
    _CURRENT.set(ticket)


@contextmanager
def limited(seconds: float) -> Iterator[None]:
    """Work that is given up when it takes longer."""
    mine = Ticket()
    timer = threading.Timer(seconds, mine.give_up)
    timer.daemon = True
    before = _CURRENT.set(mine)
    timer.start()
    try:
        yield
    finally:
        timer.cancel()
        _CURRENT.reset(before)

"""Whether anybody still waits for what a thread computes.

A thread cannot be stopped from outside, so what takes long asks its ticket between steps.
"""

from contextvars import ContextVar
from typing import Final

from service.errors import AbandonedError

_CURRENT: Final[ContextVar["Ticket | None"]] = ContextVar("ticket", default=None)


class Ticket:
    """The right of a job to go on; `give_up` takes it away, from any thread."""

    __slots__ = ("_given_up",)

    def __init__(self) -> None:
        self._given_up = False

    @property
    def given_up(self) -> bool:
        """Whether nobody waits any more: the caller hung up, or the deadline passed."""
        return self._given_up

    def give_up(self) -> None:
        """Say that nobody waits any more."""
        self._given_up = True

    def check(self) -> None:
        """Go on only where somebody waits.

        Raises:
            AbandonedError: Nobody does.
        """
        if self._given_up:
            raise AbandonedError("nobody waits for the result any more")


def current() -> Ticket:
    """The ticket of the job that this thread works on; outside of jobs, one that nobody gives up."""
    return _CURRENT.get() or Ticket()


def enter(ticket: Ticket) -> None:
    """From here on, this thread works on the job of this ticket."""
    _CURRENT.set(ticket)

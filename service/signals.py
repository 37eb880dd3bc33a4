"""Signals that tell the service to end: the first one in order, a second one at once."""

import os
import signal
import time
from typing import Final

_SAME_SECONDS: Final = 0.1
_ENDED_BY_SIGNAL: Final = 128  # plus the signal: the status of a process, as shells tell it


class EndSignals:
    """Tells a second signal from the first: some senders, as the command `timeout`, send one twice."""

    def __init__(self) -> None:
        self._first: float | None = None

    def is_second(self) -> bool:
        """Take a signal; whether it is one more, sent by somebody who does not want to wait."""
        now = time.monotonic()
        if self._first is None:
            self._first = now
        return now - self._first > _SAME_SECONDS


def end_now(number: int) -> None:
    """End this process, as a signal does."""
    os._exit(_ENDED_BY_SIGNAL + signal.Signals(number))

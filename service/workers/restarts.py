"""When the next worker starts in the place of one that has ended."""

from typing import Final

SHORT_SECONDS: Final = 10.0  # a worker that lives no longer has failed to start
LONGEST_DELAY_SECONDS: Final = 30.0
_DELAYS_SECONDS: Final = (0.0, 0.0, 0.5, 1.0, 2.0, 4.0, 8.0, 16.0, LONGEST_DELAY_SECONDS)


def failures(before: int, *, status: int, lived_seconds: float) -> int:
    """How many have failed in a row, with one more that has ended.

    >>> failures(2, status=1, lived_seconds=9), failures(2, status=1, lived_seconds=11)
    (3, 0)
    >>> failures(2, status=0, lived_seconds=9)  # it was told to end
    0
    """
    return before + 1 if status and lived_seconds < SHORT_SECONDS else 0


def delay_seconds(failures: int) -> float:
    """How long the next one waits: not at all for the first failure, then longer and longer.

    >>> [delay_seconds(failures) for failures in (0, 1, 2, 3, 7, 8, 10_000)]
    [0.0, 0.0, 0.5, 1.0, 16.0, 30.0, 30.0]
    """
    return _DELAYS_SECONDS[min(failures, len(_DELAYS_SECONDS) - 1)]

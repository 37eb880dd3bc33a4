"""Who gets the next connection."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Final

from service.workers.messages import Counts

_MOST_UNTAKEN: Final = 64  # connections on the way to one worker; what is beyond that waits with the kernel
_STUCK_SECONDS: Final = 1.0


@dataclass
class Standing:
    """How a worker stands.

    Args:
        up: It takes connections.
        blocked: The last connection for it could not be sent, and nothing came from it since.
        ready: How many of its models are ready.
        handed: How many connections were handed to it, since its start.
        counts: How many of them it has taken, and how many are closed again.
        waiting_since: Since when it has taken nothing of what is on the way to it, in seconds.
    """

    up: bool = False
    blocked: bool = False
    ready: int = 0
    handed: int = 0
    counts: Counts = field(default_factory=lambda: Counts(taken=0, closed=0))
    waiting_since: float = 0.0

    @property
    def open(self) -> int:
        """How many connections it has, those on the way included."""
        return self.handed - self.counts.closed

    @property
    def able(self) -> bool:
        """Whether one more may be handed to it."""
        return self.up and not self.blocked and self._untaken < _MOST_UNTAKEN

    def rank(self, now: float) -> tuple[bool, int, int, int]:
        """The lowest gets the next connection: of those that serve the most models, the one that has the fewest.

        One that takes nothing for long, as it was stopped or is out of breath, comes behind all others.
        """
        return self.stuck(now), -self.ready, self.open, self.handed

    def stuck(self, now: float) -> bool:
        """Whether it has taken nothing for long."""
        return self._untaken > 0 and now - self.waiting_since > _STUCK_SECONDS

    def hand(self, now: float) -> None:
        """Count a connection that is handed to it."""
        if not self._untaken:
            self.waiting_since = now
        self.handed += 1

    def count(self, counts: Counts, now: float) -> None:
        """Take over what it tells."""
        if counts.taken > self.counts.taken:
            self.waiting_since = now
        self.counts = counts

    @property
    def _untaken(self) -> int:
        return self.handed - self.counts.taken


def surplus(standings: Sequence[Standing], now: float) -> list[int]:
    """How many connections each of several workers has beyond an equal share.

    They are shared by those that can take one more, and serve the most models.
    """
    able = [standing for standing in standings if standing.able and not standing.stuck(now)]
    most = max((standing.ready for standing in able), default=0)
    best = [standing for standing in able if standing.ready == most]
    fair = -(-sum(standing.open for standing in best) // max(len(best), 1))
    return [max(standing.open - fair, 0) if standing in best else 0 for standing in standings]

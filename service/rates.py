"""How fast each client may ask."""

import time
from collections import OrderedDict
from collections.abc import Callable
from typing import Final

MOST_CLIENTS: Final = 65_536  # about 16 MB


class TokenBuckets:
    """A bucket of tokens for each client.  A request takes one token; tokens come back at a rate until it is full.

    A bucket is kept as the one time at which it will be full again.  Of more clients than there is room for, the one
    that has not asked for the longest is forgotten, which fills its bucket.

    Args:
        rate: Tokens that come back in a second.
        burst: Tokens of a full bucket, at least 1.
        clock: Seconds.
        most: How many clients are remembered.
    """

    def __init__(
        self,
        rate: float,
        burst: int,
        *,
        clock: Callable[[], float] = time.monotonic,
        most: int = MOST_CLIENTS,
    ) -> None:
        self.rate = rate
        self.burst = burst
        self._clock = clock
        self._most = most
        self._full_at: OrderedDict[str, float] = OrderedDict()

    def take(self, client: str) -> float:
        """Take a token.  0 where there was one; else the seconds until there is."""
        now = self._clock()
        before = self._full_at.pop(client, now)
        full_at = max(before, now) + 1 / self.rate
        wait = full_at - now - self.burst / self.rate
        if wait > 1e-9:  # rounded
            self._full_at[client] = before  # who asks in vain has asked, too: it is not forgotten for that
            return wait
        self._full_at[client] = full_at
        if len(self._full_at) > self._most:
            self._full_at.popitem(last=False)
        return 0.0

    def __len__(self) -> int:
        return len(self._full_at)

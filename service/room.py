"""How many bytes requests hold together: bodies, answers that are sent, and pictures that are decoded."""

import asyncio
from collections import deque

from service.errors import NoRoomError


class Room:
    """Counts bytes, and says when there is no room for more.  Used on the event loop alone.

    Args:
        max_bytes: How many there is room for.  A request that is alone gets what it needs all the same: the limits of
            bodies and answers bound it.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self.held = 0

    def check(self, count: int, *, own: int = 0) -> None:
        """See whether there is room.

        Args:
            count: For so many bytes more.
            own: How many whoever asks holds already.

        Raises:
            NoRoomError: There is none.
        """
        if self.held + count > self._max_bytes and self.held > own:
            raise NoRoomError(
                f"{self.held:,} bytes of bodies and answers are held already, and there is no room for {count:,} more"
                f" beside them (setting max_held_bytes: {self._max_bytes:,})"
            )

    def take(self, count: int, *, own: int = 0) -> None:
        """Take room; as `check`."""
        self.check(count, own=own)
        self.held += count

    def give(self, count: int) -> None:
        """Give room back."""
        self.held -= count


class SharedRoom:
    """Bytes that are taken in turn: who finds too few waits, in order.  Used on the event loop alone.

    Args:
        max_bytes: How many there are.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self.max_bytes = max_bytes
        self._free = max_bytes
        self._waiting: deque[tuple[int, asyncio.Future[None]]] = deque()

    @property
    def waiting(self) -> int:
        """How many wait."""
        return sum(not turn.done() for _, turn in self._waiting)

    async def take(self, count: int) -> None:
        """Wait until there are so many, `max_bytes` at most, and take them."""
        turn = asyncio.get_running_loop().create_future()
        self._waiting.append((count, turn))
        self._call()
        try:
            await turn
        except asyncio.CancelledError:
            self.give(0 if turn.cancelled() else count)  # its turn may have come at the same moment
            raise

    def give(self, count: int) -> None:
        """Give bytes back; those who have room by that go on."""
        self._free += count
        self._call()

    def _call(self) -> None:
        while self._waiting and (self._waiting[0][1].done() or self._waiting[0][0] <= self._free):
            count, turn = self._waiting.popleft()
            if not turn.done():
                self._free -= count
                turn.set_result(None)

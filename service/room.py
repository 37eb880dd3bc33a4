"""How many bytes requests hold together: bodies that arrive and wait, answers that are sent."""

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

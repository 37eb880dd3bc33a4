"""A file in memory, for large answers: others run while it is written.

Bytes are copied, and handed back to the system, with the interpreter held, and most of the time is the system's, which
gives out memory 4 KiB at a time: 125 MB take a tenth of a second.  NumPy copies without the interpreter, into memory
that it asks for 2 MiB at a time.
"""

from typing import Final

import numpy as np

Content = bytes | memoryview
"""The bytes of an answer; a view where it is large."""

_LEAST: Final = 2**20


class Buffer:
    """What is written, one behind the other; what is written at another place stands instead of what was there.

    Args:
        size: How many bytes it will hold; it may hold more.
    """

    def __init__(self, size: int = _LEAST) -> None:
        self._bytes = np.empty(size, np.uint8)
        self._at = 0
        self._end = 0

    def write(self, data: Content) -> int:
        """Write."""
        end = self._at + len(data)
        if end > len(self._bytes):
            self._grow(end)
        if data:
            self._bytes[self._at : end] = np.frombuffer(data, np.uint8)
        self._at, self._end = end, max(self._end, end)
        return len(data)

    def tell(self) -> int:
        """Where is written next."""
        return self._at

    def seek(self, place: int) -> int:
        """Write there next; no further than the end."""
        self._at = min(place, self._end)
        return self._at

    def flush(self) -> None:
        """A file has it; there is nothing to do."""

    def content(self) -> memoryview:
        """All that was written, not copied."""
        return self._bytes[: self._end].data

    def _grow(self, least: int) -> None:
        old = self._bytes
        self._bytes = np.empty(max(least, 2 * len(old)), np.uint8)
        self._bytes[: self._end] = old[: self._end]

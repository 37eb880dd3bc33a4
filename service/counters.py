"""Counters in memory that processes share: each writes to a memory of its own, and whoever is asked sums over all.

What a process has counted outlives it, so that no counter ever goes down.
"""

import logging
import mmap
import os
from collections.abc import Iterator, Mapping, Sequence
from typing import Final

log = logging.getLogger(__name__)

Row = memoryview  # of unsigned 64-bit cells

CELL: Final = 8  # bytes
_KEY: Final = 96  # cells, for a key and zeros: one holds the names of two folders, which have up to 255 bytes each
_HEAD: Final = _KEY + 1  # the key, and 1 where the row is in use; written when the key is
_TABLE: Final = 2**25  # bytes that each table may have, of which only what is written to takes room
_TABLES: Final = 6


def shared_memory() -> int:
    """Make a memory for one process that others read; an open file, which lives while somebody has it open."""
    file = os.memfd_create("striate-counters")
    os.truncate(file, _TABLE * _TABLES)
    return file


class Memories:
    """The memories of all processes that serve together.

    Args:
        files: An open file from `shared_memory` for each; none where this process serves alone.
        own: Which of them is this process's own.  Nobody else may write to it; what it holds is counted on.
    """

    def __init__(self, files: Sequence[int] = (), *, own: int = 0) -> None:
        self._files = files or [-1]
        self.own = own

    def table(self, place: int) -> list[memoryview]:
        """One of the tables, in the memory of each process."""
        start = 0 if self._files == [-1] else place * _TABLE
        return [memoryview(mmap.mmap(file, _TABLE, offset=start)).cast("Q") for file in self._files]


class Table:
    """Rows of counters by key.  One thread may write at a time; any may read.

    Args:
        memories: Where it lies.
        place: Which of the tables there, from 0 to 5; no two may have the same.
        rows: How many keys it holds.
        cells: How many counters a row has.
    """

    def __init__(self, memories: Memories, place: int, *, rows: int, cells: int) -> None:
        self._size = _HEAD + cells
        self._most = rows
        if CELL * self._size * rows > _TABLE:
            raise ValueError(f"{rows} rows of {cells} cells are larger than {_TABLE} bytes")
        self._memories = memories.table(place)
        self._own = self._memories[memories.own]
        self._rows = {bytes(row[:_KEY]): row[_HEAD:] for row in self._used(self._own)}

    def row(self, key: str) -> Row:
        """This process's own row of a key, made where there is none; where it is full, one that nobody reads."""
        packed = _packed(key)
        row = self._rows.get(packed)
        if row is None:
            row = self._rows[packed] = self._next(packed)
        return row

    def clear(self) -> None:
        """Set this process's own counters to 0."""
        for row in self._used(self._own):
            row[_HEAD:] = memoryview(bytes(CELL * (self._size - _HEAD))).cast("Q")

    def of(self, key: str) -> list[Row]:
        """The rows of a key, of each process that has one."""
        packed = memoryview(_packed(key)).cast("Q")
        return [row[_HEAD:] for memory in self._memories for row in self._used(memory) if row[:_KEY] == packed]

    def by_process(self) -> Iterator[Mapping[str, Row]]:
        """The rows of each process by key."""
        for memory in self._memories:
            yield {_unpacked(row): row[_HEAD:] for row in self._used(memory)}

    def sums(self) -> Mapping[str, Sequence[int]]:
        """The rows of all processes together by key, in the order in which they were first asked for."""
        found: dict[str, list[int]] = {}
        for rows in self.by_process():
            for key, row in rows.items():
                cells = row.tolist()
                before = found.get(key)
                found[key] = cells if before is None else [a + b for a, b in zip(before, cells, strict=True)]
        return found

    def _next(self, packed: bytes) -> Row:
        used = len(self._rows)
        if used >= self._most:
            log.warning("%d rows have counters; %s gets none", used, os.fsdecode(packed.rstrip(b"\0")))
            return memoryview(bytearray(CELL * self._size)).cast("Q")[_HEAD:]
        row = self._own[self._size * used : self._size * (used + 1)]
        row[:_KEY] = memoryview(packed).cast("Q")
        row[_KEY] = 1
        return row[_HEAD:]

    def _used(self, memory: memoryview) -> Iterator[memoryview]:
        """The rows of a memory that are in use."""
        for start in range(0, self._size * self._most, self._size):
            if not memory[start + _KEY]:
                return
            yield memory[start : start + self._size]


def _packed(key: str) -> bytes:
    return os.fsencode(key)[: CELL * _KEY].ljust(CELL * _KEY, b"\0")


def _unpacked(row: memoryview) -> str:
    return os.fsdecode(bytes(row[:_KEY]).rstrip(b"\0"))

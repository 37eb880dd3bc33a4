"""Figures of each process that are read now and then, for whoever tells those of all: how much of what there is.

They lie in tables of `service.counters`.  A gauge counts while its process lives; a counter stays when it has ended.
"""

import os
from collections.abc import Iterator, Mapping
from typing import Final

from service.counters import Memories, Table

_PLACES: Final = (3, 4)  # among the tables
_ROWS: Final = 2048
_PROCESS: Final = "process"


class Figures:
    """Gauges and counters by name.  One thread may tell at a time; any may read.

    Args:
        memories: Where they lie; None where this process serves alone.
    """

    def __init__(self, memories: Memories | None = None) -> None:
        lying = memories or Memories()
        self._gauges = Table(lying, _PLACES[0], rows=_ROWS, cells=1)
        self._counters = Table(lying, _PLACES[1], rows=_ROWS, cells=1)
        self._before: Mapping[str, int] = {}
        self.tell({}, {})

    def tell(self, gauges: Mapping[str, int], counters: Mapping[str, int]) -> None:
        """Tell how things stand in this process.

        Args:
            gauges: How much there is now; those that are not named are 0.
            counters: How often something has happened since this process began.
        """
        self._gauges.clear()
        for name, value in {**gauges, _PROCESS: os.getpid()}.items():
            self._gauges.row(name)[0] = value
        for name, value in counters.items():
            self._counters.row(name)[0] += value - self._before.get(name, 0)
        self._before = dict(counters)

    def gauges(self) -> Mapping[str, int]:
        """The gauges of all processes that live, added up."""
        found: dict[str, int] = {}
        for _, rows in self._living():
            for name, row in rows.items():
                if name != _PROCESS:
                    found[name] = found.get(name, 0) + row[0]
        return found

    def counters(self) -> Mapping[str, int]:
        """The counters of all processes, also of those that have ended, added up."""
        return {name: cells[0] for name, cells in self._counters.sums().items()}

    def processes(self) -> Mapping[int, int]:
        """The ids of the processes that live, by their numbers, from 1."""
        return {number: rows[_PROCESS][0] for number, rows in self._living()}

    def _living(self) -> Iterator[tuple[int, Mapping[str, memoryview]]]:
        for number, rows in enumerate(self._gauges.by_process(), start=1):
            if _PROCESS in rows and _lives(rows[_PROCESS][0]):
                yield number, rows


def _lives(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    return True

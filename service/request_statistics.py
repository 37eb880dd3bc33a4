"""How requests went: for each kind of them, how many took how long, as a whole and in each stage; and what went wrong.

The counters lie in tables of `service.counters`.  One thread writes them, that of the event loop: they take no lock.
"""

from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from service.counters import Memories, Row, Table
from service.timing import Stage, Timings

STAGES: Final[Sequence[Stage]] = ("queue", "decode", "compute", "encode")

# The upper ends of buckets: from a small network on a small picture to the longest that a request may take.
SECONDS: Final = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0)
IMAGES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)

_NANOSECONDS: Final = 1_000_000_000

# The cells of a row: for each histogram its buckets, the last of which has no end, and then the sum.
_SECONDS_CELLS: Final = len(SECONDS) + 2
_FIRST_OF_STAGE: Final = {stage: _SECONDS_CELLS * (place + 1) for place, stage in enumerate(STAGES)}
_FIRST_OF_IMAGES: Final = _SECONDS_CELLS * (len(STAGES) + 1)
_CELLS: Final = _FIRST_OF_IMAGES + len(IMAGES) + 2
_ROWS: Final = 4096
_ERRORS: Final = 256
_PLACES: Final = (1, 2)  # among the tables


@dataclass(frozen=True)
class Histogram:
    """How many values were how large.

    Args:
        counts: How many lie in each bucket, and not in one before it; the last bucket has no end.
        total: The sum of all values.
    """

    counts: Sequence[int]
    total: float


@dataclass(frozen=True)
class Kind:
    """Requests that are counted together.

    Args:
        route: The template of the path; empty where no route is known.
        model: The name of the model; empty where none was found.
        version: Its version.
        status: Of the answer.
    """

    route: str
    model: str
    version: str
    status: str


@dataclass(frozen=True)
class Counted:
    """What is known of a kind of request.

    Args:
        seconds: From the first byte that was read to the end of the answer.
        stages: The seconds in each stage; only stages that some of them reached.
        images: How many images, or entries of a batch, each held that was run.
    """

    seconds: Histogram
    stages: Mapping[Stage, Histogram]
    images: Histogram


class RequestStatistics:
    """Histograms for each kind of request, and counters of errors.

    Args:
        memories: Where they lie; None where this process serves alone.
    """

    def __init__(self, memories: Memories | None = None) -> None:
        lying = memories or Memories()
        self._table = Table(lying, _PLACES[0], rows=_ROWS, cells=_CELLS)
        self._errors = Table(lying, _PLACES[1], rows=_ERRORS, cells=1)
        self._rows: dict[tuple[str, str, int, int], Row] = {}

    def answered(
        self, route: str, model: str, version: int, status: int, *, seconds: float, timings: Timings | None
    ) -> None:
        """Count a request that is answered, however.

        Args:
            route: The template of its path, of which there are few.
            model: The name of a model that exists, or nothing.
            version: Its version; 0 for none.
            status: Of the answer.
            seconds: How long it took.
            timings: Where the time went, where a model was to be run.
        """
        labels = (route, model, version, status)
        row = self._rows.get(labels)
        if row is None:
            row = self._rows[labels] = self._table.row(f"{route}\0{model}\0{version or ''}\0{status}")
        row[bisect_left(SECONDS, seconds)] += 1
        row[_SECONDS_CELLS - 1] += int(seconds * _NANOSECONDS)
        if timings is None:
            return
        for stage, spent in timings.stages():
            first = _FIRST_OF_STAGE[stage]
            row[first + bisect_left(SECONDS, spent)] += 1
            row[first + _SECONDS_CELLS - 1] += int(spent * _NANOSECONDS)
        if timings.items:
            row[_FIRST_OF_IMAGES + bisect_left(IMAGES, timings.items)] += 1
            row[_FIRST_OF_IMAGES + len(IMAGES) + 1] += timings.items

    def failed(self, reason: str) -> None:
        """Count an error by its reason, of which there are few."""
        self._errors.row(reason)[0] += 1

    def kinds(self) -> Iterator[tuple[Kind, Counted]]:
        """What all processes have counted, for each kind of request."""
        for key, cells in self._table.sums().items():
            stages = {stage: _histogram(cells[first:], SECONDS) for stage, first in _FIRST_OF_STAGE.items()}
            yield (
                Kind(*key.split("\0")),
                Counted(
                    _histogram(cells, SECONDS),
                    {stage: found for stage, found in stages.items() if any(found.counts)},
                    _histogram(cells[_FIRST_OF_IMAGES:], IMAGES, unit=1),
                ),
            )

    def errors(self) -> Mapping[str, int]:
        """How many errors all processes have counted, by reason."""
        return {reason: cells[0] for reason, cells in self._errors.sums().items()}


def _histogram(cells: Sequence[int], ends: Sequence[float], *, unit: int = _NANOSECONDS) -> Histogram:
    return Histogram(cells[: len(ends) + 1], cells[len(ends) + 1] / unit)

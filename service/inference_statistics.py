"""How often each model was asked, and where the time went: counters that only grow.

They lie in a table of `service.counters`, so that whichever process is asked tells the sums of all.
"""

import threading
import time
from bisect import bisect_left
from collections.abc import Iterator, Mapping, Sequence
from typing import Final, Literal

from service.counters import Memories, Row, Table
from service.timing import Stage, Timings

Duration = Literal["success", "fail", "queue", "compute_input", "compute_infer", "compute_output"]

STAGES: Final[Mapping[Duration, Stage]] = {
    "queue": "queue",
    "compute_input": "decode",
    "compute_infer": "compute",
    "compute_output": "encode",
}

RUN_SIZES: Final = (1, 2, 4, 8, 16, 32, 64, 128, 256)  # the upper ends of buckets

_TOTALS: Final[Sequence[Duration]] = ("success", "fail", *STAGES)
_BATCH_TOTALS: Final[Sequence[Duration]] = tuple(name for name in STAGES if name != "queue")
_LARGEST_BATCH: Final = 256  # that is told apart: callers choose the sizes, and must not fill the memory with them
_NANOSECONDS: Final = 1_000_000_000
_MILLISECONDS: Final = 1000

# The cells of a row, one row for each version of a model.
_LAST: Final = 0  # when it was last asked, in milliseconds since 1970
_ITEMS: Final = _LAST + 1  # how many images, or entries of batches, it was run on
_EXECUTIONS: Final = _ITEMS + 1  # how many requests it was run for
_FIRST_TOTAL: Final = _EXECUTIONS + 1  # of each total: how often, and how long in all in nanoseconds
_FIRST_BATCH: Final = _FIRST_TOTAL + 2 * len(_TOTALS)  # the totals of batches of 1, of 2, …
_CELLS: Final = _FIRST_BATCH + 2 * len(_BATCH_TOTALS) * _LARGEST_BATCH
# Of each stage: its total, and that behind the beginning of a batch, which has none of the queue.
_STAGE_CELLS: Final = tuple(
    (stage, _FIRST_TOTAL + 2 * _TOTALS.index(name), 2 * _BATCH_TOTALS.index(name) if name in _BATCH_TOTALS else None)
    for name, stage in STAGES.items()
)
_ROWS: Final = 1024
_PLACE: Final = 0  # among the tables
_RUNS_PLACE: Final = 5


class InferenceStatistics:
    """Counters for each version of each model; any thread may write and read them.

    Args:
        memories: Where they lie; None where this process serves alone.
    """

    def __init__(self, memories: Memories | None = None) -> None:
        self._lock = threading.Lock()
        lying = memories or Memories()
        self._table = Table(lying, _PLACE, rows=_ROWS, cells=_CELLS)
        self._rows: dict[tuple[str, int], Row] = {}
        self._runs = Table(lying, _RUNS_PLACE, rows=1, cells=len(RUN_SIZES) + 2)

    def ran(self, entries: int) -> None:
        """Count a run of the device that requests may share, by the number of its entries."""
        with self._lock:
            row = self._runs.row("")
            row[bisect_left(RUN_SIZES, entries)] += 1
            row[len(RUN_SIZES) + 1] += entries

    def runs(self) -> tuple[Sequence[int], int]:
        """How many runs had how many entries, up to each of `RUN_SIZES` and beyond; and how many entries in all."""
        cells = self._runs.sums().get("", [0] * (len(RUN_SIZES) + 2))
        return cells[:-1], cells[-1]

    def succeeded(self, model: str, version: int, timings: Timings, *, seconds: float) -> None:
        """Count a request that got its answer.

        Args:
            model: The name of the model.
            version: Its version.
            timings: Where the time went, and how large the batch was.
            seconds: From the end of the request's body to its answer.
        """
        with self._lock:
            row = self._touched(model, version)
            row[_ITEMS] += timings.items
            row[_EXECUTIONS] += 1
            _add(row, _FIRST_TOTAL + 2 * _TOTALS.index("success"), seconds)
            batch = _batch(timings.items)
            for stage, total, batch_total in _STAGE_CELLS:
                spent = timings.seconds(stage)
                _add(row, total, spent)
                if batch_total is not None:
                    _add(row, batch + batch_total, spent)

    def failed(self, model: str, version: int, *, seconds: float) -> None:
        """Count a request that got an error, or whose caller hung up."""
        with self._lock:
            _add(self._touched(model, version), _FIRST_TOTAL + 2 * _TOTALS.index("fail"), seconds)

    def asked(self) -> Sequence[tuple[str, int]]:
        """The names and versions of all models that were asked since the service began."""
        keys = (key.rpartition("/") for key in self._table.sums())
        return [(model, int(version)) for model, _, version in keys]

    def of(self, model: str, version: int) -> Mapping[str, object]:
        """The counters of a version in the form of the protocol; all zero where it was never asked."""
        rows = self._table.of(_key(model, version))
        return {
            "name": model,
            "version": str(version),
            "last_inference": max((row[_LAST] for row in rows), default=0),
            "inference_count": sum(row[_ITEMS] for row in rows),
            "execution_count": sum(row[_EXECUTIONS] for row in rows),
            "inference_stats": _totals(rows, _FIRST_TOTAL, _TOTALS)
            | {name: {"count": 0, "ns": 0} for name in ("cache_hit", "cache_miss")},
            "response_stats": {},
            "batch_stats": list(_batches(rows)),
            "memory_usage": [],
        }

    def _touched(self, model: str, version: int) -> Row:
        row = self._rows.get((model, version))
        if row is None:
            row = self._rows[(model, version)] = self._table.row(_key(model, version))
        row[_LAST] = int(time.time() * _MILLISECONDS)
        return row


def _key(model: str, version: int) -> str:
    return f"{model}/{version}"


def _add(row: Row, total: int, seconds: float) -> None:
    row[total] += 1
    row[total + 1] += round(seconds * _NANOSECONDS)


def _batch(size: int) -> int:
    """Where the totals of a size of batch begin; those over 256 count as that."""
    return _FIRST_BATCH + 2 * len(_BATCH_TOTALS) * (min(max(size, 1), _LARGEST_BATCH) - 1)


def _batches(rows: Sequence[Row]) -> Iterator[Mapping[str, object]]:
    for size in range(1, _LARGEST_BATCH + 1):
        start = _batch(size)
        if any(row[start] for row in rows):
            yield {"batch_size": size} | _totals(rows, start, _BATCH_TOTALS)


def _totals(rows: Sequence[Row], start: int, names: Sequence[Duration]) -> dict[str, object]:
    return {
        name: {
            "count": sum(row[start + 2 * place] for row in rows),
            "ns": sum(row[start + 2 * place + 1] for row in rows),
        }
        for place, name in enumerate(names)
    }

"""How often each model was asked, and where the time went: counters that only grow."""

import threading
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Final, Literal

from service.timing import Stage, Timings

Duration = Literal["success", "fail", "queue", "compute_input", "compute_infer", "compute_output"]

STAGES: Final[Mapping[Duration, Stage]] = {
    "queue": "queue",
    "compute_input": "decode",
    "compute_infer": "compute",
    "compute_output": "encode",
}

_LARGEST_BATCH: Final = 256  # that is told apart: callers choose the sizes, and must not fill the memory with them
_NANOSECONDS: Final = 1_000_000_000
_MILLISECONDS: Final = 1000


@dataclass
class Total:
    """How often something happened, and how long it took in all, in nanoseconds."""

    count: int = 0
    ns: int = 0

    def add(self, seconds: float) -> None:
        """Count one more."""
        self.count += 1
        self.ns += round(seconds * _NANOSECONDS)


@dataclass
class ModelCounters:
    """The counters of one version of a model.

    Args:
        last: When it was last asked, in milliseconds since 1970; 0 for never.
        items: How many images, or entries of batches, it was run on.
        executions: How many requests it was run for.
        totals: The durations of requests, and of their stages.
        batches: For each size of batch the durations of its stages; those over 256 count as that.
    """

    last: int = 0
    items: int = 0
    executions: int = 0
    totals: dict[Duration, Total] = field(default_factory=dict)
    batches: dict[int, dict[Duration, Total]] = field(default_factory=dict)


class InferenceStatistics:
    """Counters for each version of each model; any thread may write and read them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._counters: dict[tuple[str, int], ModelCounters] = {}

    def succeeded(self, model: str, version: int, timings: Timings, *, seconds: float) -> None:
        """Count a request that got its answer.

        Args:
            model: The name of the model.
            version: Its version.
            timings: Where the time went, and how large the batch was.
            seconds: From the end of the request's body to its answer.
        """
        with self._lock:
            counters = self._touched(model, version)
            counters.items += timings.items
            counters.executions += 1
            counters.totals.setdefault("success", Total()).add(seconds)
            batch = counters.batches.setdefault(min(timings.items, _LARGEST_BATCH), {})
            for name, stage in STAGES.items():
                for totals in (counters.totals, batch):
                    totals.setdefault(name, Total()).add(timings.seconds(stage))

    def failed(self, model: str, version: int, *, seconds: float) -> None:
        """Count a request that got an error, or whose caller hung up."""
        with self._lock:
            self._touched(model, version).totals.setdefault("fail", Total()).add(seconds)

    def of(self, model: str, version: int) -> Mapping[str, object]:
        """The counters of a version in the form of the protocol; all zero where it was never asked."""
        with self._lock:
            counters = self._counters.get((model, version), ModelCounters())
            return {
                "name": model,
                "version": str(version),
                "last_inference": counters.last,
                "inference_count": counters.items,
                "execution_count": counters.executions,
                "inference_stats": {name: _object(counters.totals.get(name)) for name in ("success", "fail", *STAGES)}
                | {name: _object(None) for name in ("cache_hit", "cache_miss")},
                "response_stats": {},
                "batch_stats": [
                    {"batch_size": size} | {name: _object(total) for name, total in totals.items() if name != "queue"}
                    for size, totals in sorted(counters.batches.items())
                ],
                "memory_usage": [],
            }

    def _touched(self, model: str, version: int) -> ModelCounters:
        counters = self._counters.setdefault((model, version), ModelCounters())
        counters.last = int(time.time() * _MILLISECONDS)
        return counters


def _object(total: Total | None) -> dict[str, int]:
    return {"count": total.count, "ns": total.ns} if total else {"count": 0, "ns": 0}

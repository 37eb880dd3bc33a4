"""Where the time of a request goes."""

import time
from collections.abc import Iterable
from typing import Literal

Stage = Literal["decode", "queue", "compute", "encode"]


class Timings:
    """The seconds that one request spent in each stage.

    `items` is how many images, or entries of a batch, it held.  `spans` has each stay in a stage: when it began and
    ended, as `time.perf_counter` has it.
    """

    def __init__(self) -> None:
        self.items = 0
        self.spans: list[tuple[Stage, float, float]] = []
        self._seconds: dict[Stage, float] = {}

    def measure(self, stage: Stage) -> "_Stay":
        """Add the time that passes inside a `with` to a stage."""
        return _Stay(self, stage)

    def add(self, stage: Stage, seconds: float, *, end: float | None = None) -> None:
        """Add seconds to a stage: those that have just passed, or those until an `end` by `time.perf_counter`."""
        if end is None:
            end = time.perf_counter()
        self.spans.append((stage, end - seconds, end))
        self._seconds[stage] = self._seconds.get(stage, 0.0) + seconds

    def seconds(self, stage: Stage) -> float:
        """The seconds spent in a stage so far."""
        return self._seconds.get(stage, 0.0)

    @property
    def begun(self) -> bool:
        """Whether the work has begun: it does not wait any more."""
        return bool(self._seconds)

    def stages(self) -> Iterable[tuple[Stage, float]]:
        """The stages so far, and the seconds spent in each."""
        return self._seconds.items()

    def server_timing(self) -> str:
        """The value of a `Server-Timing` header: each stage in milliseconds.

        >>> timings = Timings()
        >>> timings.add("decode", 0.0015)
        >>> timings.server_timing()
        'decode;dur=1.50'
        """
        return ", ".join(f"{stage};dur={seconds * 1000:.2f}" for stage, seconds in self._seconds.items())


class _Stay:
    """A stay in a stage.  A generator in its place would take four times as long, three times a request."""

    __slots__ = ("_stage", "_start", "_timings")

    def __init__(self, timings: Timings, stage: Stage) -> None:
        self._timings = timings
        self._stage = stage

    def __enter__(self) -> None:
        self._start = time.perf_counter()

    def __exit__(self, *_: object) -> None:
        self._timings.add(self._stage, time.perf_counter() - self._start)

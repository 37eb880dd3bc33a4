"""Where the time of a request goes."""

import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
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

    @contextmanager
    def measure(self, stage: Stage) -> Iterator[None]:
        """Add the time that passes inside to a stage."""
        start = time.perf_counter()
        try:
            yield
        finally:
            self.add(stage, time.perf_counter() - start)

    def add(self, stage: Stage, seconds: float) -> None:
        """Add the seconds that have just passed to a stage."""
        now = time.perf_counter()
        self.spans.append((stage, now - seconds, now))
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

"""Small networks run on the event loop: what one turn of the loop brings for a model goes together in one run.

To hand such a run to a thread and back would take longer than the run.  One run for several requests takes less than
one for each, and so does all else about them: what a processor does several times in a row it does from its caches.
"""

import asyncio
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Final, Protocol

import numpy as np
from numpy.typing import NDArray

from service.timing import Timings

MOST: Final = 32
"""The most requests of one run: more would gain nothing, and the first would wait for the last."""


class Classifier(Protocol):
    """What runs, as a `service.model.Model` does; one is told from another by its identity."""

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify images."""


@dataclass(frozen=True, eq=False)
class _Entry:
    """What one request wants to know."""

    pixels: NDArray[np.uint8]
    timings: Timings
    joined: float  # by time.perf_counter
    result: asyncio.Future[NDArray[np.float32]]


class Turns:
    """Shares runs.  Used on the event loop alone, for models that are `brief`.

    Args:
        ran: Told how many images each run had.
    """

    def __init__(self, ran: Callable[[int], None] = lambda _: None) -> None:
        self._ran = ran
        self._waiting: dict[Classifier, list[_Entry]] = {}

    async def probabilities(
        self, model: Classifier, pixels: NDArray[np.uint8], timings: Timings
    ) -> NDArray[np.float32]:
        """Classify images, as `Model.probabilities` does.

        Args:
            model: A classifier.
            pixels: As `service.image.decode` makes them for it.
            timings: Gets the time until the run began, and that of the run.

        Shape:
            pixels: (N, height, width, C) uint8, 0 to 255.  Returns (N, classes).

        Raises:
            ModelTaskError: The model is no classifier of images.
            ExecutionError: The runtime failed.
        """
        loop = asyncio.get_running_loop()
        entry = _Entry(pixels, timings, time.perf_counter(), loop.create_future())
        waiting = self._waiting.get(model)
        if waiting is None:
            self._waiting[model] = [entry]
            loop.call_soon(self._run, model)
        else:
            waiting.append(entry)
        return await entry.result

    def _run(self, model: Classifier) -> None:
        entries = [entry for entry in self._waiting.pop(model) if not entry.result.done()]
        for start in range(0, len(entries), MOST):
            self._run_together(model, entries[start : start + MOST])

    def _run_together(self, model: Classifier, entries: Sequence[_Entry]) -> None:
        """Run once for several requests; where that fails, for each alone, so that none takes another with it."""
        images = sum(len(entry.pixels) for entry in entries)
        began = time.perf_counter()
        try:
            found = model.probabilities(_joined([entry.pixels for entry in entries]))  # (images, classes)
            alike = len(found) == images
        except Exception as error:  # noqa: BLE001  (whoever waits gets it)
            alike = False
            if len(entries) == 1:
                entries[0].result.set_exception(error)
                return
        if not alike and len(entries) > 1:
            for entry in entries:
                self._run_together(model, [entry])
            return
        self._ran(images)
        _hand_out(entries, found, began=began, ended=time.perf_counter())


def _hand_out(entries: Sequence[_Entry], found: NDArray[np.float32], *, began: float, ended: float) -> None:
    end = 0
    for entry in entries:
        start, end = end, end + len(entry.pixels)
        entry.timings.add("queue", began - entry.joined, end=began)
        entry.timings.add("compute", ended - began, end=ended)
        entry.result.set_result(found[start:end])


def _joined(pixels: Sequence[NDArray[np.uint8]]) -> NDArray[np.uint8]:
    return pixels[0] if len(pixels) == 1 else np.concatenate(pixels)

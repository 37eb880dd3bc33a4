"""Requests are worked on in threads, never on the event loop: a bounded number at once, a bounded number waiting."""

import asyncio
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import TypeVar

from service.errors import DeadlineError, QueueFullError
from service.timing import Timings

T = TypeVar("T")


class Scheduler:
    """Runs jobs side by side, one thread each, in the order in which they came.

    Args:
        workers: How many jobs run at once.
        max_queue: How many more may wait.
        deadline_seconds: How long a job may take, waiting included.
    """

    def __init__(self, *, workers: int, max_queue: int, deadline_seconds: float) -> None:
        self._capacity = workers + max_queue
        self._max_queue = max_queue
        self._deadline_seconds = deadline_seconds
        self._executor = ThreadPoolExecutor(workers, thread_name_prefix="striate")
        self._lock = threading.Lock()
        self._admitted = 0

    async def run(self, job: Callable[[], T], timings: Timings) -> T:
        """Run a job in a thread and wait for its result.

        A caller that is cancelled while its job waits takes the job out of the queue; one that runs already runs
        to its end, and its result is dropped.

        Args:
            job: The work.
            timings: Gets the time that the job waited.

        Raises:
            QueueFullError: As many jobs as allowed are waiting.
            DeadlineError: The deadline passed.
        """
        future = self._submit(job, timings)
        try:
            async with asyncio.timeout(self._deadline_seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise DeadlineError(f"no answer within {self._deadline_seconds:g} s (setting deadline_seconds)") from error

    @property
    def admitted(self) -> int:
        """How many jobs run or wait."""
        with self._lock:
            return self._admitted

    def close(self) -> None:
        """Drop the jobs that wait, and return when those that run have ended."""
        self._executor.shutdown(wait=True, cancel_futures=True)

    def _submit(self, job: Callable[[], T], timings: Timings) -> Future[T]:
        start = time.perf_counter()

        def timed() -> T:
            timings.add("queue", time.perf_counter() - start)
            return job()

        with self._lock:
            if self._admitted >= self._capacity:
                raise QueueFullError(f"{self._max_queue} requests are waiting already (setting max_queue)")
            self._admitted += 1
        future = self._executor.submit(timed)
        # Counted until the thread is free again: a caller that gives up does not free it.
        future.add_done_callback(self._leave)
        return future

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._admitted -= 1

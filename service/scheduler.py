"""Requests are worked on in threads, never on the event loop: a bounded number at once, a bounded number waiting."""

import asyncio
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any, Final, TypeVar

from service.errors import DeadlineError, QueueFullError
from service.timing import Timings

T = TypeVar("T")

USUAL_PRIORITY: Final = 10


class Scheduler:
    """Runs jobs side by side, one thread each: of those that wait, by priority, and then in the order they came.

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
        self._order = itertools.count()
        # For each a token is in the executor, which takes the first of them, whosever token it is.
        self._waiting: list[tuple[int, int, Future[Any], Callable[[], Any]]] = []

    async def run(
        self, job: Callable[[], T], timings: Timings, *, priority: int = 0, timeout_seconds: float | None = None
    ) -> T:
        """Run a job in a thread and wait for its result.

        A caller that is cancelled while its job waits takes the job out of the queue; one that runs already runs
        to its end, and its result is dropped.

        Args:
            job: The work.
            timings: Gets the time that the job waited.
            priority: 1 goes first; 0 stands for `USUAL_PRIORITY`.
            timeout_seconds: A deadline of the caller's own, where it is earlier.

        Raises:
            QueueFullError: As many jobs as allowed are waiting.
            DeadlineError: The deadline passed.
        """
        seconds, source = self._deadline_seconds, "setting deadline_seconds"
        if timeout_seconds is not None and timeout_seconds < seconds:
            seconds, source = timeout_seconds, "parameter timeout"
        future = self._submit(job, timings, priority or USUAL_PRIORITY)
        try:
            async with asyncio.timeout(seconds):
                return await asyncio.wrap_future(future)
        except TimeoutError as error:
            raise DeadlineError(f"no answer within {seconds:g} s ({source})") from error

    @property
    def admitted(self) -> int:
        """How many jobs run or wait."""
        with self._lock:
            return self._admitted

    def close(self) -> None:
        """Drop the jobs that wait, and return when those that run have ended."""
        self._executor.shutdown(wait=True, cancel_futures=True)
        with self._lock:
            left, self._waiting = self._waiting, []
        for _, _, future, _ in left:
            future.cancel()

    def _submit(self, job: Callable[[], T], timings: Timings, priority: int) -> Future[T]:
        start = time.perf_counter()

        def timed() -> T:
            timings.add("queue", time.perf_counter() - start)
            return job()

        with self._lock:
            if self._admitted >= self._capacity:
                raise QueueFullError(f"{self._max_queue} requests are waiting already (setting max_queue)")
            self._admitted += 1
            future: Future[T] = Future()
            # Counted until the thread is free again: a caller that gives up does not free it.
            future.add_done_callback(self._leave)
            heapq.heappush(self._waiting, (priority, next(self._order), future, timed))
        self._executor.submit(self._run_first)
        return future

    def _run_first(self) -> None:
        with self._lock:
            _, _, future, job = heapq.heappop(self._waiting)
        if not future.set_running_or_notify_cancel():
            return
        try:
            result = job()
        except BaseException as error:  # noqa: BLE001  (whoever waits gets it)
            future.set_exception(error)
        else:
            future.set_result(result)

    def _leave(self, _: Future[T]) -> None:
        with self._lock:
            self._admitted -= 1

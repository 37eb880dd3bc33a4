"""Requests are worked on in threads, never on the event loop: a bounded number at once, a bounded number waiting."""

import asyncio
import contextlib
import heapq
import itertools
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, Generic, Literal, TypeVar

from service import ticket
from service.errors import DeadlineError, QueueFullError
from service.ticket import Ticket
from service.timing import Timings

T = TypeVar("T")

USUAL_PRIORITY: Final = 10


class _Job(Generic[T]):
    """Work, and whoever waits for its result on an event loop."""

    __slots__ = ("loop", "result", "submitted", "ticket", "timings", "waiting", "work")

    def __init__(self, work: Callable[[], T], timings: Timings) -> None:
        self.work: Callable[[], T] | None = work  # None once nobody waits: what it holds may be large
        self.timings = timings
        self.ticket = Ticket()
        self.loop = asyncio.get_running_loop()
        self.result: asyncio.Future[T] = self.loop.create_future()
        self.submitted = time.perf_counter()
        self.waiting = True

    def expire(self, seconds: float, source: str) -> None:
        """The deadline has passed; runs on the loop."""
        if not self.result.done():
            self.result.set_exception(DeadlineError(f"no answer within {seconds:g} s ({source})"))

    def run(self, work: Callable[[], T]) -> Callable[[], None]:
        """Do the work; what is returned settles the result."""
        ticket.enter(self.ticket)
        self.timings.add("queue", time.perf_counter() - self.submitted)
        try:
            return partial(self.result.set_result, work())
        except BaseException as error:  # noqa: BLE001  (whoever waits gets it)
            try:
                return partial(self.result.set_exception, error)
            finally:
                # An error holds the calls that it came through: with the result in one of them they would hold each
                # other, and the body, the pictures and the model, until garbage is looked for.
                del self

    def tell(self, settle: Callable[[], object]) -> None:
        """Settle the result on its loop, unless nobody waits any more."""
        with contextlib.suppress(RuntimeError):  # the loop is closed: nobody is left
            self.loop.call_soon_threadsafe(lambda: None if self.result.done() else settle())


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
        self._lock = threading.Lock()
        self._admitted = 0
        self._order = itertools.count()
        self._waiting: list[tuple[int, int, _Job[Any]]] = []
        # One for each job that waits: whoever takes it runs the first of them, whosever it was.
        self._tokens: SimpleQueue[Literal["job", "stop"]] = SimpleQueue()
        self._threads = [threading.Thread(target=self._work, name=f"striate-{i}", daemon=True) for i in range(workers)]
        for thread in self._threads:
            thread.start()

    async def run(
        self, job: Callable[[], T], timings: Timings, *, priority: int = 0, timeout_seconds: float | None = None
    ) -> T:
        """Run a job in a thread and wait for its result.

        Where the caller is cancelled or the deadline passes, a job that waits never runs, and one that runs is told by
        its ticket (`service.ticket.current`) that it may stop.

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
        mine = _Job(job, timings)
        self._submit(mine, priority or USUAL_PRIORITY)
        timer = mine.loop.call_later(seconds, mine.expire, seconds, source)
        try:
            return await mine.result
        finally:
            timer.cancel()
            self._give_up(mine)
            del mine  # as above: an error holds this call

    def refuse_when_full(self) -> None:
        """Refuse a job before any work is done for it: where `run` would, if it were called now.

        Raises:
            QueueFullError: As many jobs as allowed are waiting.
        """
        if self._admitted >= self._capacity:
            raise QueueFullError(f"{self._max_queue} requests are waiting already (setting max_queue)")

    @property
    def admitted(self) -> int:
        """How many jobs run or wait."""
        return self._admitted

    @property
    def waiting(self) -> int:
        """How many jobs wait."""
        with self._lock:
            return sum(job.waiting for _, _, job in self._waiting)

    def close(self) -> None:
        """Drop the jobs that wait, and return when those that run have ended."""
        with self._lock:
            left, self._waiting = self._waiting, []
        for _, _, job in left:
            job.tell(job.result.cancel)
        for _ in self._threads:
            self._tokens.put("stop")
        for thread in self._threads:
            thread.join()

    def _submit(self, job: _Job[Any], priority: int) -> None:
        with self._lock:
            self.refuse_when_full()
            self._admitted += 1
            if len(self._waiting) > 2 * self._capacity:  # most of them are given up
                self._waiting = [entry for entry in self._waiting if entry[2].waiting]
                heapq.heapify(self._waiting)
            heapq.heappush(self._waiting, (priority, next(self._order), job))
        self._tokens.put("job")

    def _give_up(self, job: _Job[Any]) -> None:
        """Nobody waits for a job: its room is free at once where it did not run, else when its thread is."""
        job.ticket.give_up()
        with self._lock:
            if job.waiting:
                job.waiting, job.work = False, None
                self._admitted -= 1

    def _work(self) -> None:
        while self._tokens.get() == "job":
            with self._lock:
                if not self._waiting:  # those that were given up are gone already
                    continue
                _, _, job = heapq.heappop(self._waiting)
                work, job.work, job.waiting = job.work, None, False
            if work is None:
                continue
            settle = job.run(work)
            with self._lock:
                self._admitted -= 1
            job.tell(settle)
            del job, work, settle  # while this thread waits, it must not hold a body and its pictures

"""Requests are worked on in threads, never on the event loop: a bounded number at once, a bounded number waiting."""

import asyncio
import contextlib
import heapq
import itertools
import sys
import threading
import time
from collections.abc import Callable
from functools import partial
from queue import SimpleQueue
from typing import Any, Final, Generic, Literal, TypeVar

from service import memory, ticket
from service.errors import DeadlineError, PostponedError, QueueFullError
from service.room import SharedRoom
from service.ticket import Ticket
from service.timing import Timings

T = TypeVar("T")

USUAL_PRIORITY: Final = 10


class _Job(Generic[T]):
    """Work, and whoever waits for its result on an event loop."""

    __slots__ = ("loop", "release", "result", "submitted", "ticket", "timings", "waiting", "work")

    def __init__(self, work: Callable[[], T], timings: Timings, room: int, release: Callable[[], None] | None) -> None:
        self.work: Callable[[], T] | None = work  # None once nobody waits: what it holds may be large
        self.timings = timings
        self.ticket = Ticket(room)
        self.release = release  # gives back, on the loop, what it took of the shared room
        self.loop = asyncio.get_running_loop()
        self.result: asyncio.Future[T] = self.loop.create_future()
        self.submitted = time.perf_counter()
        self.waiting = True

    def expire(self, seconds: float, source: str) -> None:
        """The deadline has passed; runs on the loop."""
        if not self.result.done():
            self.result.set_exception(_late(seconds, source))

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
            if self.release is not None:
                self.loop.call_soon_threadsafe(self.release)


class Scheduler:
    """Runs jobs side by side, one thread each: of those that wait, by priority, and then in the order they came.

    Args:
        workers: How many jobs run at once.
        max_queue: How many more may wait.
        deadline_seconds: How long a job may take, waiting included.
        own_bytes: How many bytes each job may take for what it decodes, whatever others do.
        shared_bytes: How many there are for those that need more; who finds too few waits, without a thread.
    """

    def __init__(
        self,
        *,
        workers: int,
        max_queue: int,
        deadline_seconds: float,
        own_bytes: int = sys.maxsize,
        shared_bytes: int = 0,
    ) -> None:
        self._capacity = workers + max_queue
        self._max_queue = max_queue
        self._deadline_seconds = deadline_seconds
        self._own_bytes = own_bytes
        self._shared = SharedRoom(max_bytes=shared_bytes)
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
        its ticket (`service.ticket.current`) that it may stop.  One that tells its ticket that it needs more memory
        than it may take is run anew when it may.

        Args:
            job: The work; what it does before it needs memory may be done up to three times.
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
        place = (priority or USUAL_PRIORITY, next(self._order))
        ends = asyncio.get_running_loop().time() + seconds
        room, release = self._own_bytes, None
        self.refuse_when_full()
        while True:
            mine = _Job(job, timings, room, release)
            self._submit(mine, place)
            timer = mine.loop.call_at(ends, mine.expire, seconds, source)
            try:
                return await mine.result
            except PostponedError as error:
                # One that needs more than it said before gets all there is, so that it is not begun again and again.
                count = min(error.count - self._own_bytes if release is None else sys.maxsize, self._shared.max_bytes)
            finally:
                timer.cancel()
                self._give_up(mine)
                del mine  # as above: an error holds this call
            since = time.perf_counter()
            await self._wait_for(count, ends, seconds, source)
            timings.add("queue", time.perf_counter() - since)
            room = sys.maxsize if count == self._shared.max_bytes else self._own_bytes + count
            release = partial(self._shared.give, count)

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
            return sum(job.waiting for _, _, job in self._waiting) + self._shared.waiting

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

    async def _wait_for(self, count: int, ends: float, seconds: float, source: str) -> None:
        """Take some of the shared room; whoever waits for it is admitted still."""
        with self._lock:
            self._admitted += 1
        try:
            async with asyncio.timeout_at(ends):
                await self._shared.take(count)
        except TimeoutError:
            raise _late(seconds, source) from None
        finally:
            with self._lock:
                self._admitted -= 1

    def _submit(self, job: _Job[Any], place: tuple[int, int]) -> None:
        with self._lock:
            self._admitted += 1
            if len(self._waiting) > 2 * self._capacity:  # most of them are given up
                self._waiting = [entry for entry in self._waiting if entry[2].waiting]
                heapq.heapify(self._waiting)
            heapq.heappush(self._waiting, (*place, job))
        self._tokens.put("job")

    def _give_up(self, job: _Job[Any]) -> None:
        """Nobody waits for a job: its room is free at once where it did not run, else when its thread is."""
        job.ticket.give_up()
        with self._lock:
            waited = job.waiting
            if waited:
                job.waiting, job.work = False, None
                self._admitted -= 1
        if waited and job.release is not None:
            job.release()

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
            if job.release is not None:
                memory.give_back()  # of what a thread has freed the allocator keeps some 100 MiB for that thread alone
            with self._lock:
                self._admitted -= 1
            job.tell(settle)
            del job, work, settle  # while this thread waits, it must not hold a body and its pictures


def _late(seconds: float, source: str) -> DeadlineError:
    return DeadlineError(f"no answer within {seconds:g} s ({source})")

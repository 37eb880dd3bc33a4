"""Promises of service.scheduler."""

import asyncio
import contextlib
import gc
import threading
import time
import weakref
from collections.abc import AsyncIterator, Callable, Iterator
from functools import partial

import pytest

from service import ticket
from service.errors import DeadlineError, QueueFullError
from service.scheduler import Scheduler
from service.timing import Timings


@pytest.fixture
def gate() -> Iterator[threading.Event]:
    """Holds jobs back until it is set, and is set at the end in any case."""
    event = threading.Event()
    yield event
    event.set()


def scheduler(*, workers: int = 1, max_queue: int = 8, deadline_seconds: float = 30) -> Scheduler:
    """A scheduler with one thread."""
    return Scheduler(workers=workers, max_queue=max_queue, deadline_seconds=deadline_seconds)


def test_a_job_runs_in_a_thread_of_its_own() -> None:
    """Never on the event loop."""
    threads = asyncio.run(scheduler().run(threading.get_ident, Timings()))
    assert threads != threading.get_ident()


def test_the_error_of_a_job_reaches_its_caller() -> None:
    """And nobody else."""

    async def both() -> list[object]:
        shared = scheduler()
        jobs = (lambda: 1 // 0, lambda: 1)
        return await asyncio.gather(*(shared.run(job, Timings()) for job in jobs), return_exceptions=True)

    failed, good = asyncio.run(both())
    assert isinstance(failed, ZeroDivisionError)
    assert good == 1


def test_an_error_holds_nothing_once_it_is_handled() -> None:
    """Neither the work nor what it had in memory, and nobody has to look for garbage."""

    class Picture:
        """Something large."""

    def fail(picture: Picture) -> None:
        raise ZeroDivisionError(picture)

    async def one() -> weakref.ref[Picture]:
        picture = Picture()
        gone = weakref.ref(picture)
        work, picture = partial(fail, picture), Picture()
        with contextlib.suppress(ZeroDivisionError):
            await shared.run(work, Timings())
        del work
        await shared.run(lambda: None, Timings())  # the thread has let go of the job before it takes another one
        return gone

    shared = scheduler()
    gc.collect()
    gc.disable()
    try:
        assert asyncio.run(one())() is None
    finally:
        gc.enable()


def test_one_more_than_the_queue_holds_is_refused_at_once(gate: threading.Event) -> None:
    """With one worker and room for one, the third is refused, and the two get their answers."""

    async def three() -> list[object]:
        shared = scheduler(max_queue=1)
        first, second = (asyncio.create_task(shared.run(gate.wait, Timings())) for _ in range(2))
        await asyncio.sleep(0)  # lets both enter the queue
        with pytest.raises(QueueFullError, match="1 requests are waiting already"):
            await shared.run(gate.wait, Timings())
        gate.set()
        return [await first, await second]

    assert asyncio.run(three()) == [True, True]


def test_room_comes_back() -> None:
    """After jobs have ended, or failed, as many are accepted as before."""

    async def many() -> int:
        shared = scheduler(max_queue=0)
        for _ in range(10):
            with pytest.raises(ZeroDivisionError):
                await shared.run(lambda: 1 // 0, Timings())
        return shared.admitted

    assert asyncio.run(many()) == 0


def test_the_deadline_is_enforced_while_waiting(gate: threading.Event) -> None:
    """A job that waits too long is given up before its turn comes, and never runs."""
    ran = []

    async def two() -> list[object]:
        shared = scheduler(deadline_seconds=0.05)
        jobs = (gate.wait, lambda: ran.append(1))
        async with asyncio.timeout(60):
            outcomes = await asyncio.gather(*(shared.run(job, Timings()) for job in jobs), return_exceptions=True)
        gate.set()
        await asyncio.to_thread(shared.close)
        return list(outcomes)

    outcomes = asyncio.run(two())
    assert [str(error) for error in outcomes] == ["no answer within 0.05 s (setting deadline_seconds)"] * 2
    assert all(isinstance(error, DeadlineError) for error in outcomes)
    assert ran == []


def test_a_caller_that_hangs_up_is_dropped_before_it_is_computed(gate: threading.Event) -> None:
    """Three in the queue, the middle one cancelled: it never runs, and the third gets its answer."""
    ran = []

    async def three() -> tuple[bool, str]:
        shared = scheduler()
        first = asyncio.create_task(shared.run(gate.wait, Timings()))
        middle = asyncio.create_task(shared.run(lambda: ran.append("middle"), Timings()))
        last = asyncio.create_task(shared.run(lambda: "last", Timings()))
        await asyncio.sleep(0)  # lets all three enter the queue
        middle.cancel()
        with pytest.raises(asyncio.CancelledError):
            await middle
        gate.set()
        return await first, await last

    assert asyncio.run(three()) == (True, "last")
    assert ran == []


def test_a_caller_that_gives_up_does_not_free_the_thread(gate: threading.Event) -> None:
    """The thread still works: the next caller is refused until it has ended."""

    async def two() -> None:
        shared = scheduler(max_queue=0)
        started = threading.Event()

        def hold() -> None:
            started.set()
            gate.wait()

        first = asyncio.create_task(shared.run(hold, Timings()))
        await asyncio.to_thread(started.wait)
        first.cancel()
        with pytest.raises(asyncio.CancelledError):
            await first
        with pytest.raises(QueueFullError):
            await shared.run(gate.wait, Timings())

    asyncio.run(two())


def test_waiting_is_measured() -> None:
    """The time in the queue is a stage of its own."""
    timings = Timings()
    asyncio.run(scheduler().run(lambda: None, timings))
    assert timings.seconds("queue") > 0


def test_those_that_wait_go_by_priority(gate: threading.Event) -> None:
    """1 first; 0 is the usual one; of equal ones the first that came."""
    done: list[str] = []

    async def main() -> None:
        busy = scheduler()
        waiting = [("last", 11), ("usual", 0), ("usual too", 10), ("first", 1)]
        jobs = [busy.run(partial(done.append, name), Timings(), priority=rank) for name, rank in waiting]
        tasks = [asyncio.ensure_future(job) for job in (busy.run(gate.wait, Timings()), *jobs)]
        asyncio.get_running_loop().call_soon(gate.set)  # by then, the tasks have begun
        await asyncio.gather(*tasks)
        busy.close()

    asyncio.run(main())
    assert done == ["first", "usual", "usual too", "last"]


def test_a_caller_may_have_an_earlier_deadline(gate: threading.Event) -> None:
    """It is enforced while the job waits; a later one than the setting is not given."""

    async def main() -> tuple[object, object]:
        busy = scheduler(deadline_seconds=0.05)
        first = busy.run(gate.wait, Timings(), timeout_seconds=60)
        second = busy.run(gate.wait, Timings(), timeout_seconds=0.001)
        async with asyncio.timeout(60):
            return await asyncio.gather(first, second, return_exceptions=True)

    setting, parameter = asyncio.run(main())
    assert str(setting) == "no answer within 0.05 s (setting deadline_seconds)"
    assert str(parameter) == "no answer within 0.001 s (parameter timeout)"
    assert isinstance(parameter, DeadlineError)


@pytest.mark.parametrize("deadline", [0.05, 60], ids=["the deadline passes", "the caller hangs up"])
def test_a_job_that_nobody_waits_for_stops_at_its_next_step(deadline: float) -> None:
    """Its thread is free for the next one."""

    async def main() -> str:
        shared = scheduler(max_queue=1, deadline_seconds=deadline)
        began = threading.Event()

        def steps() -> None:
            began.set()
            while True:
                ticket.current().check()

        endless = asyncio.create_task(shared.run(steps, Timings()))
        await asyncio.sleep(0)  # lets it enter the queue
        began.wait(60)  # on the loop: its deadline passes when it has begun, and not before
        if deadline > 1:
            endless.cancel()
        with pytest.raises((DeadlineError, asyncio.CancelledError)):
            await asyncio.wait_for(endless, 60)
        return await shared.run(lambda: "next", Timings())

    assert asyncio.run(main()) == "next"


def test_who_hangs_up_again_and_again_leaves_nothing_behind(gate: threading.Event) -> None:
    """While the one thread is busy, ten thousand come and go: what they sent is dropped, and so are their places."""

    async def main() -> tuple[int, int]:
        busy = scheduler(max_queue=2)
        held = asyncio.create_task(busy.run(gate.wait, Timings()))
        await asyncio.sleep(0)
        for _ in range(10_000):
            comer = asyncio.create_task(busy.run(lambda: None, Timings()))
            await asyncio.sleep(0)
            comer.cancel()
            await asyncio.wait([comer])
        kept = len(busy._waiting)  # noqa: SLF001  (nothing else tells)
        gate.set()
        await held
        return kept, busy.admitted

    kept, admitted = asyncio.run(main())
    assert kept < 10
    assert admitted == 0


def test_priorities_outlast_those_who_hung_up(gate: threading.Event) -> None:
    """Whoever left the queue, the order of the others stays."""
    done: list[int] = []

    async def main() -> None:
        busy = scheduler(max_queue=3)
        held = asyncio.create_task(busy.run(gate.wait, Timings()))
        await asyncio.sleep(0)
        stay = []
        for rank, stays in [(1, False), (2, False), (3, False), (20, True), (21, False), (5, True)] + 3 * [(99, False)]:
            task = asyncio.create_task(busy.run(partial(done.append, rank), Timings(), priority=rank))
            await asyncio.sleep(0)
            if stays:
                stay.append(task)
            else:
                task.cancel()
                await asyncio.wait([task])
        stay.append(asyncio.create_task(busy.run(partial(done.append, 50), Timings(), priority=50)))
        await asyncio.sleep(0)
        gate.set()
        await asyncio.gather(held, *stay)

    asyncio.run(main())
    assert done == [5, 20, 50]


def test_a_result_and_its_deadline_may_come_together(gate: threading.Event) -> None:
    """In one turn of the loop, or the result long after the deadline: the first of them counts, and nothing fails."""
    faults: list[object] = []

    async def main() -> tuple[str, object]:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: faults.append(context))
        shared, ran = scheduler(), threading.Event()
        first = asyncio.create_task(shared.run(lambda: "first", Timings(), timeout_seconds=1e-6))
        behind = asyncio.create_task(shared.run(ran.set, Timings()))
        await asyncio.sleep(0)
        assert ran.wait(60), "the loop stands still until both have come"
        together = await first
        await behind
        with pytest.raises(DeadlineError):
            await shared.run(gate.wait, Timings(), timeout_seconds=1e-6)
        gate.set()
        await asyncio.to_thread(shared.close)
        return together, await asyncio.sleep(0, "late")

    assert asyncio.run(main()) == ("first", "late")
    assert faults == []


def test_the_end_drops_those_who_wait_and_waits_for_the_others(gate: threading.Event) -> None:
    """A job that runs ends first; nobody is left without an answer."""
    ended: list[str] = []

    async def main() -> None:
        shared, began = scheduler(), threading.Event()

        def work() -> None:
            began.set()
            gate.wait(60)
            ended.append("ran")

        running = asyncio.create_task(shared.run(work, Timings()))
        assert await asyncio.to_thread(began.wait, 60)
        waiting = asyncio.create_task(shared.run(lambda: ended.append("waited"), Timings()))
        await asyncio.sleep(0)
        closing = asyncio.create_task(asyncio.to_thread(shared.close))
        await asyncio.wait([waiting], timeout=60)
        assert waiting.cancelled()
        assert not (await asyncio.wait([closing], timeout=0.2))[0]
        gate.set()
        await closing
        assert ended == ["ran"]
        await running

    asyncio.run(main())


def test_its_threads_do_not_hold_up_the_end_of_the_process() -> None:
    """A run that hangs in a library would do so for ever."""
    before = set(threading.enumerate())
    shared = scheduler(workers=2)
    threads = set(threading.enumerate()) - before
    assert [thread.daemon for thread in threads] == [True, True]
    shared.close()


def test_a_thread_that_waits_holds_nothing() -> None:
    """The body and the pictures of the last request would lie there until the next one comes."""

    class Picture:
        """Something large."""

    async def main() -> bool:
        shared, picture, gone = scheduler(), Picture(), threading.Event()
        weakref.finalize(picture, gone.set)
        await shared.run(partial(id, picture), Timings())
        del picture
        return await asyncio.to_thread(gone.wait, 60)

    assert asyncio.run(main())


class Decoding:
    """Work that needs memory, and holds it until it is let go.

    Args:
        needs: Bytes, one after the other.
        ends: Whether it ends by itself.
    """

    def __init__(self, *needs: int, ends: bool = True) -> None:
        self.needs = needs
        self.begun = 0
        self.holds, self.end = threading.Event(), threading.Event()
        if ends:
            self.end.set()

    def __call__(self) -> int:
        """Do it, and say how often it was begun."""
        self.begun += 1
        for count in self.needs:
            ticket.current().need(count)
        self.holds.set()
        self.end.wait()
        return self.begun


def roomy(*, workers: int = 2) -> Scheduler:
    """A scheduler with 10 bytes for each job, and 90 that those share who need more."""
    return Scheduler(workers=workers, max_queue=8, deadline_seconds=30, own_bytes=10, shared_bytes=90)


@contextlib.asynccontextmanager
async def holder(shared: Scheduler) -> AsyncIterator[tuple[Decoding, "asyncio.Task[int]"]]:
    """Work that has all the room, and ends at the end in any case."""
    work = Decoding(100, ends=False)
    task = asyncio.create_task(shared.run(work, Timings()))
    try:
        await asyncio.to_thread(work.holds.wait)
        yield work, task
    finally:
        work.end.set()


async def until(condition: Callable[[], object]) -> None:
    """Wait for what threads do."""
    while not condition():  # noqa: ASYNC110  (they set no event)
        await asyncio.sleep(0)


async def waiter(shared: Scheduler, work: Decoding, timings: Timings) -> "asyncio.Task[int]":
    """A request that was begun, and waits for room."""
    task = asyncio.create_task(shared.run(work, timings))
    await until(lambda: work.begun and shared.waiting)
    return task


def test_work_that_finds_no_room_waits_without_a_thread() -> None:
    """Small work goes on beside it, it is done as soon as there is room, and the time is that of a queue."""

    async def scene() -> None:
        shared, timings = roomy(), Timings()
        async with holder(shared) as (first, holding):
            waiting = await waiter(shared, Decoding(11), timings)
            assert [await shared.run(Decoding(10), Timings()) for _ in range(3)] == [1, 1, 1]
            assert (waiting.done(), shared.admitted, shared.waiting) == (False, 2, 1)
            waited = time.perf_counter() - timings.spans[-1][2]
            first.end.set()
            assert await asyncio.gather(holding, waiting) == [2, 2]
        assert (shared.admitted, shared.waiting) == (0, 0)
        assert timings.seconds("queue") >= waited

    asyncio.run(scene())


def test_the_deadline_holds_for_those_who_wait_for_room() -> None:
    """And they leave their place in the row."""

    async def scene() -> None:
        shared = roomy()
        async with holder(shared):
            with pytest.raises(DeadlineError, match=r"no answer within 0.05 s \(parameter timeout\)"):
                await shared.run(Decoding(100), Timings(), timeout_seconds=0.05)
            assert (shared.admitted, shared.waiting) == (1, 0)

    asyncio.run(scene())


def test_room_is_free_when_its_thread_is_and_not_before() -> None:
    """What is decoded for a caller who has left takes memory to its end."""

    async def scene() -> None:
        shared = roomy()
        async with holder(shared) as (first, holding):
            waiting = await waiter(shared, Decoding(100), Timings())
            holding.cancel()
            assert [await shared.run(Decoding(10), Timings()) for _ in range(3)] == [1, 1, 1]
            assert not waiting.done()
            first.end.set()
            assert await waiting == 2

    asyncio.run(scene())


def test_who_leaves_with_its_room_before_it_has_a_thread_gives_it_back(gate: threading.Event) -> None:
    """It is not run again, and the next one is."""
    first, begun = threading.Event(), threading.Event()

    def hold_back() -> bool:
        begun.set()
        return gate.wait()

    async def scene() -> None:
        shared, work = roomy(workers=1), Decoding(100)
        leaving = asyncio.create_task(shared.run(lambda: first.wait() and work(), Timings()))
        busy = asyncio.create_task(shared.run(hold_back, Timings()))
        await until(lambda: shared.admitted == 2)
        first.set()
        await until(begun.is_set)
        await until(lambda: shared.waiting)
        leaving.cancel()
        await asyncio.wait([leaving])
        gate.set()
        assert await asyncio.gather(busy, shared.run(Decoding(100), Timings())) == [True, 2]
        assert work.begun == 1

    asyncio.run(scene())


def test_work_that_needs_ever_more_is_begun_three_times() -> None:
    """The second time it gets all there is, also where that is less than it says."""
    assert asyncio.run(roomy().run(Decoding(5, 20, 30, 40, 1000), Timings())) == 3

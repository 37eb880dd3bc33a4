"""Promises of service.turns."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from service.errors import ExecutionError
from service.timing import Timings
from service.turns import MOST, Turns


class Halves:
    """Gives half of each image's first value, refuses 255, and remembers how many images each run had."""

    def __init__(self) -> None:
        self.runs: list[int] = []

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of (N, 1, 1, 1) make (N, 1)."""
        self.runs.append(len(pixels))
        if (pixels == 255).any():
            raise ExecutionError("255")
        return (pixels.reshape(-1, 1) / 2).astype(np.float32)


class Sums(Halves):
    """Makes one answer of all images of a run, as a graph does whose first axis is not that of the batch."""

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Of (N, 1, 1, 1) make (1, 1)."""
        return np.array([[super().probabilities(pixels).sum()]], np.float32)


def image(*values: int) -> NDArray[np.uint8]:
    """Images of one pixel."""
    return np.array(values, np.uint8).reshape(-1, 1, 1, 1)


async def together(*asked: Awaitable[NDArray[np.float32]]) -> list[Any]:
    """What requests get that come in one turn of the loop: values, or errors."""
    found = await asyncio.gather(*asked, return_exceptions=True)
    return [one if isinstance(one, BaseException) else one.ravel().tolist() for one in found]


def run(test: Callable[[], Awaitable[None]]) -> None:
    """Run a test on an event loop of its own."""
    asyncio.run(test())  # type: ignore[arg-type]  # a coroutine function is one


def test_requests_of_one_turn_share_a_run() -> None:
    """And each gets its own."""
    ran: list[int] = []
    turns, model = Turns(ran.append), Halves()

    async def test() -> None:
        asked = (turns.probabilities(model, image(*values), Timings()) for values in ((2,), (4, 6), (8,)))
        assert await together(*asked) == [[1], [2, 3], [4]]
        assert await together(turns.probabilities(model, image(10), Timings())) == [[5]]

    run(test)
    assert (model.runs, ran) == ([4, 1], [4, 1])


def test_models_do_not_share_runs() -> None:
    """Two models are asked in one turn: each has a run of its own."""
    turns, first, second = Turns(), Halves(), Halves()

    async def test() -> None:
        asked = (turns.probabilities(model, image(2), Timings()) for model in (first, second, first))
        assert await together(*asked) == [[1], [1], [1]]

    run(test)
    assert (first.runs, second.runs) == ([2], [1])


def test_who_fails_takes_no_other_with_it() -> None:
    """What fails together is tried alone."""
    turns, model = Turns(), Halves()

    async def test() -> None:
        asked = (turns.probabilities(model, image(value), Timings()) for value in (2, 255, 4))
        good, bad, other = await together(*asked)
        assert (good, other) == ([1], [2])
        assert isinstance(bad, ExecutionError)

    run(test)


def test_a_graph_that_does_not_take_batches_runs_for_each_alone() -> None:
    """Its answer has another number of rows than there are images."""
    turns, model = Turns(), Sums()

    async def test() -> None:
        asked = (turns.probabilities(model, image(value), Timings()) for value in (2, 4))
        assert await together(*asked) == [[1], [2]]

    run(test)


def test_who_hangs_up_is_not_computed() -> None:
    """Before the turn ends; the others get their answers."""
    turns, model = Turns(), Halves()

    async def test() -> None:
        gone, stays = (asyncio.ensure_future(turns.probabilities(model, image(v), Timings())) for v in (2, 4))
        await asyncio.sleep(0)
        gone.cancel()
        assert (await stays).ravel().tolist() == [2]
        assert gone.cancelled()

    run(test)
    assert model.runs == [1]


def test_a_run_has_a_bounded_number_of_requests() -> None:
    """However many come in one turn."""
    turns, model = Turns(), Halves()

    async def test() -> None:
        await together(*(turns.probabilities(model, image(2), Timings()) for _ in range(MOST + 1)))

    run(test)
    assert model.runs == [MOST, 1]


def test_waiting_and_running_are_timed() -> None:
    """The first waits for the rest of its turn, and then for the run of all."""
    timings = [Timings(), Timings()]
    turns, model = Turns(), Halves()

    async def test() -> None:
        await together(*(turns.probabilities(model, image(2), mine) for mine in timings))

    run(test)
    first, second = timings
    assert first.seconds("queue") >= second.seconds("queue") > 0
    assert first.seconds("compute") == second.seconds("compute") > 0
    (_, began, ended), (_, ran, done) = first.spans
    assert began < ended == ran < done


@pytest.mark.parametrize("count", [1, 2])
def test_no_request_waits_for_others(count: int) -> None:
    """The run begins when the turn ends, whoever else is about to come."""
    turns, model = Turns(), Halves()

    async def test() -> None:
        asked = [asyncio.ensure_future(turns.probabilities(model, image(2), Timings())) for _ in range(count)]
        await asyncio.sleep(0)  # the requests join
        await asyncio.sleep(0)  # the run
        assert all(one.done() or model.runs == [count] for one in asked)
        await together(*asked)

    run(test)
    assert model.runs == [count]

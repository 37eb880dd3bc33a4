"""Promises of service.batching."""

import threading
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest

from service import ticket
from service.batching import Batcher, Tensors, filled, in_pieces
from service.errors import AbandonedError, ExecutionError
from service.runtime import Array
from service.ticket import Ticket


class Device:
    """Doubles `x` in `twice` and triples it in `thrice`, and remembers what it was given; the first run waits."""

    def __init__(self) -> None:
        self.runs: list[list[float]] = []
        self.began = threading.Event()
        self.gate = threading.Event()

    def run(self, feeds: Tensors, names: Sequence[str]) -> Tensors:
        """Refuse negative numbers."""
        self.runs.append([float(value) for value in feeds["x"].reshape(len(feeds["x"]), -1)[:, 0]])
        self.began.set()
        self.gate.wait(60)
        if (feeds["x"] < 0).any():
            raise ExecutionError("negative")
        return {name: feeds["x"] * {"twice": 2, "thrice": 3}[name] for name in names}


@pytest.fixture
def device() -> Iterator[Device]:
    """A device whose first run waits for its gate, which opens at the end in any case."""
    made = Device()
    yield made
    made.gate.set()


@pytest.fixture
def threads() -> Iterator[ThreadPoolExecutor]:
    """Callers."""
    with ThreadPoolExecutor(64) as executor:
        yield executor


def batch(*values: float) -> dict[str, Array]:
    """Entries of one value each."""
    return {"x": np.array(values, np.float32).reshape(-1, 1)}


def busy(batcher: Batcher, device: Device, threads: ThreadPoolExecutor) -> Future[Tensors]:
    """Occupy the device with a first run, of zero."""
    first = threads.submit(batcher.run, batch(0), ["twice"])
    assert device.began.wait(60)
    return first


def waiting(batcher: Batcher, threads: ThreadPoolExecutor, *calls: Callable[[], Any]) -> list[Future[Any]]:
    """Callers behind the one that occupies the device, in their order: each waits before the next one comes."""
    futures = []
    for i, call in enumerate(calls):
        futures.append(threads.submit(call))
        while len(batcher._waiting) <= i:  # noqa: SLF001  (nothing else tells that a thread waits)
            assert not futures[-1].done()
    return futures


def test_those_who_wait_share_the_next_run(device: Device, threads: ThreadPoolExecutor) -> None:
    """While the first runs three come: they go together, and each gets its own."""
    sizes: list[int] = []
    batcher = Batcher({4: device.run}, sizes.append)
    first = busy(batcher, device, threads)
    futures = waiting(batcher, threads, *(lambda i=i: batcher.run(batch(i), ["twice"]) for i in (1, 2, 3)))
    device.gate.set()
    assert [float(future.result()["twice"][0, 0]) for future in futures] == [2, 4, 6]
    assert float(first.result()["twice"][0, 0]) == 0
    assert device.runs == [[0, 0, 0, 0], [1, 2, 3, 0]]
    assert sizes == [1, 3]


def test_nobody_waits_for_a_batch_to_fill_up(device: Device) -> None:
    """A caller that is alone runs at once, in the smallest size that holds it."""
    device.gate.set()
    batcher = Batcher({1: device.run, 4: device.run})
    assert batcher.run(batch(5), ["twice"])["twice"].tolist() == [[10]]
    assert batcher.run(batch(5, 6), ["twice"])["twice"].tolist() == [[10], [12]]
    assert device.runs == [[5], [5, 6, 0, 0]]


def test_a_request_larger_than_a_batch_is_split_and_joined(device: Device) -> None:
    """In its order."""
    device.gate.set()
    found = Batcher({2: device.run}).run(batch(1, 2, 3, 4, 5), ["twice"])["twice"]
    assert found.tolist() == [[2], [4], [6], [8], [10]]
    assert device.runs == [[1, 2], [3, 4], [5, 0]]


def test_the_one_in_the_middle_that_hung_up_hurts_nobody(device: Device, threads: ThreadPoolExecutor) -> None:
    """It is not computed, and takes no place; those before and behind it get their answers."""
    batcher, gone = Batcher({2: device.run}), Ticket()

    def hang_up() -> Tensors:
        ticket.enter(gone)
        try:
            return batcher.run(batch(2), ["twice"])
        finally:
            ticket.enter(Ticket())

    busy(batcher, device, threads)
    one, middle, last = waiting(
        batcher,
        threads,
        lambda: batcher.run(batch(1), ["twice"]),
        hang_up,
        lambda: batcher.run(batch(3), ["twice"]),
    )
    gone.give_up()
    device.gate.set()
    assert one.result()["twice"].tolist() == [[2]]
    assert last.result()["twice"].tolist() == [[6]]
    with pytest.raises(AbandonedError):
        middle.result()
    assert device.runs == [[0, 0], [1, 3]]


def test_the_first_that_hung_up_hands_on_the_lead(device: Device, threads: ThreadPoolExecutor) -> None:
    """Who would have led the next batch is gone: the others are run all the same."""
    batcher, gone = Batcher({4: device.run}), Ticket()

    def hang_up() -> Tensors:
        ticket.enter(gone)
        return batcher.run(batch(1), ["twice"])

    busy(batcher, device, threads)
    first, second = waiting(batcher, threads, hang_up, lambda: batcher.run(batch(2), ["twice"]))
    gone.give_up()
    device.gate.set()
    assert second.result()["twice"].tolist() == [[4]]
    with pytest.raises(AbandonedError):
        first.result()


def test_an_error_fails_only_whose_it_is(device: Device, threads: ThreadPoolExecutor) -> None:
    """Of three in a batch the middle one cannot be computed: the others get their answers."""
    batcher = Batcher({4: device.run})
    busy(batcher, device, threads)
    calls = [lambda i=i: batcher.run(batch(i), ["twice"]) for i in (1, -2, 3)]
    one, bad, last = waiting(batcher, threads, *calls)
    device.gate.set()
    assert one.result()["twice"].tolist() == [[2]]
    assert last.result()["twice"].tolist() == [[6]]
    with pytest.raises(ExecutionError, match="negative"):
        bad.result()


def test_different_outputs_share_a_run(device: Device, threads: ThreadPoolExecutor) -> None:
    """Each caller gets those that it named, and no others."""
    batcher = Batcher({2: device.run})
    busy(batcher, device, threads)
    twice, both = waiting(
        batcher,
        threads,
        lambda: batcher.run(batch(1), ["twice"]),
        lambda: batcher.run(batch(2), ["thrice", "twice"]),
    )
    device.gate.set()
    assert {name: data.tolist() for name, data in twice.result().items()} == {"twice": [[2]]}
    assert {name: data.tolist() for name, data in both.result().items()} == {"thrice": [[6]], "twice": [[4]]}
    assert len(device.runs) == 2


def test_other_shapes_do_not_share_a_run(device: Device, threads: ThreadPoolExecutor) -> None:
    """Images of two sizes do not fit into one array; each kind keeps its order."""
    batcher = Batcher({4: device.run})
    busy(batcher, device, threads)
    wide = {"x": np.full((1, 2), 9, np.float32)}
    calls = [
        lambda: batcher.run(batch(1), ["twice"]),
        lambda: batcher.run(wide, ["twice"]),
        lambda: batcher.run(batch(2), ["twice"]),
    ]
    futures = waiting(batcher, threads, *calls)
    device.gate.set()
    assert [future.result()["twice"].tolist() for future in futures] == [[[2]], [[18, 18]], [[4]]]
    assert device.runs[1:] == [[1, 2, 0, 0], [9, 0, 0, 0]]


def test_a_batch_has_no_more_entries_than_allowed(device: Device, threads: ThreadPoolExecutor) -> None:
    """Sixty callers at once, each with a number of its own: every one gets its own answer."""
    device.gate.set()
    batcher = Batcher({1: device.run, 4: device.run, 8: device.run})
    futures = [threads.submit(batcher.run, batch(i, i + 0.5), ["twice"]) for i in range(60)]
    assert [future.result()["twice"].tolist() for future in futures] == [[[2 * i], [2 * i + 1]] for i in range(60)]
    assert {len(run) for run in device.runs} <= {1, 4, 8}


def test_a_batch_takes_what_there_is_room_for(device: Device, threads: ThreadPoolExecutor) -> None:
    """Whoever does not fit into it waits for the next one, and lets smaller ones go first."""
    batcher = Batcher({4: device.run})
    busy(batcher, device, threads)
    sent = ((1, 1, 1), (2, 2), (3,), (4,))
    futures = waiting(
        batcher, threads, *(lambda values=values: batcher.run(batch(*values), ["twice"]) for values in sent)
    )
    device.gate.set()
    assert [future.result()["twice"].ravel().tolist() for future in futures] == [[2, 2, 2], [4, 4], [6], [8]]
    assert device.runs[1:] == [[1, 1, 1, 3], [2, 2, 4, 0]]


def test_what_is_one_for_a_whole_batch_is_no_answer_to_two(device: Device, threads: ThreadPoolExecutor) -> None:
    """Two callers share a run that gives one sum: each is run alone."""

    def total(feeds: Tensors, names: Sequence[str]) -> Tensors:
        device.run(feeds, ["twice"])
        return {name: feeds["x"].sum(axis=0) for name in names}

    batcher = Batcher({1: total, 2: total})
    first = threads.submit(batcher.run, batch(0), ["sum"])
    assert device.began.wait(60)
    futures = waiting(batcher, threads, *(lambda i=i: batcher.run(batch(i), ["sum"]) for i in (1, 2)))
    device.gate.set()
    assert [future.result()["sum"].tolist() for future in (first, *futures)] == [[0], [1], [2]]
    assert device.runs == [[0], [1, 2], [1], [2]]


def test_no_entries_are_a_batch_too(device: Device) -> None:
    """Outputs have their shape, and nothing in them."""
    device.gate.set()
    assert Batcher({2: device.run}).run({"x": np.zeros((0, 1), np.float32)}, ["twice"])["twice"].shape == (0, 1)


def test_an_output_without_a_batch_axis_is_not_shared(threads: ThreadPoolExecutor) -> None:
    """The sum over a batch cannot be told apart: each caller gets the one over its own entries."""

    def total(feeds: Tensors, names: Sequence[str]) -> Tensors:
        return {name: feeds["x"].sum(axis=0) for name in names}

    batcher = Batcher({1: total, 4: total})
    futures = [threads.submit(batcher.run, batch(i, i, i), ["sum"]) for i in range(20)]
    assert [float(future.result()["sum"][0]) for future in futures] == [3 * i for i in range(20)]


def test_a_single_piece_is_not_copied() -> None:
    """An array that fits goes in and comes out as it is."""
    feeds = batch(1, 2)
    assert np.shares_memory(in_pieces(lambda feeds, _: feeds, feeds, ["x"], size=2)["x"], feeds["x"])
    assert filled(lambda feeds, _: feeds, feeds, ["x"], size=2)["x"] is feeds["x"]


def test_a_job_that_is_given_up_ends_between_two_pieces() -> None:
    """The others would be computed for nobody."""
    mine, runs = Ticket(), list[int]()

    def run(feeds: Tensors, _: Sequence[str]) -> Tensors:
        runs.append(len(feeds["x"]))
        mine.give_up()
        return feeds

    ticket.enter(mine)
    try:
        with pytest.raises(AbandonedError):
            in_pieces(run, batch(1, 2, 3), ["x"], size=2)
    finally:
        ticket.enter(Ticket())
    assert runs == [2]


def test_what_fills_up_a_batch_does_not_count() -> None:
    """A mean over the batch would be another one with zeros in it: it is computed without them."""
    found = filled(lambda feeds, _: {"mean": feeds["x"].mean(axis=0)}, batch(2, 4), ["mean"], size=4)
    assert found["mean"].tolist() == [3]

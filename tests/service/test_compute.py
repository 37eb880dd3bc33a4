"""Promises of service.compute."""

from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar

import numpy as np
import onnx
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from service import compute, graph, metadata, ticket
from service.compute import BatchAxis, Compute
from service.errors import AbandonedError, ModelFileError
from service.runtime import Array, Device, Session
from service.ticket import Ticket

CPU = Device("cpu", "cpu")
LARGE = 10**9
"""So many multiply-adds that more than one core pays."""
MODELS = Path(__file__).parents[2] / "models"


class Watched(Session):
    """Remembers which sessions ran, by their number of threads, and on how many entries."""

    runs: ClassVar[list[tuple[int, int]]] = []

    def __init__(self, model: ModelProto, *, threads: int, **others: Any) -> None:  # noqa: ANN401  (passed on)
        super().__init__(model, threads=threads, **others)
        self._threads = threads

    def run(self, feeds: Mapping[str, Array], names: Sequence[str] | None = None) -> dict[str, Array]:
        """Run, and remember it."""
        self.runs.append((self._threads, len(feeds["x"])))
        return super().run(feeds, names)


@pytest.fixture
def runs(monkeypatch: pytest.MonkeyPatch) -> Iterator[list[tuple[int, int]]]:
    """What ran: threads and entries."""
    monkeypatch.setattr(compute, "Session", Watched)
    Watched.runs.clear()
    yield Watched.runs
    Watched.runs.clear()


def doubling(batch: int | str = "batch") -> ModelProto:
    """Add x to itself, for any number of entries of three values each, or for a fixed one."""
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [batch, 3]) for name in "xy"]
    body = helper.make_graph([helper.make_node("Add", ["x", "x"], ["y"])], "doubling", value[:1], value[1:])
    return helper.make_model(body, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def entries(count: int) -> dict[str, NDArray[np.float32]]:
    """Entries that all differ."""
    return {"x": np.arange(count * 3, dtype=np.float32).reshape(count, 3)}


def test_one_request_gets_every_core_and_many_get_one_each(runs: list[tuple[int, int]]) -> None:
    """From run to run, as the queue says."""
    crowd = [False]
    cores = Compute(CPU, cores=2, crowded=lambda: crowd[0])
    network = cores.open(doubling(), BatchAxis(), multiply_adds=LARGE, lasting=True)
    for crowd[0] in (False, True, False):
        assert np.array_equal(network.run(entries(1))["y"], 2 * entries(1)["x"])
    assert runs == [(2, 1), (1, 1), (2, 1)]


def test_a_small_network_never_wakes_a_second_core(runs: list[tuple[int, int]]) -> None:
    """That would take longer than its run; what is not known counts as large."""
    cores = Compute(CPU, cores=2)
    cores.open(doubling(), BatchAxis(), multiply_adds=1000, lasting=True).run(entries(1))
    cores.open(doubling(), BatchAxis(), multiply_adds=None, lasting=True).run(entries(1))
    assert runs == [(1, 1), (2, 1)]
    assert (cores.is_brief(1000), cores.is_brief(LARGE), cores.is_brief(None)) == (True, False, False)


def test_what_is_asked_now_and_then_has_one_session() -> None:
    """A second one would cost memory, and the time to make it."""
    cores = Compute(CPU, cores=2)
    seldom = cores.open(doubling(), BatchAxis(), multiply_adds=LARGE)
    often = cores.open(doubling(), BatchAxis(), multiply_adds=LARGE, lasting=True)
    assert often.bytes == 2 * seldom.bytes


def test_a_graph_with_a_fixed_batch_takes_any_number(runs: list[tuple[int, int]]) -> None:
    """In pieces, of which the last is filled up."""
    network = Compute(CPU, cores=1).open(doubling(4), BatchAxis(4, fixed=True))
    assert np.array_equal(network.run(entries(6))["y"], 2 * entries(6)["x"])
    assert runs == [(1, 4), (1, 4)]


def test_a_limit_is_kept_and_nothing_is_filled_up(runs: list[tuple[int, int]]) -> None:
    """Seven entries, three at most at once."""
    network = Compute(CPU, cores=1).open(doubling(), BatchAxis(3))
    assert np.array_equal(network.run(entries(7))["y"], 2 * entries(7)["x"])
    assert runs == [(1, 3), (1, 3), (1, 1)]


@pytest.mark.parametrize("axis", [BatchAxis(), BatchAxis(3), BatchAxis(4, fixed=True)])
@pytest.mark.parametrize("count", [0, 1, 2, 5, 17])
def test_shared_runs_give_the_same(axis: BatchAxis, count: int) -> None:
    """The way of a GPU, with sessions of their own for each size and buffers that stay, on the CPU."""
    network = Compute(CPU, cores=1, max_batch=8).open(doubling(4 if axis.fixed else "batch"), axis)
    for _ in range(2):  # the second time into buffers that hold the first
        assert np.array_equal(network.run(entries(count))["y"], 2 * entries(count)["x"])


@pytest.mark.parametrize(
    ("axis", "run_bytes", "pieces"),
    [
        pytest.param(BatchAxis(), 2**25, [2, 2, 1], id="two at once"),
        pytest.param(BatchAxis(), 2**40, [1] * 5, id="one is more than all may have"),
        pytest.param(BatchAxis(), 2**20, [5], id="small ones"),
        pytest.param(BatchAxis(size=3), 2**20, [3, 2], id="fewer than there is memory for"),
        pytest.param(BatchAxis(size=3), 2**25, [2, 2, 1], id="more than there is memory for"),
        pytest.param(BatchAxis(shared=False), 2**25, [5], id="no batch"),
        pytest.param(BatchAxis(), None, [5], id="unknown"),
    ],
)
def test_a_run_takes_no_more_memory_than_it_may(
    runs: list[tuple[int, int]], axis: BatchAxis, run_bytes: int | None, pieces: list[int]
) -> None:
    """On a CPU: 64 MiB, or one entry; more entries run one after the other."""
    network = Compute(CPU, cores=1).open(doubling(), axis, run_bytes=run_bytes)
    assert np.array_equal(network.run(entries(5))["y"], 2 * entries(5)["x"])
    assert [count for _, count in runs] == pieces


def test_an_answer_does_not_depend_on_its_neighbours() -> None:
    """EfficientNet-Lite0, alone and among seven others: equal within 1e-5."""
    folder = MODELS / "efficientnet-lite0" / "1"
    facts = metadata.read(folder / metadata.FILE_NAME)
    whole = graph.with_pixels(graph.cut(onnx.load(folder / "model.onnx"), [facts.output.name]), facts.input)
    model = graph.with_probabilities(whole, facts.output.name)
    pixels = np.random.default_rng(0).integers(0, 256, (8, 224, 224, 3), np.uint8)
    together = Compute(CPU, cores=2, max_batch=8).open(model, BatchAxis()).run({graph.PIXELS: pixels})
    alone = Compute(CPU, cores=1).open(model, BatchAxis())
    for i, found in enumerate(together[graph.PROBABILITIES]):
        assert found == pytest.approx(alone.run({graph.PIXELS: pixels[i : i + 1]})[graph.PROBABILITIES][0], abs=1e-5)


def test_a_graph_that_does_not_say_where_its_batch_is_shares_no_run(runs: list[tuple[int, int]]) -> None:
    """Its entries go in as they come."""
    network = Compute(CPU, cores=1, max_batch=8).open(doubling(), BatchAxis(shared=False))
    network.run(entries(3))
    assert runs == [(1, 3)]


def test_what_nobody_waits_for_is_not_computed(runs: list[tuple[int, int]]) -> None:
    """The ticket of the job is asked before each run."""
    network = Compute(CPU, cores=1).open(doubling(), BatchAxis())
    gone = Ticket()
    gone.give_up()
    ticket.enter(gone)
    try:
        with pytest.raises(AbandonedError):
            network.run(entries(1))
    finally:
        ticket.enter(Ticket())
    assert runs == []


def test_a_graph_that_the_runtime_refuses_is_a_model_error() -> None:
    """With one session or several."""
    broken = doubling()
    broken.graph.node[0].op_type = "NoSuchOperator"
    for most in (1, 8):
        with pytest.raises(ModelFileError, match="NoSuchOperator"):
            Compute(CPU, cores=1, max_batch=most).open(broken, BatchAxis())

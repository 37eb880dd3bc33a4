"""Promises of service.runtime."""

import os
import threading
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import numpy as np
import pytest
from onnx import helper

from service import ticket
from service.errors import AbandonedError, DeviceError, DeviceLostError, ExecutionError, ModelFileError
from service.runtime import Device, Pulse, Session, first_that_runs, open_device
from service.ticket import Ticket
from tests import tiny_models

CPU = Device("cpu", "cpu")
NO_CUDA = open_device("auto").used == "cpu"


def session() -> Session:
    """The network `brightness` on the CPU."""
    return Session(tiny_models.brightness(), device=CPU, threads=2)


def test_a_network_runs() -> None:
    """A white picture has the logits (0, 1, 2), a black one (0, 0, 0)."""
    found = session().run({"images": np.stack([np.ones((1, 2, 2)), np.zeros((1, 2, 2))]).astype(np.float32)})
    assert found["logits"].tolist() == [[0, 1, 2], [0, 0, 0]]


def test_many_threads_may_run_one_session() -> None:
    """Each caller gets the answer to its own picture."""
    shared = session()

    def mean(value: int) -> float:
        picture = np.full((1, 1, 2, 2), value, np.float32)
        return float(shared.run({"images": picture})["logits"][0, 1])

    with ThreadPoolExecutor(8) as pool:
        assert list(pool.map(mean, range(200))) == [max(0, 2 * value - 1) for value in range(200)]


def test_a_graph_that_makes_no_sense_is_refused() -> None:
    """An operator that does not exist is an error of ours, that says which."""
    model = tiny_models.brightness()
    model.graph.node[0].op_type = "Convolve"
    with pytest.raises(ModelFileError, match="ONNX Runtime refuses the graph: .*Convolve"):
        Session(model, device=CPU, threads=1)


def test_a_failing_run_is_an_error_of_ours() -> None:
    """A picture of another shape is refused by the runtime, in our words."""
    with pytest.raises(ExecutionError, match="failed while computing: .*images"):
        session().run({"images": np.zeros((1, 1, 3, 3), np.float32)})


def test_a_failing_run_leaves_the_session_usable() -> None:
    """After an error the next caller gets an answer."""
    shared = session()
    with pytest.raises(ExecutionError):
        shared.run({"images": np.zeros((1, 2, 2, 2), np.float32)})
    assert shared.run({"images": np.ones((1, 1, 2, 2), np.float32)})["logits"].tolist() == [[0, 1, 2]]


def test_a_run_that_nobody_waits_for_is_stopped() -> None:
    """In the middle, where it would go on for weeks."""
    endless = Session(tiny_models.endless(), device=CPU, threads=1)
    gone, began = Ticket(), threading.Event()

    def work() -> None:
        ticket.enter(gone)
        began.set()
        with pytest.raises(AbandonedError):
            endless.run({"images": np.ones((1, 1, 2, 2), np.float32)})
        stopped.set()

    stopped = threading.Event()
    threading.Thread(target=work, daemon=True).start()
    assert began.wait(60)
    gone.give_up()
    assert stopped.wait(60)


class Heart:
    """A device's: it stops when it is told to."""

    def __init__(self) -> None:
        self.beats = 0
        self.stopped = False

    def beat(self) -> None:
        """Beat once."""
        self.beats += 1
        if self.stopped:
            raise RuntimeError("CUDA failure 700: an illegal memory access was encountered")


def test_a_device_that_computes_nothing_any_more_is_lost() -> None:
    """A failure is one of the run as long as the device computes something else; once lost, it stays so."""
    heart = Heart()
    device = Device("cpu", "cpu", pulse=Pulse(heart.beat))
    fragile = Session(tiny_models.fragile(), device=device, threads=1)
    white = {"images": np.ones((1, 1, 2, 2), np.float32)}
    with pytest.raises(ExecutionError) as of_the_run:
        fragile.run(white)
    assert not isinstance(of_the_run.value, DeviceLostError)
    assert (heart.beats, device.pulse.lost) == (1, False)
    heart.stopped = True
    with pytest.raises(DeviceLostError):
        fragile.run(white)
    heart.stopped = False
    assert device.pulse.lost
    with pytest.raises(DeviceLostError):
        fragile.bound().run(white, ["logits"])
    with pytest.raises(DeviceLostError):
        Session(helper.make_model(helper.make_graph([], "none", [], [])), device=device, threads=1)
    assert heart.beats == 2


def test_denormals_count_as_zero() -> None:
    """Numbers so small that they slow the processor down become zero."""
    model = tiny_models.model(
        [helper.make_node("Mul", ["images", "tiny"], ["logits"])],
        {"tiny": np.array([1e-30], np.float32)},
        input_shape=["batch", 4],
        output=("logits", ["batch", 4]),
    )
    found = Session(model, device=CPU, threads=1).run({"images": np.full((1, 4), 1e-10, np.float32)})
    assert found["logits"].tolist() == [[0, 0, 0, 0]]


def test_telemetry_is_off() -> None:
    """ONNX Runtime is told to send nothing, before it is loaded."""
    assert os.environ["ORT_DISABLE_TELEMETRY"] == "1"


def test_the_cpu_is_taken_where_it_is_asked_for() -> None:
    """No reason is given, for nothing was given up."""
    assert open_device("cpu") == Device("cpu", "cpu", None)


@pytest.mark.skipif(not NO_CUDA, reason="this machine has CUDA")
def test_without_cuda_auto_says_why() -> None:
    """Falling back is never silent."""
    device = open_device("auto")
    assert device.used == "cpu"
    assert device.reason


@pytest.mark.skipif(not NO_CUDA, reason="this machine has CUDA")
def test_without_cuda_cuda_is_refused() -> None:
    """A device that was demanded and does not come up is an error, not a slow answer."""
    with pytest.raises(DeviceError, match="device cuda: .*use device auto or cpu"):
        open_device("cuda")


def test_buffers_that_stay_hold_no_old_values() -> None:
    """One caller at a time runs a session again and again, with one image and with several."""
    bound = session().bound()
    for brightness in (0.0, 1.0, 0.5):
        for count in (1, 3):
            feeds = {"images": np.full((count, 1, 2, 2), brightness, np.float32)}
            assert np.array_equal(bound.run(feeds, ["logits"])["logits"], session().run(feeds)["logits"])


def test_where_one_search_fails_the_next_is_tried() -> None:
    """And where all fail, the error of the last is told."""
    made = object()

    def failing(name: str) -> Callable[[], Any]:
        def opening() -> Any:  # noqa: ANN401  (stands for a session)
            raise ExecutionError(name)

        return opening

    assert first_that_runs([failing("heuristic"), lambda: made, failing("default")]) is made
    with pytest.raises(ExecutionError, match="default"):
        first_that_runs([failing("heuristic"), failing("default")])

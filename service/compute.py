"""What a graph needs to run well on the device, and for one caller as for hundreds.

On a CPU, the cores are divided among requests: one that is alone gets all of them, and as soon as there are as many
requests as cores, each gets one, since threads of one run wait for each other and those of several runs do not.  That
takes two sessions, since ONNX Runtime fixes the number of threads in a session.

On a GPU, requests share runs.  Batches have few sizes, each with a session of its own, since a session that sees
another shape than before searches for its convolution algorithms again.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from typing import Final

import numpy as np
from onnx import ModelProto, helper

from service import graph, ticket
from service.batching import Batcher, Run, Tensors, filled, in_pieces
from service.initialisers import Initialisers
from service.runtime import Array, Device, Session

# Below this, waking a second thread takes longer than what it saves (2 cores: a run of LeNet-5, 0.4 million, takes
# 29 µs on one thread and 45 on two).
_SMALL: Final = 5_000_000
_STEP: Final = 4  # from one size of batches to the next
_RUN_BYTES: Final = 2**26  # of a run on a CPU, where it may have fewer entries


@dataclass(frozen=True)
class BatchAxis:
    """How many entries of a batch a graph takes at once.

    Args:
        size: The most; None for any number.
        fixed: Whether it is always exactly `size`.
        shared: Whether the first axis of every input and output is that of the batch, so that callers may share a run.
    """

    size: int | None = None
    fixed: bool = False
    shared: bool = True


class Network:
    """A graph that is ready to run; any number of threads may run it at the same time.

    Args:
        sessions: Those that it consists of; all of the same graph.
        run: Runs one of them.
    """

    def __init__(self, sessions: Sequence[Session], run: Run) -> None:
        self.inputs = sessions[0].inputs
        self.outputs = sessions[0].outputs
        self.bytes = sum(session.bytes for session in sessions)
        self._run = run

    def run(self, feeds: Tensors, names: Sequence[str] | None = None) -> Tensors:
        """Compute outputs.

        Args:
            feeds: An array for each input, in its type; others are left aside.
            names: Which outputs; None for all.

        Raises:
            AbandonedError: Nobody waits any more.
            ExecutionError: The runtime failed.
        """
        ticket.current().check()
        return self._run({name: feeds[name] for name in self.inputs}, self.outputs if names is None else names)


class Compute:
    """Makes networks of graphs.

    Args:
        device: Where they run.
        cores: How many cores they may use, on a CPU.
        crowded: Whether at least as many requests as cores are being worked on, or wait.
        max_batch: The most entries that share a run; 1 for none.
        ran: Told how many entries each run had that may be shared.
    """

    def __init__(
        self,
        device: Device,
        *,
        cores: int,
        crowded: Callable[[], bool] = lambda: False,
        max_batch: int = 1,
        ran: Callable[[int], None] = lambda _: None,
    ) -> None:
        self.device = device
        self._cores = cores
        self._crowded = crowded
        self._max_batch = max_batch
        self._ran = ran

    def open(
        self,
        model: ModelProto,
        axis: BatchAxis,
        *,
        initialisers: Initialisers | None = None,
        multiply_adds: int | None = None,
        run_bytes: int | None = None,
        lasting: bool = False,
    ) -> Network:
        """Make a network.

        Args:
            model: The graph; it is not kept.
            axis: How many entries it takes at once.
            initialisers: The values of those that the graph does not hold.
            multiply_adds: What it computes for one entry; None where that is not known.
            run_bytes: What its tensors take at once for one entry; None where that is not known.
            lasting: Whether it will answer most requests, so that a second session pays.

        Raises:
            ModelFileError: ONNX Runtime refuses the graph.
            DeviceError: The device was given up meanwhile.
            ExecutionError: The graph fails on the device.
        """
        if axis.shared and self._max_batch > 1:
            return self._batched(model, axis, initialisers)
        axis = _bounded(axis, run_bytes)
        threads = 1 if self.is_brief(multiply_adds) else self._cores
        if not lasting or threads == 1 or self.device.used != "cpu":
            only = self._session(model, threads, initialisers)
            return Network([only], _limited(only.run, axis))
        # Its threads have the machine for themselves, and need not sleep while they wait for each other.
        wide = self._session(model, threads, initialisers, spinning=True)
        narrow = self._session(model, 1, initialisers)

        def run(feeds: Tensors, names: Sequence[str]) -> Tensors:
            return (narrow if self._crowded() else wide).run(feeds, names)

        return Network([wide, narrow], _limited(run, axis))

    def is_brief(self, multiply_adds: int | None) -> bool:
        """Whether a run takes less time than it takes to wake another thread."""
        alone = self.device.used == "cpu" and self._max_batch == 1
        return alone and multiply_adds is not None and multiply_adds < _SMALL

    def _batched(self, model: ModelProto, axis: BatchAxis, initialisers: Initialisers | None) -> Network:
        sizes = (
            [axis.size] if axis.fixed and axis.size else batch_sizes(min(self._max_batch, axis.size or self._max_batch))
        )
        sessions = {size: self._session(model, self._cores, initialisers, trial=_zeros(model, size)) for size in sizes}
        batcher = Batcher({size: session.bound().run for size, session in sessions.items()}, self._ran)
        return Network(list(sessions.values()), batcher.run)

    def _session(
        self,
        model: ModelProto,
        threads: int,
        initialisers: Initialisers | None,
        *,
        spinning: bool = False,
        trial: Mapping[str, Array] | None = None,
    ) -> Session:
        return Session(
            model, device=self.device, threads=threads, spinning=spinning, trial=trial, initialisers=initialisers
        )


def batch_sizes(most: int) -> list[int]:
    """The sizes that batches are filled up to: each four times the one before.

    >>> batch_sizes(32)
    [1, 4, 16, 32]
    """
    sizes = [1]
    while sizes[-1] * _STEP < most:
        sizes.append(sizes[-1] * _STEP)
    return sizes if sizes[-1] == most else [*sizes, most]


def _bounded(axis: BatchAxis, run_bytes: int | None) -> BatchAxis:
    """The same, with no more entries at once than there is memory for."""
    if axis.fixed or not axis.shared or not run_bytes:
        return axis
    most = max(_RUN_BYTES // run_bytes, 1)
    return replace(axis, size=min(axis.size or most, most))


def _limited(run: Run, axis: BatchAxis) -> Run:
    """The same, in pieces where the graph does not take any number at once."""
    if axis.size is None:
        return run
    return partial(in_pieces, partial(filled, run, size=axis.size) if axis.fixed else run, size=axis.size)


def _zeros(model: ModelProto, size: int) -> dict[str, Array] | None:
    """Inputs for a trial run; None where a shape is open."""
    feeds = {}
    for value in graph.inputs(model):
        shape = graph.dimensions(value)
        if not shape or None in shape[1:]:
            return None
        dtype = helper.tensor_dtype_to_np_dtype(value.type.tensor_type.elem_type)
        feeds[value.name] = np.zeros((size, *(d or 1 for d in shape[1:])), dtype)
    return feeds

"""Several callers share a run: what waits while the device is busy goes together in the next batch.

Nobody waits for a batch to fill up.  There is no thread for it: of those who wait, the first leads, which is to
say that it runs the batch of all, and then hands on the lead.
"""

import itertools
import threading
from collections import deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

import numpy as np

from service import ticket
from service.errors import AbandonedError
from service.runtime import Array
from service.ticket import Ticket

Tensors = Mapping[str, Array]
Run = Callable[[Tensors, Sequence[str]], Tensors]
"""Computes the named outputs of inputs; the first axis of each is that of the batch."""


def entries(feeds: Tensors) -> int:
    """How many entries a batch has."""
    return len(next(iter(feeds.values()), ()))


def in_pieces(run: Run, feeds: Tensors, names: Sequence[str], *, size: int) -> Tensors:
    """Run a batch in pieces of at most `size` entries, one after the other, and join what comes out.

    Raises:
        AbandonedError: Nobody waits any more.
    """
    count = entries(feeds)
    if count <= size:
        return run(feeds, names)
    found = []
    for start in range(0, count, size):
        ticket.current().check()
        found.append(run({name: data[start : start + size] for name, data in feeds.items()}, names))
    return {name: np.concatenate([piece[name] for piece in found]) for name in names}


def filled(run: Run, feeds: Tensors, names: Sequence[str], *, size: int) -> Tensors:
    """Run a batch filled up with zeros to `size` entries, and return the outputs of its own.

    Where an output turns out to have no axis for the batch, the batch runs as it is.
    """
    count = entries(feeds)
    if count == size:
        return run(feeds, names)
    full = {
        name: np.concatenate([data, np.zeros((size - count, *data.shape[1:]), data.dtype)])
        for name, data in feeds.items()
    }
    found = run(full, names)
    if any(len(data) != size for data in found.values()):
        return run(feeds, names)
    return {name: data[:count] for name, data in found.items()}


@dataclass(eq=False)
class _Piece:
    """What one caller wants to know, and what comes of it."""

    feeds: Tensors
    names: Sequence[str]
    ticket: Ticket
    called: threading.Event = field(default_factory=threading.Event)  # it is done, or has the lead
    result: Tensors | None = None
    error: BaseException | None = None

    @property
    def kind(self) -> object:
        """Pieces of one kind fit into one batch."""
        return [(name, data.shape[1:], data.dtype) for name, data in sorted(self.feeds.items())]

    @property
    def done(self) -> bool:
        return self.result is not None or self.error is not None


class Batcher:
    """Runs the requests of any number of threads in batches of few sizes; one batch at a time.

    A request larger than the largest size runs in pieces.  One that fails is tried alone, so that it takes no other
    with it.  Whose ticket is given up while it waits is not computed.

    Args:
        sizes: For each number of entries that a batch may have, what runs it; smaller batches are filled up.
        ran: Told how many entries each run had, before it was filled up.
    """

    def __init__(self, sizes: Mapping[int, Run], ran: Callable[[int], None] = lambda _: None) -> None:
        self._runs = dict(sorted(sizes.items()))
        self._largest = max(sizes)
        self._ran = ran
        self._lock = threading.Lock()
        self._waiting: deque[_Piece] = deque()
        self._led = False

    def run(self, feeds: Tensors, names: Sequence[str]) -> Tensors:
        """Compute the named outputs; returns when they are there.

        Raises:
            AbandonedError: Nobody waits any more.
            ExecutionError: The runtime failed.
        """
        return in_pieces(self._run_piece, feeds, names, size=self._largest)

    def _run_piece(self, feeds: Tensors, names: Sequence[str]) -> Tensors:
        piece = _Piece(feeds, names, ticket.current())
        with self._lock:
            self._waiting.append(piece)
            leads, self._led = not self._led, True
        if not leads:
            piece.called.wait()
        if not piece.done:
            self._lead()
        if piece.result is None:
            assert piece.error is not None  # noqa: S101  (for the type checker: it is done)
            raise piece.error
        return piece.result

    def _lead(self) -> None:
        """Run the batch that begins with the first that waits, and hand on the lead."""
        batch = self._next()
        try:
            self._compute(batch)
        finally:
            with self._lock:
                following = self._waiting[0] if self._waiting else None
                self._led = following is not None
            for piece in batch:
                piece.called.set()
            if following is not None:
                following.called.set()

    def _next(self) -> list[_Piece]:
        """The pieces of the next batch: those that fit to the first one, as many as there is room for."""
        with self._lock:
            batch = [self._waiting.popleft()]
            room = self._largest - entries(batch[0].feeds)
            kind, others = batch[0].kind, list(self._waiting)
            for piece in others:
                if piece.kind == kind and entries(piece.feeds) <= room and not piece.ticket.given_up:
                    self._waiting.remove(piece)
                    room -= entries(piece.feeds)
                    batch.append(piece)
            return batch

    def _compute(self, batch: Sequence[_Piece]) -> None:
        """Give every piece of a batch its result or its error."""
        wanted = []
        for piece in batch:
            if piece.ticket.given_up:
                piece.error = AbandonedError("nobody waits for the result any more")
            else:
                wanted.append(piece)
        if len(wanted) > 1 and self._computed_together(wanted):
            return
        for piece in wanted:
            try:
                piece.result = self._run(piece.feeds, piece.names)
            except BaseException as error:  # noqa: BLE001  (whoever waits gets it)
                piece.error = error

    def _computed_together(self, batch: Sequence[_Piece]) -> bool:
        """Whether one run was enough; else whose fault it was comes out when each runs alone."""
        names = list(dict.fromkeys(name for piece in batch for name in piece.names))
        ends = list(itertools.accumulate(entries(piece.feeds) for piece in batch))
        try:
            feeds = {name: np.concatenate([piece.feeds[name] for piece in batch]) for name in batch[0].feeds}
            found = self._run(feeds, names)
        except Exception:  # noqa: BLE001  (each gets its own below)
            return False
        if any(len(data) != ends[-1] for data in found.values()):
            return False
        for piece, start, end in zip(batch, [0, *ends], ends, strict=False):
            piece.result = {name: found[name][start:end] for name in piece.names}
        return True

    def _run(self, feeds: Tensors, names: Sequence[str]) -> Tensors:
        """Run a batch in the smallest size that holds it."""
        size = next(size for size in self._runs if size >= entries(feeds))
        self._ran(entries(feeds))
        return filled(self._runs[size], feeds, names, size=size)

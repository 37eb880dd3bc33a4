"""An open loop: requests are sent at a fixed rate, however long the answers take.

That is how callers who do not know of each other behave.  In a closed loop, one that is refused asks again at once, so
that a service which refuses is loaded with refusing.  A request takes any connection that is free, or opens another.
"""

import re
import selectors
import socket
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np

from benchmarks.client import address

PATIENCE: Final = 35.0
"""Seconds after which an answer is given up: a little more than the service promises."""

_PIECE_BYTES: Final = 65_536
_LENGTH: Final = re.compile(rb"\r\ncontent-length: *(\d+)", re.IGNORECASE)


@dataclass(frozen=True)
class Outcome:
    """What became of one request.

    Args:
        due: When it should have been sent, in seconds since the loop began.
        done: When its answer was there, or was given up.
        status: Of HTTP; 0 where no answer came.
        lag: By how much it was sent too late.
    """

    due: float
    done: float
    status: int
    lag: float


@dataclass(frozen=True)
class Flood:
    """What a service did with more than it can do.

    Args:
        offered: Requests a second.
        answered: Right answers a second.
        refused: Refusals a second.
        refused_in_time: The part of those not answered that were refused within 100 ms.
        refusal_p50: Milliseconds from when the request was due to its refusal.
        refusal_p99: The same.
        refusal_slowest: The same.
        answer_p50: Milliseconds from when a request was due to its answer.
        failed: Requests that got something else, or nothing at all.
        lag_p99: Milliseconds by which the client sent requests too late.
        client: The cores that the client kept busy.
    """

    offered: float
    answered: float
    refused: float
    refused_in_time: float
    refusal_p50: float
    refusal_p99: float
    refusal_slowest: float
    answer_p50: float
    failed: int
    lag_p99: float
    client: float


def open_loop(url: str, request: bytes, *, rate: float, warm_up: float, seconds: float) -> Flood:
    """Send requests at a fixed rate.

    Args:
        url: Of the server.
        request: What to send, head and body.
        rate: Requests a second.
        warm_up: Seconds before it counts, in which the queue fills up.
        seconds: How long it counts.
    """
    busy = time.process_time()
    outcomes = _Flooding(url, request).run(rate, warm_up + seconds)
    busy = time.process_time() - busy
    return summarise(outcomes, rate=rate, window=(warm_up, warm_up + seconds), client=busy / (warm_up + seconds))


def summarise(outcomes: Sequence[Outcome], *, rate: float, window: tuple[float, float], client: float) -> Flood:
    """Count answers that came within the window, and refusals of what was due in it."""
    start, end = window
    due = [outcome for outcome in outcomes if start <= outcome.due < end]
    answered = [outcome for outcome in outcomes if outcome.status == 200 and start <= outcome.done < end]
    refused = [outcome for outcome in due if outcome.status == 503]
    others = sum(outcome.status != 200 for outcome in due)
    delays = [1000 * (outcome.done - outcome.due) for outcome in refused]
    return Flood(
        offered=rate,
        answered=len(answered) / (end - start),
        refused=len(refused) / (end - start),
        refused_in_time=sum(delay <= 100 for delay in delays) / others if others else 1.0,
        refusal_p50=_percentile(delays, 50),
        refusal_p99=_percentile(delays, 99),
        refusal_slowest=_percentile(delays, 100),
        answer_p50=_percentile([1000 * (outcome.done - outcome.due) for outcome in answered], 50),
        failed=sum(outcome.status not in (200, 503) for outcome in outcomes),
        lag_p99=_percentile([1000 * outcome.lag for outcome in due], 99),
        client=client,
    )


class _Flooding:
    """Keeps the connections, and notes what becomes of each request.

    It waits for the system itself: tasks and futures would cost as much as the rest, of the cores that the service
    should have.
    """

    def __init__(self, url: str, request: bytes) -> None:
        self._address = address(url)
        self._request = memoryview(request)
        # Taken in turn, so that none is idle until the server closes it.
        self._free: deque[_Connection] = deque()
        self._owed: set[_Connection] = set()
        self._outcomes: list[Outcome] = []

    def run(self, rate: float, seconds: float) -> list[Outcome]:
        """Send at a rate for some time, and wait for what is owed then."""
        count, sent, end = int(rate * seconds), 0, seconds + PATIENCE
        self._start = time.perf_counter()
        with selectors.DefaultSelector() as self._selector:
            while sent < count or (self._owed and self._now() < end):
                wait = (sent / rate if sent < count else end) - self._now()
                if wait > 0:
                    self._take(wait)
                else:
                    self._ask(sent / rate)
                    sent += 1
            for connection in [*self._owed, *self._free]:
                self._close(connection)
        return self._outcomes

    def _now(self) -> float:
        return time.perf_counter() - self._start

    def _take(self, wait: float) -> None:
        for key, events in self._selector.select(wait):
            if events & selectors.EVENT_READ:
                self._receive(key.data)
            else:
                self._send(key.data)

    def _ask(self, due: float) -> None:
        lag = self._now() - due
        try:
            connection = self._free.popleft() if self._free else self._opened()
        except OSError:
            self._outcomes.append(Outcome(due, self._now(), 0, lag))
            return
        connection.due, connection.lag, connection.left = due, lag, self._request
        connection.received.clear()
        self._owed.add(connection)
        self._send(connection)

    def _opened(self) -> "_Connection":
        connection = _Connection(socket.create_connection(self._address, timeout=PATIENCE))
        self._selector.register(connection.socket, selectors.EVENT_READ, connection)
        return connection

    def _send(self, connection: "_Connection") -> None:
        """Send what there is room for, and the rest when there is."""
        try:
            sent = connection.socket.send(connection.left)
        except BlockingIOError:
            sent = 0
        except OSError:
            self._close(connection)
            return
        connection.left = connection.left[sent:]
        if bool(connection.left) != connection.waits_for_room:
            connection.waits_for_room = not connection.waits_for_room
            events = selectors.EVENT_READ | (selectors.EVENT_WRITE if connection.waits_for_room else 0)
            self._selector.modify(connection.socket, events, connection)

    def _receive(self, connection: "_Connection") -> None:
        """Take the status when the whole answer is there; the connection is free again."""
        try:
            data = connection.socket.recv(_PIECE_BYTES)
        except OSError:
            data = b""
        connection.received += data
        status = complete(connection.received) if connection in self._owed else None
        if status is not None:
            self._note(connection, status)
            self._free.append(connection)
        if not data or (status is not None and b"connection: close" in connection.received.lower()):
            self._close(connection)

    def _note(self, connection: "_Connection", status: int) -> None:
        self._owed.discard(connection)
        now = self._now()
        given_up = now - connection.due > PATIENCE
        self._outcomes.append(Outcome(connection.due, now, 0 if given_up else status, connection.lag))

    def _close(self, connection: "_Connection") -> None:
        self._selector.unregister(connection.socket)
        connection.socket.close()
        if connection in self._owed:
            self._note(connection, 0)
        else:
            self._free.remove(connection)


class _Connection:
    """A connection, and the request that is under way on it."""

    def __init__(self, connected: socket.socket) -> None:
        connected.setblocking(False)  # noqa: FBT003  (its only form)
        self.socket = connected
        self.left = memoryview(b"")  # what is not sent yet
        self.waits_for_room = False  # to send it
        self.received = bytearray()
        self.due = self.lag = 0.0


def complete(received: bytes | bytearray) -> int | None:
    r"""The status of an answer that is there as a whole, None of one that is not.

    >>> complete(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}")
    503
    >>> complete(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{")
    """
    end = received.find(b"\r\n\r\n")
    if end < 0:
        return None
    length = _LENGTH.search(received, 0, end)
    whole = end + 4 + (int(length[1]) if length else 0)
    return int(received[9:12]) if len(received) >= whole else None


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else 0.0

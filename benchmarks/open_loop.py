"""An open loop: requests are sent at a fixed rate, however long the answers take.

That is how callers who do not know of each other behave.  In a closed loop, one that is refused asks again at once, so
that a service which refuses is loaded with refusing.  A request takes any connection that is free, or opens another.
"""

import asyncio
import time
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final, cast

import numpy as np
import uvloop

from benchmarks.client import address

PATIENCE: Final = 35.0
"""Seconds after which an answer is given up: a little more than the service promises."""


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
    outcomes = uvloop.run(_Flooding(url, request).run(rate, warm_up + seconds))
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
    """Keeps the connections, and notes what becomes of each request."""

    def __init__(self, url: str, request: bytes) -> None:
        self._address = address(url)
        self._request = request
        # Taken in turn, so that none is idle until the server closes it.
        self._free: deque[_Connection] = deque()
        self._outcomes: list[Outcome] = []

    async def run(self, rate: float, seconds: float) -> list[Outcome]:
        start = time.perf_counter()
        async with asyncio.TaskGroup() as group:
            for i in range(int(rate * seconds)):
                wait = start + i / rate - time.perf_counter()
                if wait > 0:
                    await asyncio.sleep(wait)
                group.create_task(self._ask(start, i / rate))
        for connection in self._free:
            connection.close()
        return self._outcomes

    async def _ask(self, start: float, due: float) -> None:
        lag = time.perf_counter() - start - due
        try:
            async with asyncio.timeout(PATIENCE):
                status = await (await self._connection()).ask(self._request)
        except (OSError, TimeoutError):
            status = 0
        self._outcomes.append(Outcome(due, time.perf_counter() - start, status, lag))

    async def _connection(self) -> "_Connection":
        while self._free:
            connection = self._free.popleft()
            if connection.is_open:
                return connection
        loop = asyncio.get_running_loop()
        _, connection = await loop.create_connection(lambda: _Connection(self._free), *self._address)
        return connection


class _Connection(asyncio.Protocol):
    """Sends one request after the other, and understands as much of the answer as is needed."""

    def __init__(self, free: deque["_Connection"]) -> None:
        self._free = free
        self._received = bytearray()
        self._answer: asyncio.Future[int] | None = None
        self.is_open = True

    async def ask(self, request: bytes) -> int:
        """Send a request; the status of its answer."""
        self._answer = asyncio.get_running_loop().create_future()
        self._received.clear()
        self._transport.write(request)
        try:
            return await self._answer
        except asyncio.CancelledError:
            self.close()
            raise

    def close(self) -> None:
        """Give the connection up."""
        self.is_open = False
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self._transport = cast(asyncio.Transport, transport)

    def data_received(self, data: bytes) -> None:
        """Take the status when the whole answer is there, and be free again."""
        self._received += data
        status = complete(self._received)
        if status is None or self._answer is None or self._answer.done():
            return
        self._answer.set_result(status)
        if b"connection: close" in self._received.lower():
            self.close()
        else:
            self._free.append(self)

    def connection_lost(self, exc: Exception | None) -> None:
        """Tell whoever waits."""
        self.is_open = False
        if self._answer is not None and not self._answer.done():
            self._answer.set_exception(exc or ConnectionResetError("the server closed the connection"))


def complete(received: bytes | bytearray) -> int | None:
    r"""The status of an answer that is there as a whole, None of one that is not.

    >>> complete(b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}")
    503
    >>> complete(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{")
    """
    head, separator, body = received.partition(b"\r\n\r\n")
    if not separator:
        return None
    lengths = [line for line in head.lower().split(b"\r\n") if line.startswith(b"content-length:")]
    length = int(lengths[0].partition(b":")[2]) if lengths else 0
    return int(head.split(maxsplit=2)[1]) if len(body) >= length else None


def _percentile(values: Sequence[float], percent: float) -> float:
    return float(np.percentile(values, percent)) if values else 0.0

"""Callers who keep their connections, send at a fixed rate, and sometimes hang up in the middle of a request."""

import asyncio
import random
import re
import time
from collections import Counter, deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from http import HTTPStatus
from typing import Final, Literal

from benchmarks.client import address
from benchmarks.soak.asks import Ask

Kind = Literal["right", "wrong", "refused", "overloaded", "error", "cancelled"]

PATIENCE: Final = 35.0
"""Seconds after which an answer is given up: a little more than the service promises."""

_MOST_TOLD: Final = 20
_QUEUE_FULL: Final = b"requests are waiting already (setting max_queue)"


@dataclass
class Tally:
    """What became of the requests.

    Args:
        counts: Of each kind, for each request by its name.
        told: What was wrong, the first of it.
        delays: Seconds that right answers took.
    """

    counts: Counter[tuple[str, Kind]] = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)
    delays: list[float] = field(default_factory=list)

    def count(self, name: str, kind: Kind, reason: str = "") -> None:
        """Count one."""
        self.counts[name, kind] += 1
        if reason and len(self.told) < _MOST_TOLD:
            self.told.append(f"{name}: {reason}")

    def of(self, kind: Kind) -> int:
        """How many there were of a kind."""
        return sum(count for (_, each), count in self.counts.items() if each == kind)


@dataclass(frozen=True)
class Mix:
    """What is asked, and how often something else happens.

    Args:
        good: Asked by their shares.
        bad: Asked instead, one as often as the other.
        bad_share: How often.
        cancelled_share: How often a caller hangs up before the answer.
    """

    good: Sequence[Ask]
    bad: Sequence[Ask]
    bad_share: float = 0.05
    cancelled_share: float = 0.05

    def pick(self, dice: random.Random) -> Ask:
        """The next request."""
        if dice.random() < self.bad_share:
            return dice.choice(self.bad)
        return dice.choices(self.good, [ask.share for ask in self.good])[0]


class Callers:
    """Callers of one service.

    Args:
        url: Of the service.
        mix: What they ask.
        seed: Of the dice.
    """

    def __init__(self, url: str, mix: Mix, *, seed: int = 0) -> None:
        self._address = address(url)
        self._mix = mix
        self._dice = random.Random(seed)  # noqa: S311  (no secret)
        self._free: deque[_Connection] = deque()

    async def at_capacity(self, *, callers: int, seconds: float) -> float:
        """Right answers a second where each of some callers asks again as soon as it has an answer."""
        tally = Tally()
        end = time.monotonic() + seconds

        async def call() -> None:
            while time.monotonic() < end:
                await self._ask(self._mix.pick(self._dice), tally)

        await asyncio.gather(*(call() for _ in range(callers)))
        return (tally.of("right") + tally.of("refused")) / seconds

    async def at_rate(self, tally: Tally, *, rate: float, goes_on: Callable[[], bool]) -> None:
        """Send requests at a fixed rate, however long the answers take."""
        start, sent = time.monotonic(), 0
        async with asyncio.TaskGroup() as group:
            while goes_on():
                wait = start + sent / rate - time.monotonic()
                await asyncio.sleep(max(wait, 0))
                sent += 1
                ask = self._mix.pick(self._dice)
                if self._dice.random() < self._mix.cancelled_share:
                    group.create_task(self._cancel(ask, tally, patience=self._dice.random() * 0.05))
                else:
                    group.create_task(self._ask(ask, tally))

    def close(self) -> None:
        """Hang up."""
        for connection in self._free:
            connection.close()
        self._free.clear()

    async def _ask(self, ask: Ask, tally: Tally) -> None:
        start = time.monotonic()
        try:
            async with asyncio.timeout(PATIENCE):
                connection = await self._connection()
                status, body, closes = await connection.ask(ask.request)
        except (OSError, EOFError, TimeoutError) as error:
            tally.count(ask.name, "error", f"no answer: {error!r}")
            return
        (connection.close if closes else lambda: self._free.append(connection))()
        reason = ask.judge(status, body)
        if reason is None:
            tally.count(ask.name, "right" if status == HTTPStatus.OK else "refused")
            tally.delays.append(time.monotonic() - start)
        elif status == HTTPStatus.SERVICE_UNAVAILABLE and _QUEUE_FULL in body:
            tally.count(ask.name, "overloaded")
        else:
            tally.count(ask.name, "wrong" if status == HTTPStatus.OK else "error", reason)

    async def _cancel(self, ask: Ask, tally: Tally, *, patience: float) -> None:
        """Send a part of a request, or all of it, and hang up before the answer."""
        try:
            async with asyncio.timeout(PATIENCE):
                connection = await self._connection()
            part = len(ask.request) if patience < 0.025 else self._dice.randrange(len(ask.request))
            connection.send(ask.request[:part])
            await asyncio.sleep(patience)
            connection.close()
        except (OSError, EOFError, TimeoutError) as error:
            tally.count(ask.name, "error", f"no connection: {error!r}")
            return
        tally.count(ask.name, "cancelled")

    async def _connection(self) -> "_Connection":
        while self._free:
            connection = self._free.popleft()
            if connection.is_open:
                return connection
        return _Connection(*await asyncio.open_connection(*self._address, limit=2**24))


class _Connection:
    """One connection that stays open."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader = reader
        self._writer = writer

    @property
    def is_open(self) -> bool:
        return not (self._writer.is_closing() or self._reader.at_eof())

    def send(self, data: bytes) -> None:
        self._writer.write(data)

    async def ask(self, request: bytes) -> tuple[int, bytes, bool]:
        """The status and the body of the answer, and whether the connection is closed behind it."""
        try:
            self.send(request)
            head = await self._reader.readuntil(b"\r\n\r\n")
            length = re.search(rb"\r\ncontent-length: (\d+)", head, re.IGNORECASE)
            body = await self._reader.readexactly(int(length[1]) if length else 0)
        except BaseException:
            self.close()
            raise
        return int(head.split(maxsplit=2)[1]), body, b"connection: close" in head.lower()

    def close(self) -> None:
        self._writer.transport.abort()

"""One run: the service is started as a user starts it, loaded, changed, looked at, and judged."""

import asyncio
import itertools
import shutil
import statistics
import tempfile
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final

from benchmarks.client import Client, request
from benchmarks.errors import BenchmarkError
from benchmarks.processes import READY, Command, Server, serve, started
from benchmarks.soak.asks import PHOTO_MODEL, PICTURE_MODEL, bad, good
from benchmarks.soak.callers import Callers, Mix, Tally
from benchmarks.soak.service_facts import Facts, facts

ADMIN_KEY: Final = "soak"

_SHIPPED: Final = Path(__file__).resolve().parents[2] / "models"
_CALLERS: Final = 8  # that find out what the service can do
_WINDOW: Final = 30.0  # seconds over which memory is taken, since it comes and goes while a model is loaded
_HANG_UP_SECONDS: Final = 20.0
_POLL_SECONDS: Final = 0.1


@dataclass(frozen=True)
class Plan:
    """What to do.

    Args:
        seconds: How long the load lasts.
        settle_seconds: After which nothing may grow any more.
        share: Of what the service can do.
        reload_seconds: From one reload to the next.
        look_seconds: From one look at the service's processes to the next.
        flags: For `striate serve`.
        command: Starts the service instead of `striate serve`, from the repository and the flags.
    """

    seconds: float
    settle_seconds: float = 120.0
    share: float = 0.8
    reload_seconds: float = 30.0
    look_seconds: float = 5.0
    flags: Sequence[str] = ()
    command: Callable[..., Command] = serve


@dataclass
class Soak:
    """What was found.

    Args:
        capacity: Answers a second that the service can give.
        rate: Requests a second that it got.
        tally: What became of them.
        before: What the service took before the load.
        during: What it took under load, look by look.
        after: What it took when all callers had hung up.
        reloads: How often a model was loaded again.
    """

    capacity: float
    rate: float
    before: Facts
    tally: Tally = field(default_factory=Tally)
    during: list[Facts] = field(default_factory=list)
    after: Facts | None = None
    reloads: int = 0


@dataclass(frozen=True)
class Verdict:
    """One thing that was promised.

    Args:
        promise: What.
        found: What was found.
        kept: Whether it holds.
    """

    promise: str
    found: str
    kept: bool


def soak(plan: Plan, tell: Callable[[str], None]) -> Soak:
    """Run it.

    Args:
        plan: What to do.
        tell: Gets a line now and then.

    Raises:
        BenchmarkError: The service does not start, or ended.
    """
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder) / "models"
        for name in (PHOTO_MODEL, PICTURE_MODEL):
            shutil.copytree(_SHIPPED / name, models / name)
        tell("computing the answers that are right")
        mix = Mix(good(models), bad())
        with started(plan.command(models, "--admin-key", ADMIN_KEY, *plan.flags), READY) as server:
            return asyncio.run(_Running(plan, server, models, mix, tell).run())


class _Running:
    def __init__(self, plan: Plan, server: Server, models: Path, mix: Mix, tell: Callable[[str], None]) -> None:
        self._plan = plan
        self._server = server
        self._models = models
        self._callers = Callers(server.url, mix)
        self._tell = tell
        self._ended = False

    async def run(self) -> Soak:
        before = self._facts(0.0)
        seconds = min(10.0, max(2.0, self._plan.seconds / 10))
        await self._callers.at_capacity(callers=_CALLERS, seconds=seconds)  # makes what is made on first use
        capacity = await self._callers.at_capacity(callers=_CALLERS, seconds=seconds)
        found = Soak(capacity, self._plan.share * capacity, before)
        self._tell(f"it can give {capacity:.0f} answers a second; it gets {found.rate:.0f} requests a second")
        self._start = time.monotonic()
        async with asyncio.TaskGroup() as group:
            watching = [group.create_task(self._look(found)), group.create_task(self._reload(found))]
            await self._callers.at_rate(found.tally, rate=found.rate, goes_on=self._goes_on)
            for task in watching:
                task.cancel()
        found.during.append(self._facts(self._elapsed()))
        found.after = await self._hung_up(before)
        return found

    def _elapsed(self) -> float:
        return time.monotonic() - self._start

    def _goes_on(self) -> bool:
        return self._elapsed() < self._plan.seconds and not self._ended

    def _facts(self, seconds: float) -> Facts:
        try:
            return facts(self._server.pid, seconds=seconds)
        except OSError as error:
            raise BenchmarkError(f"the service has ended: {error}") from error

    async def _look(self, found: Soak) -> None:
        for number in itertools.count():
            try:
                now = self._facts(self._elapsed())
            except BenchmarkError:
                self._ended = True  # it is told when the requests that are under way have failed
                return
            found.during.append(now)
            if number % 6 == 0:
                self._tell(
                    f"{now.seconds:6.0f} s: {found.tally.of('right')} right, {found.tally.of('refused')} refused,"
                    f" {found.tally.of('cancelled')} cancelled, {found.tally.of('wrong')} wrong,"
                    f" {found.tally.of('error')} errors; {now.bytes / 2**20:.0f} MiB, {now.threads} threads,"
                    f" {now.files} files; {found.reloads} reloads"
                )
            await asyncio.sleep(self._plan.look_seconds)

    async def _reload(self, found: Soak) -> None:
        """Load a model again: by a call, and by touching its file, in turn."""
        names = itertools.cycle((PHOTO_MODEL, PHOTO_MODEL, PICTURE_MODEL, PICTURE_MODEL))
        for number, name in enumerate(names):
            await asyncio.sleep(self._plan.reload_seconds)
            if number % 2:
                self._models.joinpath(name, "1", "model.onnx").touch()
            else:
                await asyncio.to_thread(self._call, name, found)
            found.reloads += 1

    def _call(self, name: str, found: Soak) -> None:
        path = f"/v2/repository/models/{name}/load"
        with Client(self._server.url) as client:
            answer = client.send(request(path, b"", {"Authorization": f"Bearer {ADMIN_KEY}"}))
        if answer.status != 200:
            reason = f"status {answer.status}: {answer.body[:200].decode(errors='replace')}"
            found.tally.count("reload", "error", reason)

    async def _hung_up(self, before: Facts) -> Facts:
        """When the service has noticed that nobody is there any more."""
        self._callers.close()
        end = time.monotonic() + _HANG_UP_SECONDS
        now = self._facts(self._elapsed())
        while now.sockets > before.sockets and time.monotonic() < end:
            await asyncio.sleep(_POLL_SECONDS)
            now = self._facts(self._elapsed())
        return now


def judged(found: Soak, plan: Plan) -> list[Verdict]:
    """What was promised, and whether it holds."""
    settled = [one for one in found.during if one.seconds >= plan.settle_seconds] or found.during
    window = min(_WINDOW, (settled[-1].seconds - settled[0].seconds) / 4)
    first = [one for one in settled if one.seconds <= settled[0].seconds + window]
    last = [one for one in settled if one.seconds >= settled[-1].seconds - window]
    growth = _median(last, "bytes") / _median(first, "bytes") - 1
    after, before = found.after or found.during[-1], found.before
    kinds = [(kind, found.tally.of(kind)) for kind in ("right", "refused", "cancelled")]
    return [
        Verdict("answers were given", ", ".join(f"{n:,} {kind}" for kind, n in kinds), found.tally.of("right") > 0),
        _not_overloaded(found.tally),
        Verdict("no wrong answer", f"{found.tally.of('wrong')} wrong", not found.tally.of("wrong")),
        Verdict("no unexplained error", f"{found.tally.of('error')} errors", not found.tally.of("error")),
        Verdict("models were loaded again", f"{found.reloads} times", found.reloads > 0),
        Verdict(
            "memory at the end within 10 % of that when it had settled",
            f"{_median(first, 'bytes') / 2**20:.0f} to {_median(last, 'bytes') / 2**20:.0f} MiB: {growth:+.1%}",
            growth <= 0.1,
        ),
        _no_growth("threads", _median(first, "threads"), _median(last, "threads"), slack=2),
        _no_growth("open files", _median(first, "files"), _median(last, "files"), slack=2),
        _no_growth("sockets, when all have hung up", before.sockets, after.sockets, slack=0),
    ]


def _not_overloaded(tally: Tally) -> Verdict:
    """Where others take the machine, the service gets more than it can do, and refuses the rest as it should."""
    refused, all_of_them = tally.of("overloaded"), sum(tally.counts.values())
    return Verdict("it is not overloaded", f"{refused} refused as the queue was full", refused <= 0.01 * all_of_them)


def _no_growth(what: str, first: float, last: float, *, slack: int) -> Verdict:
    return Verdict(f"no growth of {what}", f"{first:.0f} to {last:.0f}", last <= first + slack)


def _median(looks: Sequence[Facts], name: str) -> float:
    return float(statistics.median(getattr(look, name) for look in looks))

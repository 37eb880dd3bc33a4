"""The soak: that it runs, and that it finds what is planted."""

import asyncio
import sys
from dataclasses import replace
from pathlib import Path

import pytest

from benchmarks.client import request
from benchmarks.processes import Command, striate
from benchmarks.soak.asks import Ask
from benchmarks.soak.callers import Callers, Mix, Tally
from benchmarks.soak.run import Plan, Soak, Verdict, judged, soak
from benchmarks.soak.service_facts import Facts
from tests.benchmarks.conftest import Answering

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells what a process takes")

SHORT = Plan(seconds=8, settle_seconds=2, share=0.3, reload_seconds=1.5, look_seconds=0.5)
LOOK = Facts(seconds=0, bytes=1000, threads=10, files=5, sockets=3)

# Every fifth answer has its classes the wrong way round, and 80 MiB are kept each second.
PLANTED = """
import threading, time
import service.classification as classification
best, answers, kept = classification.best, [], []
def planted(*arguments, **options):
    answers.append(best(*arguments, **options))
    return answers[-1] if len(answers) % 5 else answers[-1][::-1]
def leak():
    while True:
        time.sleep(0.1)
        kept.append(b"x" * 2**23)
classification.best = planted
threading.Thread(target=leak, daemon=True).start()
from service.__main__ import main
main()
"""


def broken(verdicts: list[Verdict]) -> set[str]:
    """The promises that were not kept."""
    return {verdict.promise for verdict in verdicts if not verdict.kept}


def planted(models: Path, *flags: str) -> Command:
    """A service with two faults."""
    return lambda port: [
        sys.executable,
        "-c",
        PLANTED,
        *striate("serve", "--port", str(port), "--models", str(models), *flags)[3:],
    ]


def test_a_service_that_is_sound_passes() -> None:
    """For eight seconds, with a reload each second or two; memory takes longer to settle than that."""
    found = soak(SHORT, lambda _: None)
    assert found.tally.told == []
    settles_later = {"memory at the end within 10 % of that when it had settled", "no growth of threads"}
    assert broken(judged(found, SHORT)) - settles_later <= {"it is not overloaded"}
    assert found.reloads >= 2
    assert found.tally.of("cancelled") + found.tally.of("refused") > 0


def test_what_is_planted_is_found() -> None:
    """Wrong answers, and a leak; no reload, behind which other memory goes back to the system."""
    plan = replace(SHORT, command=planted, reload_seconds=1000)
    found = soak(plan, lambda _: None)
    assert broken(judged(found, plan)) >= {
        "no wrong answer",
        "memory at the end within 10 % of that when it had settled",
    }
    assert all("expected [[(" in line for line in found.tally.told)


def looked(**last: int) -> Soak:
    """What is found where something differs at the end."""
    tally = Tally()
    tally.count("photo", "right")
    during = [replace(LOOK, seconds=second) for second in range(100)]
    during += [replace(LOOK, seconds=second, **last) for second in range(100, 130)]
    return Soak(10, 8, LOOK, tally, during, replace(LOOK, **last), reloads=1)


@pytest.mark.parametrize(
    ("last", "promises"),
    [
        ({}, set()),
        ({"bytes": 1090}, set()),
        ({"bytes": 1110}, {"memory at the end within 10 % of that when it had settled"}),
        ({"threads": 13}, {"no growth of threads"}),
        ({"files": 8}, {"no growth of open files"}),
        ({"sockets": 4}, {"no growth of sockets, when all have hung up"}),
    ],
)
def test_growth_is_found(last: dict[str, int], promises: set[str]) -> None:
    """Of what was there when everything had settled."""
    assert broken(judged(looked(**last), Plan(seconds=130, settle_seconds=20))) == promises


def ask(answer: str | None) -> Mix:
    """A mix of one request, about whose answers always the same is said."""
    one = Ask("one", request("/", b"body"), lambda _status, _body: answer)
    return Mix([one], [one], bad_share=0, cancelled_share=0)


def called(url: str, mix: Mix) -> Tally:
    """What becomes of the requests of callers, of five and more."""
    tally = Tally()

    async def call() -> None:
        callers = Callers(url, mix)
        await callers.at_rate(tally, rate=100, goes_on=lambda: tally.counts.total() < 5)
        callers.close()

    asyncio.run(call())
    return tally


def test_answers_are_told_apart(answers: Answering) -> None:
    """Right ones, wrong ones, errors, refusals of a full queue, silence."""
    good, bad = (
        b"HTTP/1.1 %s\r\nX-content-length: 9\r\ncontent-length: 2\r\n\r\n{}" % s for s in (b"200 OK", b"500 No")
    )
    full = b"256 requests are waiting already (setting max_queue)"
    refusal = b"HTTP/1.1 503 No\r\ncontent-length: %d\r\n\r\n%s" % (len(full), full)
    for answer, said, kind in [
        (good, None, "right"),
        (bad, None, "refused"),
        (good, "off by 1", "wrong"),
        (bad, "status 500", "error"),
        (refusal, "status 503", "overloaded"),
        (b"", None, "error"),
    ]:
        with answers(answer) as url:
            tally = called(url, ask(said))
        assert {each for _, each in tally.counts} == {kind}
        assert tally.of(kind) >= 5  # type: ignore[arg-type]  # the literals of the list are plain strings to mypy


def test_callers_hang_up(answers: Answering) -> None:
    """Which is neither an answer nor an error."""
    with answers(b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}") as url:
        tally = called(url, replace(ask("never asked"), cancelled_share=1))
    assert {kind for _, kind in tally.counts} == {"cancelled"}

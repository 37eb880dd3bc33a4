"""The closed loop."""

import shutil

import pytest

from benchmarks.errors import BenchmarkError
from benchmarks.load import closed_loop, parse
from benchmarks.workloads import Workload
from tests.benchmarks.conftest import Answering

needs_wrk = pytest.mark.skipif(
    shutil.which("wrk") is None, reason="the program wrk is missing (make bench installs it)"
)

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhello"
ASKED = Workload("x", "/", b"body", text="hell", length=5)


def result(**changed: int | str) -> str:
    """What the script prints among what `wrk` prints."""
    fields = {
        "requests": 500,
        "microseconds": 2_000_000,
        "p50": 4000,
        "p99": 9000,
        "slowest": 9500,
        "broken": 0,
        "timeouts": 0,
        "wrong": 0,
        "sample": "",
    }
    line = " ".join(f"{name}={value}" for name, value in (fields | changed).items())
    return f"Running 2s test @ http://127.0.0.1\n  Requests/sec: 250\n\nresult {line}\n"


def test_a_result_becomes_answers_a_second_and_milliseconds() -> None:
    """500 in two seconds are 250 a second."""
    measured = parse(result())
    assert (measured.rate, measured.p50, measured.p99) == (250, 4, 9)


@pytest.mark.parametrize(
    ("changed", "message"),
    [
        ({"wrong": 3, "sample": "503 queue full"}, "3 of 500 answers are wrong, as: 503 queue full"),
        ({"broken": 2}, "2 connections broke"),
        ({"timeouts": 1}, "1 answers did not come in time"),
        ({"requests": 0}, "no answer came within 2 s"),
    ],
)
def test_a_load_that_was_not_answered_as_it_should_means_nothing(changed: dict[str, int | str], message: str) -> None:
    """The benchmark fails, and says why."""
    with pytest.raises(BenchmarkError, match=message):
        parse(result(**changed))


def test_what_wrk_says_instead_of_a_result_is_told() -> None:
    """As when it cannot connect."""
    with pytest.raises(BenchmarkError, match="unable to connect to 127.0.0.1:1 Connection refused"):
        parse("unable to connect to 127.0.0.1:1 Connection refused\n")


@needs_wrk
def test_every_answer_is_counted_and_looked_at(answers: Answering) -> None:
    """A real load on a real server."""
    with answers(ANSWER) as url:
        measured = closed_loop([url], ASKED, connections=4, seconds=1)
    assert measured.rate > 10
    assert 0 < measured.p50 <= measured.p99
    assert 0 < measured.client < 1.5


@needs_wrk
@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 5\r\n\r\nhello",
        b"HTTP/1.1 200 OK\r\ncontent-length: 5\r\n\r\nhullo",
        b"HTTP/1.1 200 OK\r\ncontent-length: 6\r\n\r\nhello!",
    ],
    ids=["status", "text", "length"],
)
def test_a_wrong_answer_under_load_is_noticed(answers: Answering, answer: bytes) -> None:
    """By its status, by what it says, or by its length."""
    with answers(answer) as url, pytest.raises(BenchmarkError, match="answers are wrong, as: "):
        closed_loop([url], ASKED, connections=2, seconds=1)

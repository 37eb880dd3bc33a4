"""The open loop."""

import time

import pytest

from benchmarks.client import request
from benchmarks.open_loop import Outcome, complete, open_loop, summarise
from tests.benchmarks.conftest import Answering

ANSWER = b"HTTP/1.1 200 OK\r\ncontent-length: 2\r\n\r\n{}"
REFUSAL = b"HTTP/1.1 503 Service Unavailable\r\ncontent-length: 2\r\n\r\n{}"


def outcome(due: float, took: float, status: int) -> Outcome:
    """What became of a request that was sent in time."""
    return Outcome(due, due + took, status, lag=0)


def test_answers_count_where_they_came_within_the_window() -> None:
    """One that was due before and came within counts; one that came after does not."""
    outcomes = [outcome(0.5, 1.0, 200), outcome(1.5, 0.1, 200), outcome(2.9, 0.5, 200)]
    assert summarise(outcomes, rate=1, window=(1, 3), client=0).answered == 1.0


def test_refusals_are_late_after_100_milliseconds() -> None:
    """Three of four came in time."""
    outcomes = [outcome(0, seconds, 503) for seconds in (0.002, 0.1, 0.004, 0.101)]
    flood = summarise(outcomes, rate=4, window=(0, 2), client=0)
    assert flood.refused == 2.0
    assert flood.refused_in_time == 0.75
    assert flood.refusal_slowest == pytest.approx(101)


def test_what_is_neither_an_answer_nor_a_refusal_failed() -> None:
    """An error of the server, and silence; neither was refused in time."""
    flood = summarise([outcome(1, 0.01, 500), outcome(1, 35, 0)], rate=2, window=(0, 2), client=0)
    assert flood.failed == 2
    assert flood.refused_in_time == 0.0


def test_a_service_that_refuses_nothing_refuses_nothing_late() -> None:
    """There is no rest."""
    assert summarise([outcome(1, 0.01, 200)], rate=1, window=(0, 2), client=0).refused_in_time == 1.0


def test_an_answer_is_complete_with_its_last_byte_and_not_before() -> None:
    """Whatever part of it is there."""
    assert {complete(ANSWER[:end]) for end in range(len(ANSWER))} == {None}
    assert complete(ANSWER) == 200


def test_requests_are_sent_at_the_rate_that_was_asked_for(answers: Answering) -> None:
    """200 a second for half a second behind a warm-up: none is left out, none goes sooner, and each is noted."""
    start = time.perf_counter()
    with answers(REFUSAL) as url:
        flood = open_loop(url, request("/", b"body"), rate=200, warm_up=0.1, seconds=0.5)
    assert time.perf_counter() - start > 119 / 200
    assert (flood.offered, flood.refused, flood.failed) == (200, pytest.approx(200), 0)


def test_refusals_are_told_from_answers(answers: Answering) -> None:
    """By a real server that refuses everything, and by one that refuses nothing."""
    with answers(REFUSAL) as url:
        flood = open_loop(url, request("/", b"body"), rate=100, warm_up=0, seconds=0.3)
    assert (flood.answered, flood.refused, flood.failed) == (0, pytest.approx(100), 0)
    with answers(ANSWER) as url:
        flood = open_loop(url, request("/", b"body"), rate=100, warm_up=0, seconds=1)
    assert 0 < flood.answered <= 100
    assert (flood.refused, flood.failed) == (0, 0)


def test_a_connection_that_is_closed_without_an_answer_failed(answers: Answering) -> None:
    """Whoever sent the request is told at once, not after the patience of the loop."""
    with answers(b"") as url:
        flood = open_loop(url, request("/", b"body"), rate=50, warm_up=0, seconds=0.2)
    assert flood.failed == 10

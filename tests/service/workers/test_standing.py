"""Promises of service.workers.standing."""

import pytest

from service.workers.messages import Counts
from service.workers.standing import Standing, surplus


def standing(*, taken: int = 0, closed: int = 0, ready: int = 1) -> Standing:
    """A worker that has taken what was handed to it, at second 0."""
    made = Standing(up=True, ready=ready)
    for _ in range(taken):
        made.hand(0)
    made.count(Counts(taken, closed), 0)
    return made


def test_the_one_with_the_fewest_connections_comes_first() -> None:
    """Those that are closed do not count."""
    busy, idle = standing(taken=3), standing(taken=9, closed=7)
    assert (busy.open, idle.open) == (3, 2)
    assert idle.rank(0) < busy.rank(0)


def test_connections_on_the_way_count() -> None:
    """Of two workers, the second connection is for the other one, though nothing was heard of the first."""
    first, second = standing(), standing()
    first.hand(0)
    assert second.rank(0) < first.rank(0)


def test_callers_who_come_and_go_are_spread() -> None:
    """Where nobody has a connection, it is the turn of the one that has had fewer."""
    assert standing(taken=4, closed=4).rank(0) < standing(taken=5, closed=5).rank(0)


def test_one_that_serves_fewer_models_comes_behind() -> None:
    """It is starting, or it did not find all of them."""
    assert standing(taken=9, ready=2).rank(0) < standing(ready=1).rank(0)


def test_one_that_takes_nothing_comes_behind() -> None:
    """After a second; until it takes something again."""
    busy, stopped = standing(taken=9), standing()
    stopped.hand(10)
    stopped.hand(10.5)
    assert stopped.rank(11) < busy.rank(11)
    assert busy.rank(11.1) < stopped.rank(11.1)
    stopped.count(Counts(taken=0, closed=0), 11.1)
    assert busy.rank(11.1) < stopped.rank(11.1), "that it told something is not enough"
    stopped.count(Counts(taken=1, closed=0), 11.2)
    assert stopped.rank(11.3) < busy.rank(11.3)


def test_what_was_not_taken_is_bounded() -> None:
    """One more would fill the channel; what it has taken makes room."""
    full = standing()
    for _ in range(64):
        assert full.able
        full.hand(0)
    assert not full.able
    full.count(Counts(taken=1, closed=0), 0)
    assert full.able


@pytest.mark.parametrize(("up", "blocked"), [(False, False), (True, True)])
def test_one_that_is_not_up_gets_nothing(up: bool, blocked: bool) -> None:  # noqa: FBT001  (pytest's)
    """Nor one that could not be reached."""
    assert not Standing(up=up, blocked=blocked).able


@pytest.mark.parametrize(
    ("connections", "beyond"), [([8, 0], [4, 0]), ([5, 4], [0, 0]), ([5, 3], [1, 0]), ([1], [0]), ([], [])]
)
def test_an_equal_share_is_rounded_up(connections: list[int], beyond: list[int]) -> None:
    """So that one too many does not go to and fro."""
    assert surplus([standing(taken=count) for count in connections], 0) == beyond


def test_nobody_moves_to_where_he_is_not_taken() -> None:
    """Workers that are down, that hang or that serve fewer models have no share, and need not give one."""
    down, stopped, starting = standing(), standing(), standing(taken=9, ready=0)
    down.up = False
    stopped.hand(0)
    assert surplus([standing(taken=4), down, stopped, starting], 2) == [0, 0, 0, 0]
    assert surplus([standing(taken=4), standing(), down, stopped, starting], 2) == [2, 0, 0, 0, 0]

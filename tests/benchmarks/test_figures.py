"""What measurements come to."""

import pytest

from benchmarks.figures import Figure, Goal, Measured, Series, figure, in_turn, p50_over, rate_over, tail


def series(*rates: float, p50: float = 1.0, p99: float = 1.0) -> Series:
    """One measurement a round, each with a rate of its own."""
    return Series("photo", 8, [Measured(rate, p50, p99) for rate in rates])


def test_a_ratio_is_taken_within_each_round() -> None:
    """A machine that is half as fast in one round is so for both sides."""
    slow_in_the_second = rate_over("x", series(90, 45, 90), series(100, 50, 100))
    assert slow_in_the_second.median == pytest.approx(0.9)
    assert slow_in_the_second.quartiles == pytest.approx((0.9, 0.9))


def test_a_ratio_tells_what_it_is_of() -> None:
    """The times behind a ratio are reported."""
    assert rate_over("x", series(1200.0), series(2400.0)).of == "1,200.0 / 2,400.0 a second"
    assert p50_over("x", series(1, p50=9.0), series(1, p50=8.0)).of == "9.00 / 8.00 ms"


def test_the_tail_is_the_99th_percentile_over_the_median() -> None:
    """By round."""
    assert tail("x", series(1, 1, p50=10, p99=25)).median == 2.5


@pytest.mark.parametrize(
    ("goal", "median", "verdict"),
    [
        (Goal("at least", 0.95), 0.95, "ok"),
        (Goal("at least", 0.95), 0.949, "missed"),
        (Goal("at most", 1.5), 1.5, "ok"),
        (Goal("at most", 1.5), 1.501, "missed"),
        (None, 0.0, ""),
    ],
)
def test_a_verdict_compares_the_median_with_the_goal(goal: Goal | None, median: float, verdict: str) -> None:
    """A goal is met where it is reached exactly; without one there is nothing to say."""
    assert Figure("x", median, (0, 0), goal).verdict == verdict


def test_a_single_round_is_its_own_median_and_quartiles() -> None:
    """Nothing is needed but one."""
    assert figure("x", [3.0]) == Figure("x", 3.0, (3.0, 3.0))


def test_each_quantity_has_a_median_of_its_own() -> None:
    """The fastest round needs not have the shortest tail."""
    rounds = [Measured(1, 30, 5), Measured(2, 20, 6), Measured(3, 10, 4)]
    assert Series("photo", 8, rounds).median == Measured(2, 20, 5)


def test_another_measurement_is_the_first_in_each_round() -> None:
    """Whoever is always first would always meet what the one before left behind."""
    taken: list[str] = []
    in_turn({name: lambda name=name: taken.append(name) for name in "abc"}, rounds=3)  # type: ignore[misc]
    assert "".join(taken) == "abcbcacab"

"""Promises of service.rates."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.rates import TokenBuckets
from tests.service.test_keys import Clock


def test_a_burst_and_then_the_rate() -> None:
    """Five at once, then one each half second; whoever waits as told gets one."""
    clock = Clock()
    buckets = TokenBuckets(rate=2, burst=5, clock=clock)
    assert [buckets.take("a") for _ in range(5)] == [0] * 5
    wait = buckets.take("a")
    assert wait == pytest.approx(0.5)
    clock.now += wait
    assert buckets.take("a") == 0
    assert buckets.take("a") == pytest.approx(0.5)


def test_who_is_refused_pays_nothing() -> None:
    """To ask in vain does not put off the next token."""
    clock = Clock()
    buckets = TokenBuckets(rate=1, burst=1, clock=clock)
    assert buckets.take("a") == 0
    assert [buckets.take("a") for _ in range(100)] == [pytest.approx(1)] * 100
    clock.now += 1
    assert buckets.take("a") == 0


def test_each_client_has_its_own() -> None:
    """One that asks too much takes nothing from another."""
    buckets = TokenBuckets(rate=1, burst=1, clock=Clock())
    assert [buckets.take("a"), buckets.take("b")] == [0, 0]
    assert buckets.take("a") > 0


def test_a_bucket_never_holds_more_than_a_burst() -> None:
    """However long nothing is taken."""
    clock = Clock()
    buckets = TokenBuckets(rate=10, burst=3, clock=clock)
    buckets.take("a")
    clock.now += 10**6
    assert [buckets.take("a") == 0 for _ in range(4)] == [True, True, True, False]


def test_the_memory_is_bounded() -> None:
    """Many addresses leave as many as there is room for; one that asks again and again in vain is not forgotten."""
    buckets = TokenBuckets(rate=1, burst=1, clock=Clock(), most=100)
    assert buckets.take("stays") == 0
    for number in range(10_000):
        assert buckets.take(f"address {number}") == 0
        if number % 50 == 0:
            assert buckets.take("stays") > 0
    assert len(buckets) == 100
    assert buckets.take("address 0") == 0  # it was forgotten


@given(
    rate=st.floats(0.1, 1000),
    burst=st.integers(1, 50),
    pauses=st.lists(st.floats(0, 5, allow_subnormal=False), max_size=60),
)
def test_never_more_than_rate_and_burst(rate: float, burst: int, pauses: list[float]) -> None:
    """Whenever requests come: no stretch of time has more than a burst, and what came back in it."""
    clock = Clock()
    buckets = TokenBuckets(rate, burst, clock=clock)
    granted: list[float] = []
    for pause in pauses:
        clock.now += pause
        if buckets.take("a") == 0:
            granted.append(clock.now)
    for first, start in enumerate(granted):
        for last in range(first, len(granted)):
            assert last - first + 1 <= burst + rate * (granted[last] - start) + 1e-3


def test_the_memory_is_bounded_where_nobody_says_how() -> None:
    """A service is asked by any number of addresses."""
    buckets = TokenBuckets(rate=1, burst=1, clock=Clock())
    for number in range(70_000):
        buckets.take(str(number))
    assert len(buckets) == 65_536

"""Promises of service.workers.restarts."""

from service.workers.restarts import LONGEST_DELAY_SECONDS, SHORT_SECONDS, delay_seconds, failures


def test_only_a_worker_that_soon_fails_has_failed_to_start() -> None:
    """One that has lived for long, or was told to end, begins anew."""
    assert failures(3, status=1, lived_seconds=SHORT_SECONDS - 1) == 4
    assert failures(3, status=-9, lived_seconds=SHORT_SECONDS - 1) == 4
    assert failures(3, status=1, lived_seconds=SHORT_SECONDS + 1) == 0
    assert failures(3, status=0, lived_seconds=SHORT_SECONDS - 1) == 0


def test_the_delay_grows_and_is_bounded() -> None:
    """Also after a week of failures."""
    delays = [delay_seconds(count) for count in range(1, 9)]
    assert delays[0] == 0
    assert delays == sorted(set(delays))
    assert {delay_seconds(count) for count in (8, 9, 20_000)} == {LONGEST_DELAY_SECONDS}

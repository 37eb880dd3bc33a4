"""Promises of service.request_statistics."""

import pytest

from service.request_statistics import IMAGES, SECONDS, Kind, RequestStatistics
from service.timing import Timings


def test_requests_are_counted_by_kind() -> None:
    """Their times, those of their stages, and how many images they held; nothing of stages that were not reached."""
    statistics = RequestStatistics()
    timings = Timings()
    timings.items = 3
    timings.add("decode", 0.002)
    timings.add("compute", 0.02)
    for status in (200, 200, 504):
        statistics.answered("/classify", "m", 2, status, seconds=0.03, timings=timings)
    statistics.answered("", "", 0, 404, seconds=100.0, timings=None)
    found = dict(statistics.kinds())
    assert list(found) == [
        Kind("/classify", "m", "2", "200"),
        Kind("/classify", "m", "2", "504"),
        Kind("", "", "", "404"),
    ]
    good, _, lost = found.values()
    assert (sum(good.seconds.counts), good.seconds.total) == (2, pytest.approx(0.06))
    assert {stage: times.total for stage, times in good.stages.items()} == pytest.approx(
        {"decode": 0.004, "compute": 0.04}
    )
    assert (sum(good.images.counts), good.images.total) == (2, 6)
    assert (lost.seconds.counts[-1], lost.stages, sum(lost.images.counts)) == (1, {}, 0)


@pytest.mark.parametrize("place", range(len(SECONDS)))
def test_a_bucket_holds_its_end(place: int) -> None:
    """As Prometheus has it: up to and including."""
    statistics = RequestStatistics()
    for seconds in (SECONDS[place], SECONDS[place] * 1.001):
        statistics.answered("/", "", 0, 200, seconds=seconds, timings=None)
    ((_, counted),) = statistics.kinds()
    assert list(counted.seconds.counts[place : place + 2]) == [1, 1]
    assert len(counted.seconds.counts) == len(SECONDS) + 1
    assert len(counted.images.counts) == len(IMAGES) + 1


def test_errors_are_counted_by_reason() -> None:
    """Each for itself."""
    statistics = RequestStatistics()
    for reason in ("deadline", "queue-full", "deadline"):
        statistics.failed(reason)
    assert statistics.errors() == {"deadline": 2, "queue-full": 1}

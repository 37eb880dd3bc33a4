"""Promises of service.timing."""

import pytest

from service.timing import Timings


def test_time_adds_up_by_stage() -> None:
    """A stage that is measured twice counts both times, also when it fails."""
    timings = Timings()
    timings.add("decode", 0.001)
    timings.add("decode", 0.002)
    with pytest.raises(ZeroDivisionError), timings.measure("compute"):
        raise ZeroDivisionError
    assert timings.seconds("decode") == pytest.approx(0.003)
    assert timings.seconds("compute") > 0
    assert timings.seconds("encode") == 0


def test_the_header_is_in_milliseconds() -> None:
    """`Server-Timing` counts in milliseconds."""
    timings = Timings()
    timings.add("queue", 0.0125)
    timings.add("compute", 1)
    assert timings.server_timing() == "queue;dur=12.50, compute;dur=1000.00"

"""Promises of service.signals."""

import time

import pytest

from service.signals import EndSignals


@pytest.mark.parametrize(("after", "second"), [(0.0, False), (0.05, False), (0.15, True)])
def test_one_that_is_sent_twice_is_one(monkeypatch: pytest.MonkeyPatch, after: float, second: bool) -> None:  # noqa: FBT001
    """What comes within a tenth of a second is the same one."""
    signals = EndSignals()
    monkeypatch.setattr(time, "monotonic", lambda: 100.0)
    assert not signals.is_second()
    monkeypatch.setattr(time, "monotonic", lambda: 100.0 + after)
    assert signals.is_second() is second

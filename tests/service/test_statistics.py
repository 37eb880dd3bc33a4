"""Promises of service.statistics."""

import numpy as np
import pytest

from service.statistics import statistics


def test_a_layer_in_numbers() -> None:
    """Two channels: 0 to 3, and one that is dead."""
    found = statistics(np.array([[[0, 1], [2, 3]], [[0, 0], [0, 0]]], np.float32))
    assert (found.values, found.mean, found.min, found.max) == (8, 0.75, 0, 3)
    assert found.deviation == pytest.approx(np.sqrt((1 + 4 + 9) / 8 - 0.75**2))
    assert found.quantiles["0.5"] == 0
    assert found.sparsity == 5 / 8
    assert found.dead_channels == [1]
    assert (found.nan, found.infinite) == (0, 0)


def test_what_is_not_finite_is_counted_and_left_out() -> None:
    """The rest is described as if it were alone."""
    found = statistics(np.array([np.nan, np.inf, -np.inf, 2, 4], np.float32))
    assert (found.nan, found.infinite, found.mean, found.min, found.max) == (1, 2, 3, 2, 4)


def test_nothing_finite_is_no_error() -> None:
    """There is no mean then, nor a quantile."""
    found = statistics(np.array([np.nan], np.float32))
    assert (found.mean, found.deviation, found.min, found.max, found.quantiles["0.5"]) == (None,) * 5

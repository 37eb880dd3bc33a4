"""Promises of service.prediction."""

import numpy as np
import pytest

from service.errors import ParameterError
from service.prediction import Prediction, best

PROBABILITIES = np.array([0.25, 0.5, 0.25], np.float32)


def test_the_best_come_first() -> None:
    """The most probable class comes first; of equal ones the lower number."""
    assert [p.class_id for p in best(PROBABILITIES, None, top_k=3)] == [1, 0, 2]


def test_labels_go_with_their_classes() -> None:
    """A prediction carries the label of its class, or None where there are none."""
    assert best(PROBABILITIES, ["a", "b", "c"], top_k=1) == (Prediction(1, "b", 0.5),)
    assert best(PROBABILITIES, None, top_k=1) == (Prediction(1, None, 0.5),)


@pytest.mark.parametrize("top_k", [-1, 0, 4])
def test_a_number_of_classes_out_of_range_is_refused(top_k: int) -> None:
    """The error says what would be accepted."""
    with pytest.raises(ParameterError, match=f"top_k is {top_k}; accepted: 1 to 3"):
        best(PROBABILITIES, None, top_k=top_k)

"""Promises of service.protocol.classification."""

import numpy as np
import pytest

from service.errors import ParameterError
from service.protocol.classification import classes
from service.protocol.datatypes import DATATYPES, of_array
from service.protocol.tensors import Array


def best(array: Array, *, top_k: int = 2, labels: list[str] | None = None, batched: bool = True) -> object:
    """The best classes as text."""
    datatype = of_array(array.dtype)
    assert datatype is not None
    return classes(array, "y", datatype, labels, top_k=top_k, batched=batched).tolist()


def test_they_are_value_index_and_label() -> None:
    """The value with six decimals, the best first."""
    found = best(np.array([[0.25, 15.34623, -1]], np.float32), labels=["a", "b", "c"])
    assert found == [[b"15.346230:1:b", b"0.250000:0:a"]]


def test_without_labels_there_are_two_parts() -> None:
    """Integers are written plainly."""
    assert best(np.array([[7, 9]], np.uint8)) == [[b"9:1", b"7:0"]]


def test_of_equal_values_the_first_goes_first() -> None:
    """Whatever the type."""
    assert best(np.array([[1, 3, 3]], np.int32), top_k=3) == [[b"3:1", b"3:2", b"1:0"]]


def test_what_is_not_a_number_goes_last() -> None:
    """And infinity first."""
    found = best(np.array([[np.nan, 1, np.inf]], np.float32), top_k=3)
    assert found == [[b"inf:2", b"1.000000:1", b"nan:0"]]


def test_more_classes_than_there_are() -> None:
    """All are given."""
    assert best(np.array([[1]], np.int32), top_k=9) == [[b"1:0"]]


def test_each_item_of_a_batch_has_its_own() -> None:
    """What is behind the first axis is taken as one."""
    assert best(np.array([[[1], [2]], [[4], [3]]], np.int32), top_k=1) == [[b"2:1"], [b"4:0"]]


def test_without_a_batch_there_is_one_axis() -> None:
    """All of the output is one item."""
    assert best(np.array([[1, 2]], np.int32), top_k=1, batched=False) == [b"2:1"]


def test_an_empty_batch_has_none() -> None:
    """Zero items, of no classes."""
    found = classes(np.zeros((0, 3), np.float32), "y", DATATYPES["FP32"], None, top_k=2, batched=True)
    assert found.shape == (0, 2)


@pytest.mark.parametrize("name", ["FP16", "BOOL"])
def test_some_types_have_no_classes(name: str) -> None:
    """As with Triton."""
    with pytest.raises(ParameterError, match=f"class result not available for output 'y', whose datatype is {name}"):
        best(np.zeros((1, 2), DATATYPES[name].dtype))

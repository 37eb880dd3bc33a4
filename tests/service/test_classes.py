"""Promises of service.classes."""

import pytest

from service.classes import check_class, parse_class
from service.errors import ParameterError

LABELS = ("tench", "tiger cat", "Cardigan", "cardigan", "3", "cat food")


@pytest.mark.parametrize(
    ("text", "number"), [("0", 0), (" 5 ", 5), ("tiger cat", 1), ("TIGER Cat", 1), ("Cardigan", 2), ("cardigan", 3)]
)
def test_a_class_is_named_by_number_or_label(text: str, number: int) -> None:
    """As it is written, else in whichever case."""
    assert parse_class(text, LABELS, name="class") == number


def test_a_number_is_never_a_label() -> None:
    """Class 3 is not the class with the label 3."""
    assert parse_class("3", LABELS, name="class") == 3


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("6", "vs is 6; accepted: 0 to 5, or a label"),
        ("-1", "vs is '-1'; accepted: a number from 0 to 5, or a label"),
        ("CARDIGAN", "the label of classes 2 and 3: give one of these numbers"),
        ("cat", "a label; the nearest: tiger cat, cat food"),
        ("trench", "the nearest: tench"),
        ("", "accepted: a number from 0 to 5, or a label"),
        ("²", "accepted: a number from 0 to 5, or a label"),
    ],
)
def test_an_unknown_class_is_refused(text: str, message: str) -> None:
    """With what is accepted, and the nearest labels."""
    with pytest.raises(ParameterError, match=message):
        parse_class(text, LABELS, name="vs")


def test_without_labels_numbers_are_known_only() -> None:
    """How many there are is not known yet."""
    assert parse_class("999", None, name="class") == 999
    with pytest.raises(ParameterError, match="no labels: accepted is the number"):
        parse_class("cat", None, name="class")


def test_a_number_without_a_class_is_refused() -> None:
    """Once it is known how many there are."""
    check_class(2, classes=3, name="class")
    with pytest.raises(ParameterError, match="class is 3; accepted: 0 to 2"):
        check_class(3, classes=3, name="class")

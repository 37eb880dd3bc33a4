"""Names of classes in a request become numbers of classes."""

import difflib
from collections.abc import Sequence
from typing import Final

from service.errors import ParameterError

_NEAREST: Final = 5


def parse_class(text: str, labels: Sequence[str] | None, *, name: str) -> int:
    """Read the number of a class, or a label as it is written; where none is, in whichever case.

    A number is never taken for a label: a class whose label is a number is reached by its own number.

    Args:
        text: What was written.
        labels: Of each class; None where there are none, and then only numbers are known.
        name: Of the parameter, for messages.

    Raises:
        ParameterError: No class has this number or label, or several have the label.

    >>> parse_class("Owl", ["cat", "owl"], name="class")
    1
    """
    text = text.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        if labels is not None:
            check_class(int(text), classes=len(labels), name=name)
        return int(text)
    if labels is None:
        raise ParameterError(f"{name} is {text!r}; this model has no labels: accepted is the number of a class, from 0")
    found = _labelled(text, labels)
    if len(found) > 1:
        numbers = " and ".join(map(str, found))
        raise ParameterError(f"{name} is {text!r}, the label of classes {numbers}: give one of these numbers")
    if not found:
        near = _nearest(text, labels)
        raise ParameterError(
            f"{name} is {text!r}; accepted: a number from 0 to {len(labels) - 1}, or a label"
            + (f"; the nearest: {', '.join(near)}" if near else "")
        )
    return found[0]


def check_class(number: int, *, classes: int, name: str) -> None:
    """Refuse the number of a class that there is not.

    Raises:
        ParameterError: There are fewer classes.
    """
    if not 0 <= number < classes:
        raise ParameterError(f"{name} is {number}; accepted: 0 to {classes - 1}, or a label")


def _labelled(text: str, labels: Sequence[str]) -> list[int]:
    exact = [i for i, label in enumerate(labels) if label == text]
    return exact or [i for i, label in enumerate(labels) if label.casefold() == text.casefold()]


def _nearest(text: str, labels: Sequence[str]) -> list[str]:
    """Labels that hold the text as a word, then those that are spelt like it."""
    words = [label for label in labels if text.casefold() in label.casefold().split()]
    spelt = {label.casefold(): label for label in labels}
    close = [spelt[key] for key in difflib.get_close_matches(text.casefold(), spelt, n=_NEAREST, cutoff=0.5)]
    return list(dict.fromkeys((*words, *close)))[:_NEAREST]

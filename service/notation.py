"""Values as people write them: numbers with commas between them, and files of class names."""

import json
from fractions import Fraction
from pathlib import Path

from service.errors import ParameterError


def numbers(flag: str, text: str) -> tuple[float, ...]:
    """Read `0.5,0.25` or `1/255`.

    >>> numbers("mean", "0.5, 1/4")
    (0.5, 0.25)

    Raises:
        ParameterError: It is something else.
    """
    try:
        return tuple(float(Fraction(part.strip())) for part in text.split(","))
    except (ValueError, ZeroDivisionError) as error:
        raise ParameterError(
            f"--{flag} is {text!r}; accepted: numbers with commas between them, or as 1/255"
        ) from error


def number(flag: str, text: str) -> float:
    """Read `0.5` or `1/255`.

    >>> number("rescale-factor", "1/4")
    0.25

    Raises:
        ParameterError: It is something else.
    """
    values = numbers(flag, text)
    if len(values) != 1:
        raise ParameterError(f"--{flag} is {text!r}; accepted: one number, as 1/255")
    return values[0]


def class_names(path: Path) -> tuple[str, ...]:
    """Read the names of classes: a line for each, a JSON list, or a JSON object from number to name.

    Raises:
        ParameterError: The file cannot be read, or holds something else.
    """
    try:
        text = path.read_text("utf-8")
        listed = json.loads(text) if path.suffix.lower() == ".json" else text.splitlines()
        if isinstance(listed, dict):
            listed = [listed[str(i)] for i in range(len(listed))]
    except OSError as error:
        raise ParameterError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, KeyError) as error:
        raise ParameterError(f"{path} holds no labels: accepted are a line for each, or JSON from 0 on") from error
    return tuple(str(label) for label in listed)

"""The tree of errors."""

import inspect
import re

from export import errors
from service.errors import StriateError


def test_the_drawn_tree_names_every_error_below_its_parent() -> None:
    """The drawing at the top of the module is the tree of the classes."""
    drawn = re.findall(r"^ {4}([│├└─ ]*)(\w+Error)\b", errors.__doc__ or "", flags=re.MULTILINE)
    parents: list[str] = []
    found = {}
    for lines, name in drawn:
        depth = len(lines) // 4
        parents[depth:] = [name]
        found[name] = parents[depth - 1] if depth else StriateError.__name__
    classes = inspect.getmembers(errors, lambda value: inspect.isclass(value) and value.__module__ == errors.__name__)
    assert found == {name: cls.__base__.__name__ for name, cls in classes}


def test_a_verification_error_lists_every_failure_the_first_in_its_head() -> None:
    """Who reads one line knows where to begin; who reads all of it misses nothing."""
    failures = [errors.ShapeMismatchError("conv1 is wide"), errors.ValueMismatchError("fc is off")]
    error = errors.VerificationError(failures)
    assert error.failures == tuple(failures)
    assert str(error).splitlines() == [
        "the model differs from PyTorch in 2 places; the first: conv1 is wide",
        "  fc is off",
    ]

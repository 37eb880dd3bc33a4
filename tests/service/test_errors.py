"""Promises of service.errors."""

import inspect

from service import errors


def test_the_drawn_tree_is_the_tree() -> None:
    """The tree at the top of the file shows every class under its parent, and no other."""
    drawn = [line[4:] for line in (errors.__doc__ or "").splitlines() if line.startswith("    ")]
    names = [line.lstrip("│├└─ ").split()[0] for line in drawn]
    depths = [(len(line) - len(line.lstrip("│├└─ "))) // 4 for line in drawn]
    parents = {
        name: next(names[j] for j in range(i - 1, -1, -1) if depths[j] < depths[i])
        for i, name in enumerate(names)
        if depths[i]
    }

    public = {
        name: cls
        for name, cls in inspect.getmembers(errors, inspect.isclass)
        if issubclass(cls, errors.StriateError) and not name.startswith("_")
    }
    assert set(names) == set(public)
    assert all(issubclass(public[child], public[parent]) for child, parent in parents.items())


def test_a_name_that_is_not_known_comes_with_the_nearest() -> None:
    """Both the message and the error tell the nearest names."""
    error = errors.UnknownLayerError("no layer 'conf'", nearest=["conv"])
    assert str(error) == "no layer 'conf'; the nearest: conv"
    assert error.nearest == ("conv",)


def test_one_of_several_images_is_named() -> None:
    """An error about an image says which image, where there are several."""
    assert str(errors.ImageDecodeError("it is damaged", index=2)) == "image 2: it is damaged"
    assert str(errors.ImageDecodeError("it is damaged")) == "it is damaged"

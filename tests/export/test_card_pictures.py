"""The pictures of a card say what is stored."""

import io

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from export.card import Confusion
from export.card_pictures import draw_confusion


def pixels(data: bytes) -> NDArray[np.uint8]:
    """The picture, (height, width, 3)."""
    return np.asarray(Image.open(io.BytesIO(data)).convert("RGB"))


def test_the_same_counts_give_the_same_picture_and_others_another() -> None:
    """It depends on nothing else: neither on when, nor on what was drawn before."""
    confusion = Confusion(("cat", "dog"), ((9, 1), (0, 10)))
    drawn = draw_confusion(confusion)
    assert drawn == draw_confusion(confusion)
    assert drawn != draw_confusion(Confusion(("cat", "dog"), ((8, 2), (0, 10))))


def test_a_class_that_is_always_right_has_a_dark_square_on_the_diagonal() -> None:
    """A class of which there are no images has a pale row."""
    seen = pixels(draw_confusion(Confusion(("a", "b"), ((5, 0), (0, 0)))))
    dark = (seen == (8, 48, 107)).all(axis=2)  # the darkest of the blues
    rows, columns = np.nonzero(dark)
    assert len(rows) > 1000
    assert rows.max() < 0.6 * seen.shape[0]
    assert columns.max() < 0.8 * seen.shape[1]


def test_many_classes_have_room() -> None:
    """No names, one size."""
    count = 100
    rows = tuple(tuple(int(i == j) for j in range(count)) for i in range(count))
    assert pixels(draw_confusion(Confusion(tuple(map(str, range(count))), rows))).shape == (990, 990, 3)

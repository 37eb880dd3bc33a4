"""Data sets in the IDX format; more of it is in the tests of `export.data`."""

from pathlib import Path

import numpy as np
import pytest

from export import idx
from export.errors import DataError
from tests.export.conftest import TEST_IMAGES, write_idx


def test_a_label_beyond_the_classes_is_refused(dataset: Path) -> None:
    """Training would stop at it after minutes, with a message of PyTorch's."""
    write_idx(dataset / "t10k-labels-idx1-ubyte.gz", np.full(TEST_IMAGES, 10, np.uint8))
    with pytest.raises(DataError, match="holds the label 10; the classes are 0 to 9"):
        idx.read(dataset, ("test",), classes=10)


def test_pixels_have_an_axis_for_their_one_channel(dataset: Path) -> None:
    """As the service decodes them."""
    assert idx.read(dataset, ("test",), classes=10)["test"].pixels.shape == (TEST_IMAGES, 28, 28, 1)

"""Promises of benchmarks.decoding."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from benchmarks.decoding import Comparison, agreement_table, jpeg, pictures, scaled
from benchmarks.errors import BenchmarkError
from tests import images
from tests.tiny_models import image_input

SOFT = image_input(channels=3, size=100).model_copy(update={"interpolation": "bicubic", "crop_fraction": 0.5})


def test_a_jpeg_is_taken_as_it_is(tmp_path: Path) -> None:
    """Byte for byte."""
    path = tmp_path / "photo.jpg"
    path.write_bytes(images.encode(images.gradient(20, 30), "jpeg", quality=70))
    assert list(pictures(path)) == [path.read_bytes()]


def test_another_format_becomes_a_jpeg(tmp_path: Path) -> None:
    """Since only JPEGs are decoded at a part of their size."""
    path = tmp_path / "photo.png"
    path.write_bytes(images.encode(images.gradient(20, 30)))
    (found,) = pictures(path)
    assert Image.open(io.BytesIO(found)).format == "JPEG"


def test_of_a_large_photo_quarters_are_taken_too(tmp_path: Path) -> None:
    """From left to right, from top to bottom."""
    pixels = np.zeros((1200, 1400, 3), np.uint8)
    pixels[600:, :700] = 200
    path = tmp_path / "photo.png"
    path.write_bytes(images.encode(pixels))
    _, *quarters = (Image.open(io.BytesIO(data)) for data in pictures(path))
    assert [quarter.size for quarter in quarters] == [(700, 600)] * 4
    assert [int(np.asarray(quarter).mean()) for quarter in quarters] == [0, 0, 200, 0]


def test_what_is_no_picture_is_named(tmp_path: Path) -> None:
    """Instead of being left out."""
    path = tmp_path / "notes.jpg"
    path.write_bytes(b"text")
    with pytest.raises(BenchmarkError, match="notes.jpg cannot be read"):
        list(pictures(path))


@pytest.mark.parametrize(("side", "expected"), [(300, (1, 1.5)), (800, (2, 2.0)), (1000, (2, 2.5)), (4000, (8, 2.5))])
def test_it_is_told_at_which_part_a_picture_is_decoded(side: int, expected: tuple[int, float]) -> None:
    """Half of its side is seen, by a network of 100 pixels."""
    assert scaled(jpeg(Image.new("RGB", (side, side))), SOFT) == expected


def test_the_table_tells_how_many_answers_stay_the_same() -> None:
    """And how far the first class led where they do not."""
    rows = [
        Comparison(1, 1.2, same_class=True, lead=0.9, change=0.01, pixels=0.1, largest_pixel=2),
        Comparison(4, 2.5, same_class=False, lead=0.02, change=0.03, pixels=0.5, largest_pixel=9),
    ]
    table = agreement_table(rows)
    columns = [list(column.cells) for column in table.columns]
    assert columns[0] == ["every pixel decoded", "2 to 3 times the input", "all"]
    assert columns[2] == ["100.0%", "0.0%", "50.0%"]
    assert columns[3] == ["-", "0.020", "0.020"]
    assert columns[4] == ["0.0100 / 0.010", "0.0300 / 0.030", "0.0200 / 0.030"]

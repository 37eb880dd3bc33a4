"""Promises of service.pictures."""

import io
from typing import get_args

import matplotlib as mpl
import numpy as np
import pytest
from PIL import Image

from service import pictures
from service.pictures import Colormap, Scale

CHANNELS = np.array([[[0, 1]], [[-3, 1]]], np.float32)


@pytest.mark.parametrize(
    ("scale", "values"),
    [
        (Scale("channel"), [[[0, 1]], [[0, 1]]]),
        (Scale("layer"), [[[0.75, 1]], [[0, 1]]]),
        (Scale("fixed", -1, 1), [[[0.5, 1]], [[0, 1]]]),
    ],
)
def test_a_scale_is_of_the_channel_the_layer_or_fixed(scale: Scale, values: list[object]) -> None:
    """What lies outside a fixed scale is its end."""
    assert pictures.scaled(CHANNELS, scale).tolist() == values


def test_on_a_symmetric_scale_zero_is_in_the_middle() -> None:
    """And the largest absolute value at an end."""
    assert pictures.scaled(CHANNELS, Scale("channel"), symmetric=True).tolist() == [[[0.5, 1]], [[0, 2 / 3]]]
    assert pictures.scaled(np.zeros((1, 1, 2)), Scale("channel"), symmetric=True).tolist() == [[[0.5, 0.5]]]


@pytest.mark.parametrize(
    "values", [[5, 5], [-7.0733476, -7.073347], [0, np.nan]], ids=["the same", "the same but for rounding", "nan"]
)
def test_a_channel_without_contrast_is_black(values: list[float]) -> None:
    """Rounding noise is not blown up to a picture."""
    assert pictures.scaled(np.array([[values]], np.float32), Scale("channel")).tolist() == [[[0, 0]]]


def test_infinities_are_the_ends_of_the_scale() -> None:
    """Without a warning."""
    data = np.array([[[-np.inf, 0, np.inf]]], np.float32)
    assert pictures.scaled(data, Scale("channel")).tolist() == [[[0, 0.5, 1]]]


@pytest.mark.parametrize(("colormap", "theirs"), [("viridis", "viridis"), ("magma", "magma"), ("rdbu", "RdBu_r")])
def test_the_colours_are_those_of_matplotlib(colormap: Colormap, theirs: str) -> None:
    """Within 8 of 255 levels."""
    values = np.linspace(0, 1, 256)
    expected = mpl.colormaps[theirs](values)[:, :3] * 255
    assert np.abs(pictures.colored(values, colormap).astype(float) - expected).max() <= 8


def test_grey_is_grey() -> None:
    """One number for each value."""
    assert pictures.colored(np.array([[0, 0.5, 1]]), "grey").tolist() == [[0, 128, 255]]


def test_enlarging_repeats_pixels() -> None:
    """By a whole factor, in grey and in colour; nothing is interpolated."""
    assert pictures.enlarged(np.array([[1, 2]], np.uint8), factor=2).tolist() == [[1, 1, 2, 2], [1, 1, 2, 2]]
    red = np.array([[[255, 0, 0]]], np.uint8)
    assert pictures.enlarged(red, factor=2).tolist() == [[[255, 0, 0]] * 2] * 2


def test_tiles_lie_row_by_row_with_gaps() -> None:
    """Three tiles of 1x2 make two rows and two columns; the place of the fourth is white."""
    tiles = [np.array([[a, b]], np.uint8) for a, b in ((1, 2), (3, 4), (5, 6))]
    assert pictures.grid(tiles).tolist() == [
        [1, 2, 255, 3, 4],
        [255, 255, 255, 255, 255],
        [5, 6, 255, 255, 255],
    ]


@pytest.mark.parametrize("channels", [1, 3])
def test_an_overlay_lets_the_photo_shine_through(channels: int) -> None:
    """Half red over half of a grey photo; at 0 the photo alone, at 1 the heat alone."""
    photo = np.full((4, 6, channels), 100, np.uint8)
    red = np.zeros((2, 2, 3), np.uint8)
    red[..., 0] = 255
    for opacity, color in ((0, [100, 100, 100]), (1, [255, 0, 0]), (0.5, [178, 50, 50])):
        found = pictures.overlaid(red, photo, opacity=opacity)
        assert found.shape == (4, 6, 3)
        assert np.abs(found.astype(int) - color).max() <= 1


@pytest.mark.parametrize(("shape", "mode"), [((2, 3), "L"), ((2, 3, 1), "L"), ((2, 3, 3), "RGB")])
def test_a_picture_is_a_png(shape: tuple[int, ...], mode: str) -> None:
    """Grey and colour."""
    with Image.open(io.BytesIO(pictures.to_png(np.zeros(shape, np.uint8)))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", mode, (3, 2))


def test_every_colour_map_has_colours() -> None:
    """None of the names leads nowhere."""
    for colormap in get_args(Colormap):
        assert pictures.colored(np.array([0.0, 1.0]), colormap).size

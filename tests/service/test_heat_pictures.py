"""Promises of service.heat_pictures."""

import numpy as np
import pytest

from service.heat_maps import HeatMap, HeatMaps
from service.heat_pictures import picture
from service.heat_plans import HeatPlan
from service.pictures import Colormap, Picture, colored

SIDE = 800
PHOTO = np.full((1, 2, 3), 100, np.uint8)


def show(
    values: list[float], *, versus: int | None = None, colormap: Colormap | None = None, opacity: float = 1.0
) -> Picture:
    """The picture of a heat map of two places on a photo of two pixels: the colours of its two ends."""
    heat = HeatMap(0, versus, np.array([values], np.float32))
    found = HeatMaps(HeatPlan("cam", "x", "x", (1, 2)), (heat,), PHOTO[np.newaxis])
    large = picture(found, colormap=colormap, opacity=opacity)
    assert large.shape == (SIDE // 2, SIDE, 3)
    return large[0, [0, -1]]


def color(level: float, colormap: Colormap) -> list[int]:
    """The colour of a value from 0 to 1."""
    return [int(value) for value in colored(np.array(level), colormap)]


def test_zero_and_what_is_negative_are_darkest() -> None:
    """Heat has the colours of magma; the largest value is brightest."""
    assert show([-5, 2]).tolist() == [color(0, "magma"), color(1, "magma")]


def test_two_classes_are_red_and_blue() -> None:
    """Red for the one, blue for the other, on one scale around 0."""
    assert show([-2, 2], versus=1).tolist() == [color(0, "rdbu"), color(1, "rdbu")]


def test_where_nothing_speaks_for_either_class_the_photo_is_seen() -> None:
    """In grey, so that red and blue are of the heat alone."""
    assert show([0, 2], versus=1).tolist() == [[100, 100, 100], color(1, "rdbu")]


def test_colours_can_be_chosen() -> None:
    """Also grey ones, and diverging ones for one class."""
    assert show([0, 1], colormap="grey").tolist() == [[0, 0, 0], [255, 255, 255]]
    assert show([-1, 1], colormap="rdbu").tolist() == [color(0, "rdbu"), color(1, "rdbu")]


@pytest.mark.parametrize("opacity", [0, 0.5])
def test_opacity_is_of_the_heat(opacity: float) -> None:
    """0 is the photo alone, 0.5 the mean of both."""
    expected = np.array(color(1, "magma")) * opacity + 100 * (1 - opacity)
    np.testing.assert_allclose(show([0, 1], opacity=opacity)[1], expected, atol=0.5)


@pytest.mark.parametrize("values", [[0, 0], [-1, -2], [np.nan, np.nan]])
def test_no_evidence_is_dark(values: list[float]) -> None:
    """Nothing is blown up."""
    assert show(values).tolist() == [color(0, "magma")] * 2


def test_a_grey_photo_gets_colours_too() -> None:
    """One channel becomes three."""
    found = HeatMaps(
        HeatPlan("cam", "x", "x", (1, 1)),
        (HeatMap(0, None, np.ones((1, 1), np.float32)),),
        np.full((1, 1, 1, 1), 9, np.uint8),
    )
    assert picture(found, opacity=0).tolist() == np.full((SIDE, SIDE, 3), 9).tolist()

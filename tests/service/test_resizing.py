"""Promises of service.resizing."""

from typing import get_args

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image

from service import resizing
from service.resizing import Interpolation, resize
from tests import images

PIECE = (3.25, 1.5, 40.75, 30.0)
FRACTIONS = st.floats(0, 1, allow_subnormal=False)  # a library that others import may switch them off


def catmull_rom(length: int, start: float, end: float, size: int) -> NDArray[np.float64]:
    """The weights of the bicubic filter along one axis, (size, length), from its formula (a = -0.5)."""
    step = (end - start) / size
    widened = max(step, 1.0)
    centres = start + (np.arange(size) + 0.5) * step
    distance = np.abs(np.arange(length) + 0.5 - centres[:, np.newaxis]) / widened  # (size, length)
    near = 1.5 * distance**3 - 2.5 * distance**2 + 1
    far = -0.5 * distance**3 + 2.5 * distance**2 - 4 * distance + 2
    weights = np.where(distance < 1, near, np.where(distance < 2, far, 0))
    normalised: NDArray[np.float64] = weights / weights.sum(axis=1, keepdims=True)
    return normalised


def soft(height: int, width: int) -> Image.Image:
    """A picture without overshoot: what is clipped between the two passes depends on their order."""
    random = np.random.default_rng(0)
    noise = Image.fromarray(random.integers(64, 192, (8, 8, 3), dtype=np.uint8))
    return noise.resize((width, height), Image.Resampling.BICUBIC)


@pytest.mark.parametrize("fast", [True, False])
@pytest.mark.parametrize("size", [(16, 12), (60, 50)], ids=["smaller", "larger"])
def test_bicubic_is_what_its_formula_says(size: tuple[int, int], *, fast: bool) -> None:
    """Of a box with parts of pixels, within the rounding of two passes, whichever code computes it."""
    picture = soft(32, 48)
    left, top, right, bottom = PIECE
    rows, columns = catmull_rom(32, top, bottom, size[1]), catmull_rom(48, left, right, size[0])
    expected = np.einsum("yh,hwc,xw->yxc", rows, np.asarray(picture, np.float64), columns)  # (height, width, 3)
    found = np.asarray(resize(picture, size, PIECE, "bicubic", fast=fast), np.float64)
    assert np.abs(found - expected).max() < 1.5
    assert np.abs(found - expected).mean() < 0.35


@pytest.mark.parametrize("interpolation", get_args(Interpolation))
@pytest.mark.parametrize("mode", ["RGB", "L"])
def test_fast_is_near_to_exact(interpolation: Interpolation, mode: str) -> None:
    """Every filter is the same one, in colour and in grey."""
    picture = soft(90, 130).convert(mode)
    fast, exact = (
        np.asarray(resize(picture, (32, 24), (5.5, 3.25, 120.0, 89.0), interpolation, fast=fast), np.int16)
        for fast in (True, False)
    )
    assert np.abs(fast - exact).max() <= 2


def test_exact_is_what_pillow_makes() -> None:
    """Byte for byte."""
    picture = soft(50, 70)
    expected = picture.resize((20, 10), Image.Resampling.LANCZOS, box=PIECE)
    assert resize(picture, (20, 10), PIECE, "lanczos", fast=False).tobytes() == expected.tobytes()


@pytest.mark.parametrize("fast", [True, False])
def test_a_picture_of_the_right_size_stays_as_it_is(*, fast: bool) -> None:
    """Nothing is computed."""
    picture = Image.fromarray(images.gradient(8, 9))
    assert resize(picture, (9, 8), (0.0, 0.0, 9.0, 8.0), "bicubic", fast=fast) is picture


@pytest.mark.parametrize("fast", [True, False])
def test_a_part_of_the_right_size_is_cut_out(*, fast: bool) -> None:
    """And a part of a picture of that size is enlarged."""
    picture = Image.fromarray(images.gradient(16, 18))
    cut = resize(picture, (9, 8), (0.0, 0.0, 9.0, 8.0), "bicubic", fast=fast)
    assert cut.tobytes() == picture.crop((0, 0, 9, 8)).tobytes()
    enlarged = resize(picture, (18, 16), (0.0, 0.0, 9.0, 8.0), "bicubic", fast=fast)
    assert enlarged.size == picture.size
    assert enlarged.tobytes() != picture.tobytes()


def test_without_vector_instructions_pillow_does_the_work(monkeypatch: pytest.MonkeyPatch) -> None:
    """Where there is no wheel, `fast` is what `exact` is."""
    monkeypatch.setattr(resizing, "simd", None)
    picture = soft(90, 130)
    fast, exact = (resize(picture, (32, 24), PIECE, "bicubic", fast=fast) for fast in (True, False))
    assert fast.tobytes() == exact.tobytes()


@given(
    width=st.integers(1, 300),
    height=st.integers(1, 300),
    interpolation=st.sampled_from(get_args(Interpolation)),
    data=st.data(),
)
def test_any_box_of_any_picture_is_resized(
    width: int, height: int, interpolation: Interpolation, data: st.DataObject
) -> None:
    """However thin the picture, however small the box: a plain picture stays plain."""
    fractions = st.lists(FRACTIONS, min_size=2, max_size=2).map(sorted).filter(lambda ends: ends[1] - ends[0] > 1e-3)
    (left, right), (top, bottom) = data.draw(fractions), data.draw(fractions)
    box = (left * width, top * height, right * width, bottom * height)
    size = data.draw(st.tuples(st.integers(1, 40), st.integers(1, 40)))
    for fast in (True, False):
        found = resize(Image.new("RGB", (width, height), (9, 120, 250)), size, box, interpolation, fast=fast)
        assert found.size == size
        np.testing.assert_allclose(
            np.asarray(found, np.int16), np.broadcast_to((9, 120, 250), (*size[::-1], 3)), atol=1
        )

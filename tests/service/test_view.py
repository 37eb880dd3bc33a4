"""Promises of service.view."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ParameterError
from service.view import Array, Dtype, Ranges, Reduce, View, parse_channels, parse_ranges

# Two images of three channels of 2x2: the first 0 to 11, the second their negatives.
DATA = np.stack([np.arange(12), -np.arange(12)]).astype(np.float32).reshape(2, 3, 2, 2)


def see(data: Array = DATA, **choices: object) -> list[object]:
    """The values of a view, as lists."""
    values: list[object] = View(**choices).of(data).data.tolist()  # type: ignore[arg-type]
    return values


def test_the_plain_view_is_the_data() -> None:
    """All of it, as it is."""
    np.testing.assert_array_equal(View().of(DATA).data, DATA)


def test_channels_come_in_the_order_asked_for() -> None:
    """Numbers and ranges."""
    assert see(channels=parse_channels("2,0"), rows=parse_ranges("0", axis="rows")) == [
        [[[8, 9]], [[0, 1]]],
        [[[-8, -9]], [[0, -1]]],
    ]


def test_the_strongest_channels_are_those_of_each_image() -> None:
    """Of the first image the last channel, of the second the first; their numbers are told."""
    viewed = View(channels=parse_channels("top:2")).of(DATA)
    assert viewed.channels is not None
    assert viewed.channels.tolist() == [[2, 1], [0, 1]]
    np.testing.assert_array_equal(viewed.data[0], DATA[0, [2, 1]])
    np.testing.assert_array_equal(viewed.data[1], DATA[1, [0, 1]])


def test_strength_is_the_mean_or_the_maximum() -> None:
    """A channel with one high value has the larger maximum, a channel of ones the larger mean."""
    data = np.array([[[[1, 1], [1, 1]], [[3, 0], [0, 0]]]], np.float32)
    for text, first in (("top:1", 0), ("top:1:mean", 0), ("top:1:max", 1)):
        viewed = View(channels=parse_channels(text)).of(data)
        assert viewed.channels is not None
        assert viewed.channels.tolist() == [[first]]


def test_rows_and_columns_cut_a_part_out() -> None:
    """Of every channel."""
    view = {"rows": parse_ranges("1", axis="rows"), "columns": parse_ranges("0-1", axis="columns")}
    assert see(DATA[:1], **view) == [[[[2, 3]], [[6, 7]], [[10, 11]]]]


@pytest.mark.parametrize(
    ("reduce", "values"),
    [
        ("mean", [[1.5, 5.5, 9.5], [-1.5, -5.5, -9.5]]),
        ("max", [[3, 7, 11], [0, -4, -8]]),
        ("flatten", [list(range(12)), [-v for v in range(12)]]),
    ],
)
def test_maps_are_reduced(reduce: Reduce, values: list[list[float]]) -> None:
    """To one value for each channel, or one vector."""
    assert see(reduce=reduce) == values


def test_a_vector_has_nothing_to_reduce() -> None:
    """It stays as it is, so that layers with and without maps may be asked for together."""
    assert see(np.array([[1, 2]], np.float32), reduce="mean") == [[1, 2]]


def test_l2_gives_each_image_the_length_one() -> None:
    """(3, 4) becomes (0.6, 0.8); what is all zeros stays so."""
    found = View(l2=True).of(np.array([[3, 4], [0, 0]], np.float32)).data
    np.testing.assert_allclose(found, np.array([[0.6, 0.8], [0, 0]]), rtol=1e-6)


def test_uint8_spreads_over_the_range_of_each_image() -> None:
    """The values come back within half a level."""
    viewed = View(dtype="uint8").of(DATA)
    assert viewed.data.dtype == np.uint8
    assert viewed.low is not None
    assert viewed.high is not None
    assert (viewed.low.tolist(), viewed.high.tolist()) == ([0, -11], [11, 0])
    step = ((viewed.high - viewed.low) / 255).reshape(2, 1, 1, 1)
    back = viewed.low.reshape(2, 1, 1, 1) + viewed.data * step
    np.testing.assert_allclose(back, DATA, atol=float(step.max()) / 2 * 1.001)


def test_uint8_of_constants_and_nan_is_no_error() -> None:
    """Without a warning."""
    assert see(np.array([[7, 7], [np.nan, 1]], np.float32), dtype="uint8") == [[0, 0], [0, 255]]


def test_float16_stays_finite() -> None:
    """What is too large becomes the largest."""
    viewed = View(dtype="float16").of(np.array([[1e9, 0.5]], np.float32))
    assert viewed.data.dtype == np.float16
    assert viewed.data.tolist() == [[65504, 0.5]]


@given(
    shape=st.tuples(st.integers(1, 5), st.integers(1, 4), st.integers(1, 4)) | st.tuples(st.integers(1, 9)),
    reduce=st.sampled_from(["none", "mean", "max", "flatten"]),
    dtype=st.sampled_from(["float32", "float16", "uint8"]),
    top=st.booleans(),
    l2=st.booleans(),
)
def test_the_shape_is_known_before(shape: tuple[int, ...], reduce: Reduce, dtype: Dtype, top: bool, l2: bool) -> None:  # noqa: FBT001
    """Whatever is asked for, for maps and vectors."""
    view = View(channels=parse_channels("top:1") if top else None, reduce=reduce, dtype=dtype, l2=l2)
    data = np.random.default_rng(0).normal(size=(2, *shape)).astype(np.float32)
    assert view.of(data).data.shape == (2, *view.shape(shape))


@pytest.mark.parametrize(
    ("view", "shape", "message"),
    [
        (View(channels=parse_channels("3")), (3, 2, 2), "channels is '3'; this layer has 3: accepted are 0 to 2"),
        (View(channels=parse_channels("top:4")), (3,), "this layer has 3: accepted are top:1 to top:3"),
        (View(channels=parse_channels("top:0")), (3,), "accepted are top:1 to top:3"),
        (View(rows=parse_ranges("2", axis="rows")), (3, 2, 2), "rows is '2'; this layer has 2: accepted are 0 to 1"),
        (View(columns=parse_ranges("0", axis="columns")), (3,), "has no rows and columns"),
    ],
)
def test_what_a_layer_does_not_have_is_refused(view: View, shape: tuple[int, ...], message: str) -> None:
    """Before it is computed, and when it is, with what would be accepted."""
    with pytest.raises(ParameterError, match=message):
        view.shape(shape)
    with pytest.raises(ParameterError, match=message):
        view.of(np.zeros((1, *shape), np.float32))


@pytest.mark.parametrize(
    "text", ["", "a", "1-", "-1", "3-1", "1,,2", "0-9999999999", "1.5", "top", "top:", "top:2:sum"]
)
def test_what_is_no_list_of_channels_is_refused(text: str) -> None:
    """The error shows how it is written."""
    with pytest.raises(ParameterError, match="channels is .*accepted: "):
        parse_channels(text)


def test_a_place_that_is_named_twice_is_refused() -> None:
    """In ranges that overlap, too."""
    with pytest.raises(ParameterError, match="twice"):
        parse_ranges("0-3,2", axis="rows")


def test_places_are_limited() -> None:
    """A range of some characters names a million: a query string has room for six thousand of them."""
    assert len(parse_ranges("0-999998", axis="channels").places) == 999_999
    with pytest.raises(ParameterError, match="of 1,000,000 places at most"):
        parse_ranges("0-600000,600001-1200000", axis="channels")


@given(text=st.text(max_size=20) | st.text("0123456789,-: tomaxp", max_size=30) | st.text("9", min_size=4_000))
def test_no_text_of_channels_escapes(text: str) -> None:
    """Whatever is written: places that are each named once, the strongest, or an error of ours."""
    with contextlib.suppress(ParameterError):
        found = parse_channels(text)
        assert not isinstance(found, Ranges) or len(set(found.places)) == len(found.places) > 0

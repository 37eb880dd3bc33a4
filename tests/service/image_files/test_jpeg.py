"""Promises of service.image_files.jpeg."""

import pytest

from service.errors import ImageDecodeError, ImageTypeError
from service.image_files.jpeg import inspect
from service.image_files.limits import Limits
from tests.hostile_images import jpeg_coded, jpeg_in_parts, jpeg_of_scans, jpeg_segment, jpeg_with

LIMITS = Limits(1_000_000)
RARE = (0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF)
MARKS = b"\xff\xc9\0\2\xff\xda\0\2\xff\xd9"


@pytest.mark.parametrize("marker", RARE, ids=hex)
def test_rare_codings_are_refused(marker: int) -> None:
    """Lossless, hierarchical and arithmetic ones, whatever comes before them."""
    for before in (
        b"",
        b"\xff\0",
        b"\xff\1",
        b"\xff\xd0",
        b"\xff\xd8",
        b"\xff",
        b"\0" * 60_000,
        jpeg_segment(0xE0, MARKS),
    ):
        data = jpeg_coded(marker)
        frame = data.index(bytes((0xFF, marker, 0, 17)))
        with pytest.raises(ImageTypeError, match="lossless, hierarchical or arithmetic-coded; accepted: baseline and"):
            inspect(data[:frame] + before + data[frame:], LIMITS)


def test_an_extended_one_is_as_good_as_a_baseline_one() -> None:
    """And none of what stands in a caption is a marker."""
    for data in (jpeg_coded(0xC1), jpeg_with(jpeg_segment(0xFE, MARKS))):
        assert inspect(data, LIMITS) is data


def test_a_picture_comes_early() -> None:
    """Where encoders are most eager: each segment is read in Python."""
    data = jpeg_with(jpeg_segment(0xE1, b"x") * 400)
    assert inspect(data, LIMITS) is data
    with pytest.raises(ImageDecodeError, match="no picture in its first 500 segments"):
        inspect(jpeg_with(jpeg_segment(0xE1, b"x") * 500), LIMITS)


@pytest.mark.parametrize(
    ("side", "most"),
    [(0, 500), (8, 500), (1_414, 500), (2_000, 250), (7_071, 20), (20_000, 20)],
)
@pytest.mark.parametrize("marker", [0xC0, 0xC1, 0xC2], ids=hex)
def test_scans_are_as_many_as_their_pixels_allow(side: int, most: int, marker: int) -> None:
    """A thousand million pixels in all, 500 scans at most, and 20 always."""
    for scans in (most, most + 1):
        data = bytearray((jpeg_of_scans if marker == 0xC2 else jpeg_in_parts)(64, scans))
        at = data.index(b"\0\x40\0\x40")  # what its frame says that its sides are
        data[at - 4] = marker
        data[at : at + 4] = side.to_bytes(2) * 2
        if scans == most:
            assert inspect(bytes(data), LIMITS) == data
            continue
        with pytest.raises(
            ImageDecodeError, match=f"of {side**2:,} pixels comes in {scans} scans or more; at most {most} are"
        ):
            inspect(bytes(data), LIMITS)


def test_only_scans_of_the_picture_are_counted() -> None:
    """Not those in the comments between them, and nothing behind its end; what they end with is no scan."""
    mark = b"\xff\xda\0\2"
    behind = b"\0\0" + mark * 600
    for data in (jpeg_of_scans(64, 20), jpeg_in_parts(64, 20)):
        assert inspect(data + behind, LIMITS) == data + behind
        between = data[:-2] + jpeg_segment(0xFE, mark * 600) + data[-2:]
        assert inspect(between, LIMITS) is between
        assert inspect(between[:-2], LIMITS) == between[:-2]


def test_a_baseline_picture_in_one_scan_may_hold_any_bytes() -> None:
    """It is read once, whatever comes behind it."""
    data = jpeg_with(b"")[:-2] + b"\xff\xda\0\2" * 600
    assert inspect(data, LIMITS) is data


def test_a_file_that_was_cut_short_is_the_business_of_the_decoder() -> None:
    """It says what is missing, wherever that is: also the frame before 600 scans."""
    data = jpeg_of_scans(64, 600)
    for whole in (data, jpeg_in_parts(64, 600)):
        for length in range(3, whole.index(b"\xff\xda") + 6):
            cut = whole[:length]
            assert inspect(cut, LIMITS) is cut
    headless = data[:2] + data[data.index(b"\xff\xda") :]
    assert inspect(headless, LIMITS) is headless


def test_junk_before_a_marker_has_an_end() -> None:
    """Pillow reads it byte for byte."""
    junk = bytes(65_536)
    with pytest.raises(ImageDecodeError, match="no picture in its first 500 segments"):
        inspect(jpeg_with(b"\xff\xfe\0\2" + junk), LIMITS)
    data = jpeg_with(b"\xff\xfe\0\2" + junk[:-1])
    assert inspect(data, LIMITS) is data

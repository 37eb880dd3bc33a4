"""Promises of service.image_files.png."""

from service.image_files.limits import Limits
from service.image_files.png import inspect
from tests.hostile_images import grey_png, png, png_chunk

LIMITS = Limits(1_000_000)
TEXT = (b"tEXt", b"k\0IDAT IEND")


def test_a_picture_with_nothing_beside_it_is_not_copied() -> None:
    """Of all that makes pixels or turns them, nothing is left out."""
    data = png(
        (1, 1),
        depth=8,
        colour=3,
        rows=[b"\0"],
        before=[(b"PLTE", b"\1\2\3"), (b"tRNS", b"\7")],
        after=[(b"IDAT", b""), (b"eXIf", b"II*\0")],
    )
    assert inspect(data, LIMITS) is data


def test_what_is_beside_the_picture_is_left_out() -> None:
    """Before, between and behind what makes it."""
    made = [(b"tRNS", b"\0\7")]
    data = grey_png(before=[TEXT, TEXT, *made, TEXT], after=[TEXT])
    assert inspect(data, LIMITS) == grey_png(before=made)


def test_what_lies_behind_the_end_is_not_walked() -> None:
    """However many chunks it would be."""
    data = grey_png() + png_chunk(b"IDAT", b"") * 20_001
    assert inspect(data, LIMITS) is data


def test_a_file_that_was_cut_short_is_the_business_of_the_decoder() -> None:
    """It says what is missing, wherever that is."""
    whole = grey_png(before=[(b"tRNS", b"\0\7")])
    for length in range(8, len(whole)):
        assert whole[:length].startswith(inspect(whole[:length], LIMITS))

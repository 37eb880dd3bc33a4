"""Promises of service.image_files.tiff."""

import pytest

from service.errors import ImageDecodeError, ImageTypeError, RequestTooLargeError
from service.image_files.limits import Limits
from service.image_files.tiff import inspect
from tests.hostile_images import grey_tiff_tags, tiff

LIMITS = Limits(1_000_000)
TAGS = grey_tiff_tags(8, 8)
LARGE = 100_001


def with_tags(*, repeat: int = 0, **changed: tuple[int, list[int]]) -> bytes:
    """A grey TIFF; `changed` are tags by `t` and their number."""
    return tiff(TAGS | {int(name[1:]): given for name, given in changed.items()}, bytes(64), repeat=repeat)


@pytest.mark.parametrize(
    "data",
    [
        with_tags(t258=(3, [1])),
        with_tags(t258=(3, [2])),
        with_tags(t258=(3, [4])),
        with_tags(t258=(3, [16])),
        with_tags(t258=(3, [8, 8, 8]), t277=(3, [3]), t262=(3, [2])),
        with_tags(t259=(1, [1])),
        with_tags(t259=(4, [32773])),
        *(with_tags(t259=(3, [compression])) for compression in (5, 8, 32946)),
        with_tags(t330=(4, [8])),
        with_tags(t254=(4, [1])),
        with_tags(t254=(4, [2]), t330=(4, [8])),
        with_tags(t322=(4, [1_000]), t323=(3, [1_000])),
        with_tags(t273=(4, [8] * 100_000)),
        tiff({tag: given for tag, given in TAGS.items() if tag not in (258, 259)}, bytes(64)),
        tiff(TAGS, bytes(64), order=">"),
    ],
    ids=str,
)
def test_what_encoders_write_is_accepted(data: bytes) -> None:
    """Any number of bits, a number of any type, a smaller copy inside, a preview, tiles, many strips."""
    assert inspect(data, LIMITS) is data


@pytest.mark.parametrize("kind", [1, 2, 6, 7])
def test_bytes_may_be_many(kind: int) -> None:
    """Profiles and captions are no objects in Python for each of them."""
    data = bytearray(with_tags(t34675=(4, [7])))
    at = data.index((34675).to_bytes(2, "little")) + 2
    data[at : at + 6] = kind.to_bytes(2, "little") + LARGE.to_bytes(4, "little")
    assert inspect(bytes(data), LIMITS) == data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (with_tags(repeat=1_000), "the TIFF has 1,009 tags; at most 1,000 are accepted"),
        (with_tags(repeat=1), "the TIFF has tag 256 twice"),
        (with_tags(t273=(4, [8] * LARGE)), "tag 273 of the TIFF has 100,001 values of type 4"),
        (with_tags(t259=(3, [1, 5])), "tag 259 of the TIFF is not one whole number"),
        (with_tags(t322=(4, [])), "tag 322 of the TIFF is not one whole number"),
    ],
)
def test_what_no_encoder_writes_is_refused(data: bytes, why: str) -> None:
    """Each value becomes an object, and decoders do not agree on what counts."""
    with pytest.raises(ImageDecodeError, match=why):
        inspect(data, LIMITS)


@pytest.mark.parametrize(("kind", "why"), [(0, "1 values of type 0"), (14, "1 values of type 14"), (5, "one whole")])
def test_a_type_that_is_none_is_refused(kind: int, why: str) -> None:
    """As is one that a number cannot have."""
    data = bytearray(with_tags(t322=(4, [65_536])))
    at = data.index((322).to_bytes(2, "little") + b"\4\0") + 2
    data[at : at + 2] = kind.to_bytes(2, "little")
    with pytest.raises(ImageDecodeError, match=f"tag 322 of the TIFF .*{why}"):
        inspect(bytes(data), LIMITS)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (with_tags(t50706=(1, [1, 4, 0, 0])), "a camera's raw file"),
        (with_tags(t254=(4, [3]), t330=(4, [8])), "a camera's raw file"),
        (with_tags(t259=(3, [7])), "the TIFF has compression 7; accepted: none, LZW, Deflate, PackBits"),
        (with_tags(t258=(3, [12])), "the TIFF has 12 bits"),
        (with_tags(t258=(3, [16]), t262=(3, [0])), "16 of which 0 is black"),
    ],
)
def test_kinds_that_are_not_accepted_are_told(data: bytes, found: str) -> None:
    """Each would be decoded by code that few use, or to colours that are not meant."""
    with pytest.raises(ImageTypeError, match=found):
        inspect(data, LIMITS)


@pytest.mark.parametrize("order", ["<", ">"])
def test_a_tile_is_no_larger_than_a_picture(order: str) -> None:
    """Room is made for the whole of it, in whichever order its bytes are."""
    data = tiff(TAGS | {322: (4, [1_001]), 323: (3, [1_000])}, bytes(64), order=order)
    with pytest.raises(RequestTooLargeError, match="1001x1000 pixels; at most 1,000,000 are accepted"):
        inspect(data, LIMITS)


def test_a_file_that_was_cut_short_is_the_business_of_the_decoder() -> None:
    """It says what is missing, wherever that is."""
    for length in range(8, 120):
        data = with_tags()[:length]
        assert inspect(data, LIMITS) is data

"""Promises of service.encoded_image."""

import pytest
from PIL import Image

from service.encoded_image import open_image
from service.errors import ImageDecodeError, ImageTypeError, MalformedRequestError, RequestTooLargeError
from tests import images

LIMIT = 1_000_000


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"hello, world", "the bytes are text"),
        (b"%PDF-1.7\n\xff", "the bytes are a PDF document"),
        (b"II*\x00\x08\x00\x00\x00", "the bytes are a TIFF image"),
        (b"\x00\x00\x00\x18ftypheic\xff", "the bytes are a HEIC, AVIF or video file"),
        (b"\xff\x00\x11\x80", "the bytes are no image"),
    ],
    ids=["text", "pdf", "tiff", "heic", "noise"],
)
def test_what_is_no_image_is_told_so(data: bytes, found: str) -> None:
    """The error says what the bytes look like, and what would be accepted."""
    with pytest.raises(ImageTypeError, match=f"{found}.*accepted: JPEG, PNG, WEBP, GIF"):
        open_image(data, max_pixels=LIMIT)


def test_no_bytes_are_no_image() -> None:
    """An empty body is a malformed request."""
    with pytest.raises(MalformedRequestError, match="the body is empty"):
        open_image(b"", max_pixels=LIMIT)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    """A picture over the limit is refused by its header, with its size and the limit."""
    data = images.encode(Image.new("L", (2000, 1000)))
    with pytest.raises(RequestTooLargeError, match="2000x1000 pixels; at most 1,000,000 are accepted"):
        open_image(data, max_pixels=LIMIT)


def test_a_decompression_bomb_is_refused() -> None:
    """20000x20000 pixels in some 50 KB are refused without taking the memory."""
    data = images.encode(Image.new("1", (20_000, 20_000)))
    assert len(data) < 100_000
    with pytest.raises(RequestTooLargeError, match="far too many pixels"):
        open_image(data, max_pixels=50_000_000)


def test_a_jpeg_of_endless_scans_is_refused() -> None:
    """A scan of some bytes passes over every pixel: half a megabyte of them would take minutes."""
    data = images.encode(Image.new("RGB", (900, 900)), "jpeg", progressive=True)
    last = data[data.rindex(b"\xff\xda") : -2]
    with pytest.raises(ImageDecodeError, match="the JPEG comes in 1,010 scans; at most 500 are accepted"):
        open_image(data[:-2] + last * 1000 + data[-2:], max_pixels=LIMIT)

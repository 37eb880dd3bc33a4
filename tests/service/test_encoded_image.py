"""Promises of service.encoded_image."""

import logging
import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import AvifImagePlugin, Image

from service import encoded_image
from service.encoded_image import open_image, prepare_decoders
from service.errors import ImageDecodeError, ImageTypeError, MalformedRequestError, RequestTooLargeError
from tests import images
from tests.hostile_images import avif, bmp_of_runs, jpeg_coded, tiff_of_pixels

LIMIT = 1_000_000
THREADS = Path("/proc/self/task")


def box(brand: bytes, *more: bytes) -> bytes:
    """The start of a file of the family of MP4, which says what it can be read as."""
    brands = brand + bytes(4) + b"".join(more)
    return (8 + len(brands)).to_bytes(4) + b"ftyp" + brands + b"\xff" * 40


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (b"hello, world", "the bytes are text"),
        (b"%PDF-1.7\n\xff", "the bytes are a PDF document"),
        (b'<?xml version="1.0"?>\n<svg/>', "the bytes are an SVG drawing"),
        (b"\x00\x00\x01\x00\x01\x00\x10\x10", "the bytes are an icon"),
        (box(b"heic", b"mif1", b"heic"), "the bytes are a HEIC photo: save or share it as JPEG"),
        (box(b"mif1", b"mif1", b"heix"), "the bytes are a HEIC photo"),
        (box(b"isom", b"mp42"), "the bytes are a video"),
        (box(b"crx ", b"isom"), "the bytes are a camera's raw file"),
        (b"II*\x00\x10\x00\x00\x00CR\x02\x00", "the bytes are a camera's raw file"),
        (b"RIFF\xff\x00\x00\x00AVI LIST", "the bytes are a video or sound"),
        (b"\x1aE\xdf\xa3\x01\x00", "the bytes are a video"),
        (b"II+\x00\x08\x00\x00\x00", "the bytes are a BigTIFF image"),
        (b"\xff\x00\x11\x80", "the bytes are no image"),
    ],
)
def test_what_is_no_image_is_told_so(data: bytes, found: str) -> None:
    """The error says what the bytes look like, and what would be accepted."""
    with pytest.raises(ImageTypeError, match=f"{found}.*accepted: JPEG, PNG, WEBP, GIF, BMP, TIFF, AVIF"):
        open_image(data, max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (tiff_of_pixels(np.zeros((2, 2), np.uint8), t50706=(1, [1, 4, 0, 0])), "a camera's raw file"),
        (tiff_of_pixels(np.zeros((2, 2), np.uint8), t254=(4, [1]), t330=(4, [8])), "a camera's raw file"),
        (tiff_of_pixels(np.zeros((2, 2), np.uint8), t259=(3, [34925])), "compression 34925; accepted: none, LZW"),
        (tiff_of_pixels(np.zeros((2, 2), np.float32), sample_format=3), "the TIFF has 32 bits; accepted: 1, 2, 4, 8"),
        (tiff_of_pixels(np.zeros((2, 2), np.uint32)), "the TIFF has 32 bits"),
        (tiff_of_pixels(np.zeros((2, 2), np.int16), sample_format=2), "the TIFF has pixels of a kind"),
        (tiff_of_pixels(np.zeros((2, 2), np.uint16), t262=(3, [0])), "16 of which 0 is black"),
        (images.encode(Image.new("LAB", (2, 2)), "tiff"), "the TIFF has pixels of a kind"),
        (jpeg_coded(0xC3), "lossless, hierarchical or arithmetic-coded"),
        (jpeg_coded(0xC9), "lossless, hierarchical or arithmetic-coded"),
        (bmp_of_runs(), "the BMP is compressed"),
    ],
)
def test_kinds_of_images_that_are_not_accepted_are_told_so(data: bytes, found: str) -> None:
    """Raw files, values without a white, and codings that are rare, slow or both."""
    with pytest.raises(ImageTypeError, match=found):
        open_image(data, max_pixels=LIMIT)


def test_an_avif_is_refused_where_pillow_cannot_read_it(monkeypatch: pytest.MonkeyPatch) -> None:
    """The error says why."""
    monkeypatch.setattr(encoded_image, "FORMATS", ("JPEG", "PNG"))
    with pytest.raises(ImageTypeError, match="AVIF, which the Pillow on this machine cannot read; accepted: JPEG, PNG"):
        open_image(avif(), max_pixels=LIMIT)


def test_no_bytes_are_no_image() -> None:
    """An empty body is a malformed request."""
    with pytest.raises(MalformedRequestError, match="the body is empty"):
        open_image(b"", max_pixels=LIMIT)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    """A picture over the limit is refused by its header, with its size and the limit."""
    data = images.encode(Image.new("L", (2000, 1000)))
    with pytest.raises(RequestTooLargeError, match="2000x1000 pixels; at most 1,000,000 are accepted"):
        open_image(data, max_pixels=LIMIT)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (images.plain(0)[:40], "the header of the PNG is damaged$"),
        (images.encode(Image.new("L", (2, 2)), "gif")[:12], "the header of the GIF is damaged$"),
        (
            b"BM" + bytes(12) + b"\x63" + bytes(120),
            "the header of the BMP is damaged: Unsupported BMP header type .99.$",
        ),
        (avif().replace(b"av1C", b"free"), "the header of the AVIF is damaged: Failed to decode image"),
    ],
)
def test_a_header_that_is_damaged_is_told_so(data: bytes, why: str) -> None:
    """With the words of its decoder, where they say more than where the bytes lie in memory."""
    with pytest.raises(ImageDecodeError, match=why):
        open_image(data, max_pixels=LIMIT)


class OddError(Exception):
    """One that nobody thought of."""


def test_whatever_a_decoder_raises_is_about_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Decoders are many, and what they raise changes with every version of them."""

    def fail(*_args: object, **_options: object) -> None:
        raise OddError("it is odd")

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(ImageDecodeError, match="the header of the PNG is damaged: it is odd"):
        open_image(images.plain(0), max_pixels=LIMIT)


def test_the_end_of_the_memory_is_not_about_the_bytes(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no fault of the caller."""

    def fail(*_args: object, **_options: object) -> None:
        raise MemoryError

    monkeypatch.setattr(Image, "open", fail)
    with pytest.raises(MemoryError):
        open_image(images.plain(0), max_pixels=LIMIT)


def test_what_decoders_find_odd_is_not_logged(caplog: pytest.LogCaptureFixture) -> None:
    """A caller would fill the log with it."""
    data = tiff_of_pixels(np.zeros((2, 2), np.uint8), t277=(3, [9]))
    logging.getLogger("PIL").setLevel(logging.NOTSET)
    with pytest.raises(ImageDecodeError):
        open_image(data, max_pixels=LIMIT)
    assert "More samples per pixel than can be decoded" in caplog.text
    caplog.clear()
    prepare_decoders()
    with pytest.raises(ImageDecodeError):
        open_image(data, max_pixels=LIMIT)
    assert not caplog.text


@pytest.mark.skipif(sys.platform != "linux", reason="the threads are counted in /proc")
def test_an_avif_is_decoded_by_the_thread_that_asks(monkeypatch: pytest.MonkeyPatch) -> None:
    """Each request has one, and its decoder would take one for each core."""
    monkeypatch.setattr(AvifImagePlugin, "DEFAULT_MAX_THREADS", 4)
    prepare_decoders()
    before = len(list(THREADS.iterdir()))
    picture = open_image(avif(512), max_pixels=LIMIT)
    picture.load()
    assert len(list(THREADS.iterdir())) <= before

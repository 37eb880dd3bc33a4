"""Promises of service.image."""

import contextlib

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.errors import ImageDecodeError, ImageTypeError, MalformedRequestError, RequestTooLargeError
from service.image import crop_box, decode, decode_all
from tests import images
from tests.tiny_models import image_input

LIMIT = 1_000_000
RGB = image_input(channels=3, size=8)
GREY = image_input(channels=1, size=8)


@pytest.mark.parametrize("form", ["png", "webp", "gif", "jpeg"])
def test_each_format_is_read(form: str) -> None:
    """A plain picture keeps its value in each format."""
    data = images.encode(np.full((8, 8, 3), 200, np.uint8), form)
    assert np.abs(decode(data, RGB, max_pixels=LIMIT).astype(int) - 200).max() <= 1


@pytest.mark.parametrize(
    ("options", "mode"),
    [({"progressive": True}, "RGB"), ({}, "L"), ({}, "CMYK")],
    ids=["progressive", "grey", "cmyk"],
)
def test_each_kind_of_jpeg_is_read(options: dict[str, bool], mode: str) -> None:
    """Progressive, grey and CMYK JPEGs become the colours that they show."""
    picture = Image.new("RGB", (8, 8), (90, 90, 90)).convert(mode)
    pixels = decode(images.encode(picture, "jpeg", **options), RGB, max_pixels=LIMIT)
    assert np.abs(pixels.astype(int) - 90).max() <= 2


def test_a_colour_picture_becomes_grey_where_the_network_is() -> None:
    """Grey is the luma of ITU-R 601-2: 0.299 R + 0.587 G + 0.114 B."""
    data = images.encode(np.full((8, 8, 3), (100, 200, 50), np.uint8))
    pixels = decode(data, GREY, max_pixels=LIMIT)
    assert pixels.shape == (8, 8, 1)
    assert np.unique(pixels).tolist() == [153]


@pytest.mark.parametrize(("orientation", "corner"), [(1, (0, 0)), (3, (7, 7)), (6, (0, 7)), (8, (7, 0))])
def test_a_photo_is_turned_as_exif_says(orientation: int, corner: tuple[int, int]) -> None:
    """A camera that was held sideways says so in EXIF; the bright corner comes out where the camera saw it."""
    picture = np.zeros((8, 8, 3), np.uint8)
    picture[0, 0] = 255
    exif = Image.Exif()
    exif[0x0112] = orientation
    pixels = decode(images.encode(picture, exif=exif), RGB, max_pixels=LIMIT)
    assert np.unravel_index(pixels[..., 0].argmax(), (8, 8)) == corner


def test_what_shines_through_is_white() -> None:
    """A transparent pixel shows white, not the colour that hides under it."""
    hidden = np.zeros((8, 8, 4), np.uint8)
    assert decode(images.encode(hidden), RGB, max_pixels=LIMIT).min() == 255


def test_a_palette_with_transparency_is_read() -> None:
    """A palette picture with a transparent entry shows white there, and its colour elsewhere."""
    picture = Image.new("P", (8, 8), 0)
    picture.putpalette([10, 20, 30, 1, 2, 3])
    picture.paste(1, (0, 0, 4, 8))
    pixels = decode(images.encode(picture, transparency=1), RGB, max_pixels=LIMIT)
    assert pixels[0, 0].tolist() == [255, 255, 255]
    assert pixels[0, 7].tolist() == [10, 20, 30]


def test_sixteen_bits_are_scaled() -> None:
    """A 16-bit grey PNG is scaled to 8 bits: 65,535 is white, and half of it is half of white."""
    picture = Image.fromarray(np.array([[0, 32_896], [65_535, 257]], np.uint16))
    pixels = decode(images.encode(picture), image_input(size=2), max_pixels=LIMIT)
    assert pixels[..., 0].tolist() == [[0, 128], [255, 1]]


def test_of_an_animation_the_first_frame_is_taken() -> None:
    """A GIF with two frames is its first."""
    frames = [Image.new("RGB", (8, 8), color) for color in ("black", "white")]
    data = images.encode(frames[0], "gif", save_all=True, append_images=frames[1:])
    assert decode(data, RGB, max_pixels=LIMIT).max() == 0


def test_the_middle_is_cut_out() -> None:
    """Of a wide picture with bright sides, the network sees the dark middle."""
    picture = np.full((8, 24, 3), 255, np.uint8)
    picture[:, 8:16] = 0
    assert decode(images.encode(picture), RGB, max_pixels=LIMIT).max() == 0


@given(
    width=st.integers(1, 5000),
    height=st.integers(1, 5000),
    fraction=st.floats(0.01, 1),
    size=st.integers(1, 300),
)
def test_the_crop_is_centred_and_inside(width: int, height: int, fraction: float, size: int) -> None:
    """The box is a centred square of min(width, height) * crop_fraction, never outside the picture."""
    spec = image_input(size=size, crop_fraction=fraction)
    left, top, right, bottom = crop_box((width, height), spec)
    side = min(width, height) * fraction
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left, bottom - top) == (pytest.approx(side), pytest.approx(side))
    assert (left + right, top + bottom) == (pytest.approx(width), pytest.approx(height))


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
        decode(data, RGB, max_pixels=LIMIT)


def test_no_bytes_are_no_image() -> None:
    """An empty body is a malformed request."""
    with pytest.raises(MalformedRequestError, match="the body is empty"):
        decode(b"", RGB, max_pixels=LIMIT)


@pytest.mark.parametrize("form", ["jpeg", "png", "webp"])
def test_a_picture_that_was_cut_short_is_refused(form: str) -> None:
    """Half a file is never taken for a picture, grey in its lower half."""
    data = images.encode(images.gradient(64, 64), form)
    with pytest.raises((ImageDecodeError, ImageTypeError)):
        decode(data[: len(data) // 2], RGB, max_pixels=LIMIT)


@given(data=st.data())
def test_no_damage_escapes(data: st.DataObject) -> None:
    """Whatever bytes of a picture are overwritten: it is decoded, or refused by an error of ours."""
    form = data.draw(st.sampled_from(["jpeg", "png", "webp", "gif"]))
    picture = bytearray(images.encode(images.gradient(16, 16), form))
    start = data.draw(st.integers(0, len(picture) - 1))
    noise = data.draw(st.binary(min_size=1, max_size=16))
    picture[start : start + len(noise)] = noise
    with contextlib.suppress(ImageDecodeError, ImageTypeError, RequestTooLargeError):
        assert decode(bytes(picture), RGB, max_pixels=LIMIT).shape == (8, 8, 3)


def test_too_many_pixels_are_refused_before_they_are_decoded() -> None:
    """A picture over the limit is refused by its header, with its size and the limit."""
    data = images.encode(Image.new("L", (2000, 1000)))
    with pytest.raises(RequestTooLargeError, match="2000x1000 pixels; at most 1,000,000 are accepted"):
        decode(data, GREY, max_pixels=LIMIT)


def test_a_decompression_bomb_is_refused() -> None:
    """20000x20000 pixels in some 50 KB are refused without taking the memory."""
    data = images.encode(Image.new("1", (20_000, 20_000)))
    assert len(data) < 100_000
    with pytest.raises(RequestTooLargeError, match="far too many pixels"):
        decode(data, GREY, max_pixels=50_000_000)


def test_of_several_images_the_bad_one_is_named() -> None:
    """The error carries the index of the image that it is about."""
    with pytest.raises(ImageTypeError, match="image 1: ") as raised:
        decode_all([images.plain(0), b"text"], GREY, max_pixels=LIMIT)
    assert raised.value.index == 1


def test_several_images_become_one_batch() -> None:
    """Images of different sizes are one array, in their order."""
    batch = decode_all([images.plain(7), images.plain(9, size=(3, 5))], GREY, max_pixels=LIMIT)
    assert batch.shape == (2, 8, 8, 1)
    assert [int(one.max()) for one in batch] == [7, 9]

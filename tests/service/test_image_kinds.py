"""Every kind of picture in every format, held to pixels that were computed by hand."""

import io
import struct
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.encoded_image import open_image
from service.image import decode
from tests import images
from tests.hostile_images import grey_tiff_tags, png, tiff, tiff_of_pixels
from tests.tiny_models import image_input

LIMIT = 1_000_000
RGB = image_input(channels=3, size=2)
GREY = image_input(channels=1, size=2)

Pixel = list[int]


def seen(data: bytes, *, grey: bool = False) -> list[list[Pixel]]:
    """What a network of two by two pixels sees."""
    found: list[list[Pixel]] = decode(data, GREY if grey else RGB, max_pixels=LIMIT).tolist()
    return found


def grey(*values: int) -> list[list[Pixel]]:
    """Four grey values as pixels."""
    return [[[value] for value in values[:2]], [[value] for value in values[2:]]]


def of_16(*values: int) -> bytes:
    """16-bit numbers as PNG has them."""
    return struct.pack(f">{len(values)}H", *values)


WHITE = [255, 255, 255]
COLOURS = ["red", "lime", "blue", "white"]
SHOWN = [[[255, 0, 0], [0, 255, 0]], [[0, 0, 255], WHITE]]


def four_colours(mode: str = "RGB") -> Image.Image:
    """Red, green; blue, white."""
    picture = Image.new("RGB", (2, 2))
    for i, colour in enumerate(COLOURS):
        picture.paste(colour, (i % 2, i // 2, i % 2 + 1, i // 2 + 1))
    return picture.convert(mode)


@pytest.mark.parametrize(
    ("form", "options"),
    [
        ("png", {}),
        ("bmp", {}),
        ("gif", {}),
        ("webp", {"lossless": True}),
        ("avif", {"quality": 100, "subsampling": "4:4:4"}),
        ("tiff", {}),
        ("tiff", {"compression": "tiff_lzw"}),
        ("tiff", {"compression": "tiff_adobe_deflate"}),
        ("tiff", {"compression": "tiff_deflate"}),
        ("tiff", {"compression": "packbits"}),
        ("tiff", {"big_endian": True}),
    ],
)
def test_each_format_keeps_its_colours(form: str, options: dict[str, Any]) -> None:
    """Four colours in their places."""
    found = np.array(seen(images.encode(four_colours(), form, **options)), int)
    assert np.abs(found - SHOWN).max() <= (2 if form == "avif" else 0)


@pytest.mark.parametrize("form", ["png", "bmp", "tiff", "gif"])
@pytest.mark.parametrize("mode", ["1", "L", "P"])
def test_few_bits_and_palettes_are_read(form: str, mode: str) -> None:
    """Black and white, grey, and a palette."""
    picture = Image.new("L", (2, 2), 255)
    picture.putpixel((1, 0), 0)
    assert seen(images.encode(picture.convert(mode), form), grey=True) == grey(255, 0, 255, 255)


@pytest.mark.parametrize(
    ("depth", "rows", "shown"),
    [(1, b"\x40\x80", (0, 255, 255, 0)), (2, b"\x40\xb0", (85, 0, 170, 255)), (4, b"\x0f\x17", (0, 255, 17, 119))],
)
def test_grey_of_few_bits_is_scaled(depth: int, rows: bytes, shown: tuple[int, ...]) -> None:
    """The largest value is white, whatever it is."""
    data = png((2, 2), depth=depth, colour=0, rows=[rows[:1], rows[1:]])
    assert seen(data, grey=True) == grey(*shown)


def test_sixteen_bits_of_colour_are_scaled() -> None:
    """PNG and TIFF: 65,535 is 255, 32,896 is 128, and 257 is 1."""
    values = (65_535, 32_896, 257, 0, 65_535, 0, 32_896, 32_896, 32_896, 257, 257, 257)
    shown = [[[255, 128, 1], [0, 255, 0]], [[128, 128, 128], [1, 1, 1]]]
    assert seen(png((2, 2), depth=16, colour=2, rows=[of_16(*values[:6]), of_16(*values[6:])])) == shown
    for order in "<>":
        tags = grey_tiff_tags(2, 2, length=24) | {258: (3, [16, 16, 16]), 262: (3, [2]), 277: (3, [3])}
        assert seen(tiff(tags, struct.pack(f"{order}12H", *values), order=order)) == shown


@pytest.mark.parametrize("order", ["<", ">"])
def test_sixteen_bits_of_grey_are_scaled_in_a_tiff(order: str) -> None:
    """In either order of bytes."""
    pixels = np.array([[0, 32_896], [65_535, 257]], np.uint16)
    assert seen(tiff_of_pixels(pixels, order=order), grey=True) == grey(0, 128, 255, 1)


def test_sixteen_bits_with_an_alpha_channel_are_scaled() -> None:
    """Half black is the middle grey on white; what is transparent is white."""
    rows = [of_16(0, 65_535, 0, 32_896), of_16(0, 0, 32_896, 65_535)]
    assert seen(png((2, 2), depth=16, colour=4, rows=rows), grey=True) == grey(0, 127, 255, 128)


@pytest.mark.parametrize(
    ("photometric", "alpha", "pixels"),
    [
        (1, 2, [[0, 255], [0, 128], [100, 255], [9, 0]]),
        (1, 1, [[0, 255], [0, 128], [100, 255], [0, 0]]),
        (2, 2, [[0, 0, 0, 255], [0, 0, 0, 128], [100, 100, 100, 255], [9, 9, 9, 0]]),
        (2, 1, [[0, 0, 0, 255], [0, 0, 0, 128], [100, 100, 100, 255], [0, 0, 0, 0]]),
        (3, 2, [[0, 255], [0, 128], [100, 255], [9, 0]]),
    ],
    ids=["grey", "grey that is darkened already", "colour", "colour that is darkened already", "a palette"],
)
def test_every_alpha_channel_of_a_tiff_is_read(photometric: int, alpha: int, pixels: list[list[int]]) -> None:
    """Half black is the middle grey on white; what is transparent is white."""
    samples = len(pixels[0])
    tags = grey_tiff_tags(2, 2, length=4 * samples) | {258: (3, [8] * samples), 277: (3, [samples])}
    tags |= {262: (3, [photometric]), 338: (3, [alpha])}
    if photometric == 3:
        tags[320] = (3, [257 * value for value in range(256)] * 3)
    data = tiff(tags, bytes(value for pixel in pixels for value in pixel))
    assert seen(data) == [[[0] * 3, [127] * 3], [[100] * 3, WHITE]]


def test_luma_and_chroma_become_colours_in_a_tiff() -> None:
    """Without chroma they are greys."""
    tags = grey_tiff_tags(2, 2, length=12) | {258: (3, [8] * 3), 262: (3, [6]), 277: (3, [3])}
    pixels = bytes(value for luma in (0, 80, 160, 255) for value in (luma, 128, 128))
    assert seen(tiff(tags, pixels)) == [[[0] * 3, [80] * 3], [[160] * 3, WHITE]]


@pytest.mark.parametrize(
    ("depth", "colour", "row", "key", "shown"),
    [
        (16, 0, of_16(32_896, 0), of_16(32_896), [WHITE, [0, 0, 0]]),
        (16, 0, of_16(32_897, 0), of_16(32_896), [[128] * 3, [0, 0, 0]]),
        (8, 0, b"\x80\0", of_16(128), [WHITE, [0, 0, 0]]),
        (16, 2, of_16(0, 0x1234, 0x5678, 0, 0, 0), of_16(0, 0x1234, 0x5678), [WHITE, [0, 0, 0]]),
        (8, 2, b"\0\1\2\0\0\0", of_16(0, 1, 2), [WHITE, [0, 0, 0]]),
    ],
)
def test_a_colour_that_is_transparent_shows_white(
    depth: int, colour: int, row: bytes, key: bytes, shown: list[Pixel]
) -> None:
    """A PNG may name one; also in 16 bits."""
    assert seen(png((2, 2), depth=depth, colour=colour, rows=[row, row], before=[(b"tRNS", key)])) == [shown, shown]


def cmyk(*ink: int) -> Image.Image:
    """Eight by eight pixels of one ink: cyan, magenta, yellow, black."""
    return Image.new("CMYK", (8, 8), ink)


@pytest.mark.parametrize(
    ("ink", "shown"), [((0, 0, 0, 0), (255, 255, 255)), ((255, 0, 0, 0), (0, 255, 255)), ((0, 0, 0, 155), (100,) * 3)]
)
def test_ink_becomes_light(ink: tuple[int, ...], shown: tuple[int, ...]) -> None:
    """CMYK in a TIFF, and in a JPEG, where Adobe stores it inverted: no ink is white, and cyan takes the red away."""
    jpeg = images.encode(cmyk(*ink), "jpeg", quality=100, subsampling=0)
    assert b"Adobe" in jpeg
    for data in (jpeg, images.encode(cmyk(*ink), "tiff")):
        assert np.abs(np.array(seen(data), int) - shown).max() <= 2


@pytest.mark.parametrize(("black", "shown"), [(0, 55), (255, 0)])
def test_ink_that_is_stored_as_luma_and_chroma_becomes_light(black: int, shown: int) -> None:
    """YCCK: the inks become YCbCr as if the inverse of what is stored of them were light."""
    # Inverted, what is stored is 200, 128, 128.  As Y, Cb and Cr that is a light of 200, so that 55 is stored of each
    # ink, which is inverted: 200 of 255, and 55 are left of the light.
    data = images.encode(cmyk(55, 127, 127, black), "jpeg", quality=100, subsampling=0)
    transform = data.index(b"Adobe") + 11
    data = data[:transform] + b"\2" + data[transform + 1 :]
    assert np.abs(np.array(seen(data), int) - shown).max() <= 2


def exif(orientation: int) -> bytes:
    """EXIF that says how a camera was held."""
    made = Image.Exif()
    made[0x0112] = orientation
    return made.tobytes()


@pytest.mark.parametrize("form", ["png", "webp", "tiff", "avif", "jpeg"])
@pytest.mark.parametrize(
    ("orientation", "shown"),
    [
        (1, (0, 80, 160, 240)),
        (2, (80, 0, 240, 160)),
        (3, (240, 160, 80, 0)),
        (4, (160, 240, 0, 80)),
        (5, (0, 160, 80, 240)),
        (6, (160, 0, 240, 80)),
        (7, (240, 80, 160, 0)),
        (8, (80, 240, 0, 160)),
    ],
)
def test_every_format_is_turned_as_exif_says(form: str, orientation: int, shown: tuple[int, ...]) -> None:
    """Those that can hold EXIF; the four corners tell."""
    stored = np.repeat(np.repeat(np.array([[0, 80], [160, 240]], np.uint8), 16, 0), 16, 1)
    options: dict[str, Any] = {"exif": exif(orientation)}
    if form == "tiff":
        options = {"tiffinfo": {0x0112: orientation}}
    elif form == "webp":
        options["lossless"] = True
    found = np.array(seen(images.encode(stored, form, **options), grey=True), int)
    assert np.abs(found - grey(*shown)).max() <= 9


def test_an_oblong_tiff_is_turned_once() -> None:
    """Its decoder turns it, and nobody else; the part that the network sees is cut from what is upright."""
    stored: NDArray[np.uint8] = np.zeros((30, 10), np.uint8)
    stored[10:20] = 200
    assert np.unique(seen(images.encode(stored, "tiff", tiffinfo={0x0112: 6}), grey=True)).tolist() == [200]


def test_exif_that_cannot_be_read_turns_nothing() -> None:
    """A photo is a photo, whatever its camera or an editor wrote beside it."""
    data = images.encode(four_colours(), "png", exif=b"Exif\0\0no directory")
    assert seen(data) == SHOWN


@pytest.mark.parametrize(
    ("form", "options"),
    [("gif", {}), ("webp", {"lossless": True}), ("png", {}), ("tiff", {}), ("avif", {"quality": 100})],
)
def test_the_first_frame_or_page_is_taken(form: str, options: dict[str, Any]) -> None:
    """Of an animation, and of a document."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("black", "white")]
    data = images.encode(frames[0], form, save_all=True, append_images=frames[1:], **options)
    with Image.open(io.BytesIO(data)) as whole:
        assert getattr(whole, "n_frames", 1) == 2
    assert np.max(seen(data)) <= 1


def test_the_frames_of_an_avif_never_reach_its_decoder() -> None:
    """Their sizes were not looked at: only the still picture's was."""
    frames = [Image.new("RGB", (16, 16), colour) for colour in ("black", "white")]
    data = images.encode(frames[0], "avif", save_all=True, append_images=frames[1:])
    assert getattr(open_image(data, max_pixels=LIMIT), "n_frames", 0) == 1

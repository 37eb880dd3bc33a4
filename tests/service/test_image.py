"""Promises of service.image."""

import contextlib
from contextvars import copy_context
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from PIL import Image, ImageFile

from service import image, ticket
from service.errors import (
    AbandonedError,
    ImageDecodeError,
    ImageTypeError,
    MalformedRequestError,
    PostponedError,
    RequestError,
    RequestTooLargeError,
)
from service.image import SCALED_MARGIN, crop_box, decode, decode_all, described
from service.metadata import ImageInput
from service.settings import Decoding
from service.ticket import Ticket
from tests import images
from tests.tiny_models import image_input

LIMIT = 1_000_000
RGB = image_input(channels=3, size=8)
GREY = image_input(channels=1, size=8)
SOFT = image_input(channels=3, size=80).model_copy(update={"interpolation": "bilinear"})
WIDE = RGB.model_copy(update={"height": 10, "width": 20, "crop_fraction": 0.9, "interpolation": "bicubic"})


def turned(picture: Image.Image | NDArray[np.uint8], orientation: int) -> Image.Image:
    """A picture as a camera that was held so would store it."""
    stored = {2: 0, 3: 3, 4: 1, 5: 5, 6: 2, 7: 6, 8: 4}
    upright = picture if isinstance(picture, Image.Image) else Image.fromarray(picture)
    return upright.transpose(Image.Transpose(stored[orientation])) if orientation in stored else upright


def exif(orientation: int) -> Image.Exif:
    """That says how the camera was held."""
    made = Image.Exif()
    made[0x0112] = orientation
    return made


def photo(height: int, width: int) -> Image.Image:
    """Soft shapes and some grain, as a photo has."""
    random = np.random.default_rng(0)
    shapes = Image.fromarray(random.integers(0, 256, (6, 9, 3), dtype=np.uint8)).resize((width, height))
    grain = Image.fromarray(random.integers(0, 256, (height, width, 3), dtype=np.uint8))
    return Image.blend(shapes, grain, 0.1)


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


@pytest.mark.parametrize("decoding", ["fast", "exact"])
@pytest.mark.parametrize("orientation", range(1, 9))
def test_a_photo_is_turned_as_exif_says(orientation: int, decoding: Decoding) -> None:
    """A camera that was held sideways says so in EXIF; what was on top comes out on top, and nothing is mirrored."""
    upright = turned(images.gradient(400, 600), 1)
    expected = decode(images.encode(upright, "jpeg", quality=95), WIDE, max_pixels=LIMIT, decoding="exact")
    data = images.encode(turned(upright, orientation), "jpeg", quality=95, exif=exif(orientation))
    found = decode(data, WIDE, max_pixels=LIMIT, decoding=decoding)
    assert found.shape == expected.shape == (10, 20, 3)
    assert np.abs(found.astype(int) - expected).max() <= 6


def test_an_orientation_that_does_not_exist_is_none() -> None:
    """EXIF has eight; cameras and editors write others."""
    data = images.encode(images.gradient(8, 8), exif=exif(9))
    np.testing.assert_array_equal(decode(data, RGB, max_pixels=LIMIT), images.gradient(8, 8))


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
@example(width=29, height=29, fraction=1.0, size=28)
@example(width=500, height=11, fraction=1.0, size=299)
def test_the_crop_is_centred_and_inside(width: int, height: int, fraction: float, size: int) -> None:
    """The box is a centred square of min(width, height) * crop_fraction, never outside the picture."""
    spec = image_input(size=size, crop_fraction=fraction)
    left, top, right, bottom = crop_box((width, height), spec)
    side = min(width, height) * fraction
    assert 0 <= left < right <= width
    assert 0 <= top < bottom <= height
    assert (right - left, bottom - top) == (pytest.approx(side), pytest.approx(side))
    assert (left + right, top + bottom) == (pytest.approx(width), pytest.approx(height))


@pytest.mark.parametrize("decoding", ["fast", "exact"])
def test_a_picture_of_any_size_is_seen_whole(decoding: Decoding) -> None:
    """Also where its side by that of the input is no number that a computer has."""
    spec = image_input(channels=1, size=28).model_copy(update={"interpolation": "bilinear"})
    for side in range(1, 120):
        data = images.encode(Image.new("L", (side, side), 90), "png")
        assert (decode(data, spec, max_pixels=LIMIT, decoding=decoding) == 90).all()


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


def test_of_several_images_the_bad_one_is_named() -> None:
    """The error carries the index of the image that it is about."""
    with pytest.raises(ImageTypeError, match="image 1: ") as raised:
        decode_all([images.plain(0), b"text"], GREY, max_pixels=LIMIT)
    assert raised.value.index == 1


@pytest.mark.parametrize(
    ("data", "error", "message"),
    [
        (b"", MalformedRequestError, "image 1 is empty: send the bytes of an image"),
        (images.plain(0, size=(2_000, 1_000)), RequestTooLargeError, "image 1 has 1000x2000 pixels; at most 1,000,000"),
        (images.plain(0)[:40], ImageDecodeError, "image 1: the header of the PNG is damaged"),
        (images.plain(0)[:-30], ImageDecodeError, "image 1: the PNG cannot be decoded: "),
    ],
)
def test_every_error_names_the_image(data: bytes, error: type[RequestError], message: str) -> None:
    """Of several; where there is only one it is the image, or the body."""
    with pytest.raises(error, match=f"^{message}"):
        decode_all([images.plain(0), data], GREY, max_pixels=LIMIT)
    alone = message.replace("image 1: ", "").replace("image 1 is", "the body is").replace("image 1", "the image")
    with pytest.raises(error, match=f"^{alone}"):
        decode_all([data], GREY, max_pixels=LIMIT)


class OddError(Exception):
    """One that nobody thought of."""


@pytest.mark.parametrize(("raised", "expected"), [(OddError, ImageDecodeError), (MemoryError, MemoryError)])
def test_whatever_a_decoder_raises_is_about_the_bytes(
    raised: type[Exception], expected: type[Exception], monkeypatch: pytest.MonkeyPatch
) -> None:
    """But for the end of the memory, which is no fault of the caller."""

    def fail(_picture: ImageFile.ImageFile) -> None:
        raise raised("it is odd")

    monkeypatch.setattr(ImageFile.ImageFile, "load", fail)
    with pytest.raises(expected, match="it is odd"):
        decode(images.plain(0), GREY, max_pixels=LIMIT)


def test_whatever_exif_raises_turns_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    """But for the end of the memory."""

    def fail(_picture: Image.Image) -> None:
        raise errors.pop()

    errors = [MemoryError(), OddError()]
    data = images.encode(np.full((8, 8), 7, np.uint8), "jpeg")
    monkeypatch.setattr(Image.Image, "getexif", fail)
    assert decode(data, GREY, max_pixels=LIMIT).max() == 7
    with pytest.raises(MemoryError):
        decode(data, GREY, max_pixels=LIMIT)


def test_what_nobody_waits_for_is_not_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """A thread cannot be stopped; it stops by itself before the next image."""
    mine = Ticket()
    monkeypatch.setattr(ticket, "current", lambda: mine)
    sizes = loaded_sizes(monkeypatch)
    load = ImageFile.ImageFile.load

    def gives_up(self: ImageFile.ImageFile) -> Any:  # noqa: ANN401  (Pillow's)
        mine.give_up()
        return load(self)

    monkeypatch.setattr(ImageFile.ImageFile, "load", gives_up)
    with pytest.raises(AbandonedError):
        decode_all([images.plain(0, size=(3, 3)), images.plain(0, size=(4, 4))], GREY, max_pixels=LIMIT)
    assert set(sizes) == {(3, 3)}


def test_several_images_become_one_batch() -> None:
    """Images of different sizes are one array, in their order."""
    batch = decode_all([images.plain(7), images.plain(9, size=(3, 5))], GREY, max_pixels=LIMIT)
    assert batch.shape == (2, 8, 8, 1)
    assert [int(one.max()) for one in batch] == [7, 9]


@pytest.mark.parametrize(
    ("size", "decoded"),
    [
        ((160, 120), (160, 120)),
        ((319, 320), (319, 320)),
        ((320, 320), (160, 160)),
        ((640, 643), (160, 161)),
        ((3001, 1281), (376, 161)),
    ],
)
def test_a_large_jpeg_is_decoded_at_a_part_of_its_size(
    size: tuple[int, int], decoded: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    """As long as what the network sees, here 80 x 80, stays twice as large; the decoder rounds up."""
    sizes = loaded_sizes(monkeypatch)
    decode(images.encode(Image.new("RGB", size), "jpeg"), SOFT, max_pixels=10**7)
    assert sizes[-1] == decoded


@pytest.mark.parametrize(
    ("form", "interpolation", "decoding"),
    [("jpeg", "bilinear", "exact"), ("png", "bilinear", "fast"), ("jpeg", "nearest", "fast")],
)
def test_all_pixels_are_decoded_otherwise(
    form: str, interpolation: str, decoding: Decoding, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Where exactness is asked for, of other formats, and where single pixels are picked."""
    sizes = loaded_sizes(monkeypatch)
    spec = SOFT.model_copy(update={"interpolation": interpolation})
    decode(images.encode(Image.new("RGB", (640, 640)), form), spec, max_pixels=LIMIT, decoding=decoding)
    assert set(sizes) == {(640, 640)}


def loaded_sizes(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, int]]:
    """Gets the size of each picture that is decoded from here on."""
    sizes: list[tuple[int, int]] = []
    load = ImageFile.ImageFile.load

    def noted(self: ImageFile.ImageFile) -> Any:  # noqa: ANN401  (Pillow's)
        loaded = load(self)
        sizes.append(self.size)
        return loaded

    monkeypatch.setattr(ImageFile.ImageFile, "load", noted)
    return sizes


@pytest.mark.parametrize("mode", ["RGB", "L", "CMYK"])
@pytest.mark.parametrize("options", [{}, {"progressive": True}, {"subsampling": 2}], ids=["", "progressive", "4:2:0"])
def test_scaled_decoding_is_near_to_exact(mode: str, options: dict[str, Any]) -> None:
    """Of each kind of JPEG, for colour networks and for grey ones."""
    data = images.encode(photo(700, 1000).convert(mode), "jpeg", quality=90, **options)
    grey = image_input(channels=1, size=80).model_copy(update={"interpolation": "lanczos", "crop_fraction": 0.8})
    for spec in (SOFT, grey):
        fast, exact = (decode(data, spec, max_pixels=LIMIT, decoding=each).astype(int) for each in ("fast", "exact"))
        assert np.abs(fast - exact).mean() < 1.5
        assert np.abs(fast - exact).max() <= 16


def test_a_cut_off_photo_is_refused_however_it_is_decoded() -> None:
    """Scaled decoding sees its end as well."""
    data = images.encode(photo(700, 1000), "jpeg")
    for decoding in ("fast", "exact"):
        with pytest.raises(ImageDecodeError, match="the JPEG cannot be decoded"):
            decode(data[: len(data) // 2], SOFT, max_pixels=LIMIT, decoding=decoding)


@given(
    width=st.integers(1, 400),
    height=st.integers(1, 400),
    orientation=st.integers(1, 8),
    fraction=st.floats(0.01, 1),
    form=st.sampled_from(["jpeg", "png"]),
    spec=st.sampled_from([RGB, GREY, SOFT, WIDE]),
)
@settings(max_examples=150, deadline=None)
def test_any_picture_is_fitted(
    width: int, height: int, orientation: int, fraction: float, form: str, spec: ImageInput
) -> None:
    """Whatever its size, orientation and crop: the shape is right, and both ways of decoding see the same."""
    fitting = spec.model_copy(update={"crop_fraction": fraction})
    pixels = np.full((height, width, 3), (200, 90, 40), np.uint8)
    data = images.encode(pixels, form, exif=exif(orientation))
    fast, exact = (decode(data, fitting, max_pixels=LIMIT, decoding=each).astype(int) for each in ("fast", "exact"))
    assert fast.shape == exact.shape == (fitting.height, fitting.width, fitting.channels)
    assert np.abs(fast - exact).max() <= 2


def test_the_answer_says_how_images_are_decoded(monkeypatch: pytest.MonkeyPatch) -> None:
    """And names Pillow, where it resizes for want of something faster."""
    monkeypatch.setattr(image, "FAST", "simd")
    assert (described("fast"), described("exact")) == ("fast", "exact")
    monkeypatch.setattr(image, "FAST", "pillow")
    assert (described("fast"), described("exact")) == ("fast; resize=pillow", "exact")


def decoded_in(room: int, data: bytes, *, decoding: Decoding = "exact") -> None:
    """Decode as a job does that may take so many bytes."""

    def work() -> None:
        ticket.enter(Ticket(room))
        decode(data, SOFT, max_pixels=4 * LIMIT, decoding=decoding)

    copy_context().run(work)


NEEDED = {
    "jpeg": 9,
    "progressive jpeg": 15,  # its coefficients beside its pixels
    "png": 13,
    "webp": 20,
    "gif": 10,
    "bmp": 6,
    "tiff": 13,
    "avif": 17,
}


@pytest.mark.parametrize("form", NEEDED)
def test_room_is_asked_for_by_the_format(form: str) -> None:
    """As many bytes for each pixel as its decoder takes at most; it is decoded with those, and not with one less."""
    progressive = {"progressive": True} if form == "progressive jpeg" else {}
    data = images.encode(Image.new("RGB", (100, 80), "navy"), form.rsplit(maxsplit=1)[-1], **progressive)
    needed = NEEDED[form] * 100 * 80
    decoded_in(needed, data)
    with pytest.raises(PostponedError) as refusal:
        decoded_in(needed - 1, data)
    assert refusal.value.count == needed


def test_a_jpeg_that_is_decoded_at_a_part_of_its_size_needs_a_part_of_the_room() -> None:
    """So that photos of any camera do not wait for each other."""
    side = 8 * SCALED_MARGIN * SOFT.width
    data = images.encode(Image.new("RGB", (side, side)), "jpeg")
    decoded_in(side * side * 9 // 64, data, decoding="fast")
    with pytest.raises(PostponedError):
        decoded_in(side * side * 9 // 64, data)

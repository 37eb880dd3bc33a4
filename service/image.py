"""An encoded image becomes the bytes that a network sees.

Pillow decodes; what is transparent is put on white; the part that the network sees is cut out and resized in one step,
and turned as the EXIF orientation says.  Normalisation is no business of this module: it is part of the graph.

`exact` decodes every pixel and resizes with Pillow: the same bytes on every platform.  `fast` lets the JPEG decoder
compute large pictures at a half, a quarter or an eighth, as long as what the network sees stays at least
`SCALED_MARGIN` times as large as its input, and resizes with vector instructions.
"""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import ExifTags, Image

from service import ticket
from service.encoded_image import open_image
from service.errors import ImageDecodeError, PostponedError
from service.metadata import ImageInput
from service.resizing import FAST, Box, resize
from service.settings import Decoding

SCALED_MARGIN: Final = 2
"""How much larger than the input of a network a picture stays that is decoded at a part of its size."""

_JPEG_BYTES: Final = 9  # a pixel, at most, where all come in one scan: four inks, and what they become
_SCALES: Final = (8, 4, 2)  # those of the JPEG decoder
_MODES: Final = {"rgb": "RGB", "grey": "L"}
_BACKGROUND: Final = "white"
_MOST: Final = 255

_Transpose = Image.Transpose
_TURNS: Final = {
    2: _Transpose.FLIP_LEFT_RIGHT,
    3: _Transpose.ROTATE_180,
    4: _Transpose.FLIP_TOP_BOTTOM,
    5: _Transpose.TRANSPOSE,
    6: _Transpose.ROTATE_270,
    7: _Transpose.TRANSVERSE,
    8: _Transpose.ROTATE_90,
}
"""By EXIF orientation."""
_LYING: Final = (5, 6, 7, 8)
"""The orientations whose width is the height of the picture as it is meant."""


def decode(
    data: bytes, spec: ImageInput, *, max_pixels: int, decoding: Decoding = "fast", index: int | None = None
) -> NDArray[np.uint8]:
    """Decode an image and fit it to the input of a network.

    Args:
        data: An encoded image, of one of `service.encoded_image.FORMATS`.  Of an animation the first frame is taken.
        spec: The size, colour mode, crop and interpolation that the network was made for.
        max_pixels: Width times height that is accepted; checked before any pixel is decoded.
        decoding: `exact` decodes every pixel and resizes with Pillow; `fast` is described above.
        index: Which image of the request this is, for messages; None where there is only one.

    Shape:
        (height, width, C) uint8, 0 to 255, as `spec` says.  It may be read-only.

    Raises:
        MalformedRequestError: There are no bytes.
        ImageTypeError: The bytes are no image of an accepted format.
        ImageDecodeError: The image is damaged or cut short.
        RequestTooLargeError: It has more than `max_pixels` pixels.
        PostponedError: There is no room for it yet.
    """
    image = open_image(data, max_pixels=max_pixels, index=index)
    try:
        fitted = _fit(image, spec, fast=decoding == "fast")
    except (MemoryError, PostponedError):
        raise
    except Exception as error:  # as with `open_image`: whatever it is, it tells of the bytes
        raise ImageDecodeError(f"the {image.format} cannot be decoded: {error}", index=index) from error
    # What NumPy asks an image by itself before it takes its bytes takes as long as to decode a small one.
    return np.frombuffer(fitted.tobytes(), np.uint8).reshape(spec.height, spec.width, spec.channels)


def decode_all(
    images: Sequence[bytes], spec: ImageInput, *, max_pixels: int, decoding: Decoding = "fast"
) -> NDArray[np.uint8]:
    """Decode the images of a request; an error names the image that it speaks of, where there are several.

    An image that is being decoded is decoded to its end; those behind it only as long as somebody waits.

    Shape:
        (N, height, width, C) uint8, 0 to 255.  It may be read-only.

    Raises:
        RequestError: One of them cannot be used, as with `decode`.
        AbandonedError: Nobody waits for the result any more.
    """
    if len(images) == 1:
        return decode(images[0], spec, max_pixels=max_pixels, decoding=decoding)[np.newaxis]
    pixels = np.empty((len(images), spec.height, spec.width, spec.channels), np.uint8)
    mine = ticket.current()
    for i, data in enumerate(images):
        mine.check()
        pixels[i] = decode(data, spec, max_pixels=max_pixels, decoding=decoding, index=i)
    return pixels


def described(decoding: Decoding) -> str:
    """How images are decoded, for the answer: `fast` names what resizes where that is not what it is elsewhere."""
    return f"{decoding}; resize={FAST}" if decoding == "fast" and FAST == "pillow" else decoding


def crop_box(size: tuple[int, int], spec: ImageInput) -> Box:
    """The centred part of a picture that a network sees: (left, top, right, bottom) in pixels of the picture.

    It has the shape of the input and `crop_fraction` of the largest such box: for a square input its side is
    min(width, height) * crop_fraction.

    >>> square = ImageInput(
    ...     name="x", height=2, width=2, color="grey", crop_fraction=0.5, interpolation="nearest",
    ...     rescale_factor=1.0, mean=(0.0,), std=(1.0,),
    ... )
    >>> crop_box((8, 4), square)
    (3.0, 1.0, 5.0, 3.0)
    """
    width, height = size
    scale = min(width / spec.width, height / spec.height) * spec.crop_fraction
    box_width, box_height = spec.width * scale, spec.height * scale
    # Rounding may put an edge a hair outside the picture, which resizing refuses.
    left, top = max((width - box_width) / 2, 0.0), max((height - box_height) / 2, 0.0)
    return (left, top, min(left + box_width, width), min(top + box_height, height))


def _fit(image: Image.Image, spec: ImageInput, *, fast: bool) -> Image.Image:
    """Decode, cut, resize, and turn what is left: the box is centred, so that it is the same before and after."""
    turn = _orientation(image)
    size, box = (spec.width, spec.height), crop_box(image.size, spec)
    if turn in _LYING:
        left, top, right, bottom = crop_box((image.height, image.width), spec)
        size, box = (spec.height, spec.width), (top, left, bottom, right)
    # The nearest pixel of a smaller picture is another one.
    if fast and spec.interpolation != "nearest":
        box = _scale_down(image, box, size)
    if image.format == "JPEG":  # its size is what will be decoded
        ticket.current().need(image.width * image.height * _JPEG_BYTES)
    resized = resize(_flatten(image, _MODES[spec.color]), size, box, spec.interpolation, fast=fast)
    return resized.transpose(_TURNS[turn]) if turn in _TURNS else resized


def _orientation(image: Image.Image) -> object:
    """The EXIF orientation of a picture; 1, which is upright, where it has none that can be read."""
    if image.format == "TIFF":
        return 1  # its decoder turns it
    if image.format == "PNG":
        image.load()  # its EXIF may come last
        if "exif" not in image.info:
            return 1
    try:
        return image.getexif().get(ExifTags.Base.Orientation, 1)
    except MemoryError:
        raise
    except Exception:  # noqa: BLE001  (whatever it is, it tells of the bytes)
        return 1


def _scale_down(image: Image.Image, box: Box, size: tuple[int, int]) -> Box:
    """Tell a JPEG decoder to compute a part of the size, where that is enough.

    Returns:
        The box in the picture as it will be decoded.
    """
    left, top, right, bottom = box
    spare = (right - left) / (size[0] * SCALED_MARGIN)
    scale = next((scale for scale in _SCALES if scale <= spare), 1)
    if scale == 1 or image.draft(None, (image.width // scale, image.height // scale)) is None:
        return box
    # The decoder rounds the size up, so that the far edge of a box stays inside.
    return (left / scale, top / scale, right / scale, bottom / scale)


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Any Pillow mode to `RGB` or `L`; what shines through is white, 16 bits are scaled, not clipped."""
    image.load()
    if image.mode.startswith("I;16"):
        image = _eight_bits(image)
    elif image.mode == "La":  # grey that is darkened already where it shines through
        image = image.convert("LA")
    if image.has_transparency_data:
        _scale_key(image)
        coloured = image.convert("RGBA")
        image = Image.new("RGB", coloured.size, _BACKGROUND)
        # As `Image.alpha_composite` on white, at half the time, and other threads go on meanwhile.
        image.paste(coloured, mask=coloured)
    return image if image.mode == mode else image.convert(mode)


def _eight_bits(image: Image.Image) -> Image.Image:
    """A 16-bit grey picture in 8 bits; where one of its values is transparent, with an alpha channel."""
    values = np.asarray(image)
    scaled = Image.fromarray((values // 257).astype(np.uint8))
    if "transparency" in image.info:
        scaled.putalpha(Image.fromarray(values != image.info["transparency"]).convert("L"))
    return scaled


def _scale_key(image: Image.Image) -> None:
    """Of a 16-bit colour picture Pillow keeps the upper halves of all values but those of the transparent colour."""
    key = image.info.get("transparency")
    if image.mode == "RGB" and isinstance(key, tuple) and max(key) > _MOST:
        image.info["transparency"] = tuple(value >> 8 for value in key)

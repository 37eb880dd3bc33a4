"""An encoded image becomes the bytes that a network sees.

The format is found by looking at the bytes.  Pillow decodes, turns the picture as its EXIF orientation
says, puts transparent ones on white, and cuts and resizes in one step (`Image.resize` with a float box).
Normalisation is no business of this module: it is part of the graph.
"""

import io
import struct
import zlib
from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageOps, UnidentifiedImageError

from service.errors import ImageDecodeError, ImageTypeError, MalformedRequestError, RequestTooLargeError
from service.metadata import ImageInput

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")

_RESAMPLING: Final = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
_MODES: Final = {"rgb": "RGB", "grey": "L"}
_BACKGROUND: Final = "white"

# What Pillow's decoders raise on damaged data, collected from their sources.
_DAMAGED: Final = (OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, IndexError)
_BOMB: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)


def decode(data: bytes, spec: ImageInput, *, max_pixels: int, index: int | None = None) -> NDArray[np.uint8]:
    """Decode an image and fit it to the input of a network.

    Args:
        data: An encoded image, of one of `FORMATS`.  Of an animation the first frame is taken.
        spec: The size, colour mode, crop and interpolation that the network was made for.
        max_pixels: Width times height that is accepted; checked before any pixel is decoded.
        index: Which image of the request this is, for messages; None where there is only one.

    Shape:
        (height, width, C) uint8, 0 to 255, as `spec` says.

    Raises:
        MalformedRequestError: There are no bytes.
        ImageTypeError: The bytes are no image of an accepted format.
        ImageDecodeError: The image is damaged or cut short.
        RequestTooLargeError: It has more than `max_pixels` pixels.
    """
    image = _open(data, max_pixels=max_pixels, index=index)
    try:
        flat = _flatten(ImageOps.exif_transpose(image), _MODES[spec.color])
    except _DAMAGED as error:
        raise ImageDecodeError(f"the {image.format} cannot be decoded: {error}", index=index) from error
    fitted = flat.resize((spec.width, spec.height), _RESAMPLING[spec.interpolation], box=crop_box(flat.size, spec))
    return np.asarray(fitted, dtype=np.uint8).reshape(spec.height, spec.width, spec.channels)


def decode_all(images: Sequence[bytes], spec: ImageInput, *, max_pixels: int) -> NDArray[np.uint8]:
    """Decode the images of a request; an error names the image that it speaks of, where there are several.

    Shape:
        (N, height, width, C) uint8, 0 to 255.

    Raises:
        RequestError: One of them cannot be used, as with `decode`.
    """
    several = len(images) > 1
    return np.stack(
        [decode(data, spec, max_pixels=max_pixels, index=i if several else None) for i, data in enumerate(images)]
    )


def crop_box(size: tuple[int, int], spec: ImageInput) -> tuple[float, float, float, float]:
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
    left, top = (width - box_width) / 2, (height - box_height) / 2
    # Rounding may put the far edge a hair outside the picture, which Pillow refuses.
    return (left, top, min(left + box_width, width), min(top + box_height, height))


def _open(data: bytes, *, max_pixels: int, index: int | None) -> Image.Image:
    """Read the header only: pixels are decoded later, when their number is known to be acceptable."""
    if not data:
        where = "the body" if index is None else f"image {index}"
        raise MalformedRequestError(f"{where} is empty: send the bytes of an image ({', '.join(FORMATS)})")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except _BOMB as error:
        raise _too_many_pixels("far too many pixels", max_pixels, index) from error
    except UnidentifiedImageError as error:
        raise ImageTypeError(f"{_describe(data)}; accepted: {', '.join(FORMATS)}", index=index) from error
    except _DAMAGED as error:
        raise ImageDecodeError(f"the header is damaged: {error}", index=index) from error
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(f"{image.width}x{image.height} pixels", max_pixels, index)
    return image


def _too_many_pixels(found: str, max_pixels: int, index: int | None) -> RequestTooLargeError:
    where = "the image" if index is None else f"image {index}"
    return RequestTooLargeError(f"{where} has {found}; at most {max_pixels:,} are accepted (setting max_pixels)")


def _describe(data: bytes) -> str:
    """What bytes that are no accepted image look like, for people."""
    known = {
        b"BM": "a BMP image",
        b"II*\x00": "a TIFF image",
        b"MM\x00*": "a TIFF image",
        b"%PDF": "a PDF document",
        b"PK\x03\x04": "a ZIP archive",
        b"\x93NUMPY": "a NumPy array",
        b"<svg": "an SVG drawing",
    }
    for magic, name in known.items():
        if data.startswith(magic):
            return f"the bytes are {name}"
    if data[4:8] == b"ftyp":
        return "the bytes are a HEIC, AVIF or video file"
    if data[:512].isascii():
        return f"the bytes are text ({data[:24].decode('ascii')!r}…)"
    return f"the bytes are no image (they start with {data[:8].hex(' ')})"


def _flatten(image: Image.Image, mode: str) -> Image.Image:
    """Any Pillow mode to `RGB` or `L`; what shines through is white, 16 bits are scaled, not clipped."""
    if image.mode.startswith("I;16"):
        image.load()
        image = Image.fromarray((np.asarray(image) // 257).astype(np.uint8))
    if image.has_transparency_data:
        coloured = image.convert("RGBA")
        background = Image.new("RGBA", coloured.size, _BACKGROUND)
        image = Image.alpha_composite(background, coloured)
    return image.convert(mode)

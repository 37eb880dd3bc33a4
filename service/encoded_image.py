"""The bytes of an image, opened: its format is found by looking at them, and no pixel is decoded yet."""

import io
import struct
import zlib
from typing import Final

from PIL import Image, UnidentifiedImageError

from service.errors import ImageDecodeError, ImageTypeError, MalformedRequestError, RequestTooLargeError

FORMATS: Final = ("JPEG", "PNG", "WEBP", "GIF")

# What Pillow's decoders raise on damaged data, collected from their sources.
DAMAGED: Final = (OSError, SyntaxError, ValueError, struct.error, zlib.error, EOFError, IndexError)

_BOMB: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
_START_OF_SCAN: Final = b"\xff\xda"
# Encoders write ten, the most eager ones some sixty; a video behind the picture may hold the same two bytes by chance.
_MOST_SCANS: Final = 500


def open_image(data: bytes, *, max_pixels: int, index: int | None = None) -> Image.Image:
    """Read the header of an image: pixels are decoded later, when their number is known to be acceptable.

    Args:
        data: An encoded image, of one of `FORMATS`.
        max_pixels: Width times height that is accepted.
        index: Which image of the request this is, for messages; None where there is only one.

    Raises:
        MalformedRequestError: There are no bytes.
        ImageTypeError: The bytes are no image of an accepted format.
        ImageDecodeError: The header is damaged, or a progressive JPEG comes in more scans than any encoder writes.
        RequestTooLargeError: It has more than `max_pixels` pixels.
    """
    if not data:
        where = "the body" if index is None else f"image {index}"
        raise MalformedRequestError(f"{where} is empty: send the bytes of an image ({', '.join(FORMATS)})")
    try:
        image = Image.open(io.BytesIO(data), formats=FORMATS)
    except _BOMB as error:
        raise _too_many_pixels("far too many pixels", max_pixels, index) from error
    except UnidentifiedImageError as error:
        raise ImageTypeError(f"{_describe(data)}; accepted: {', '.join(FORMATS)}", index=index) from error
    except DAMAGED as error:
        raise ImageDecodeError(f"the header is damaged: {error}", index=index) from error
    if image.width * image.height > max_pixels:
        raise _too_many_pixels(f"{image.width}x{image.height} pixels", max_pixels, index)
    if "progressive" in image.info:
        _check_scans(data, index)
    return image


def _check_scans(data: bytes, index: int | None) -> None:
    """Each scan passes over every pixel, and may be 75 bytes: 20 MB of them would take hours."""
    scans = data.count(_START_OF_SCAN)
    if scans > _MOST_SCANS:
        raise ImageDecodeError(f"the JPEG comes in {scans:,} scans; at most {_MOST_SCANS} are accepted", index=index)


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

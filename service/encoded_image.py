"""The bytes of an image, opened: its format is found by looking at them, and no pixel is decoded yet."""

import io
import logging
import warnings
from collections.abc import Callable, Mapping
from typing import Final

from PIL import AvifImagePlugin, Image, UnidentifiedImageError, features

from service.errors import MalformedRequestError
from service.image_files import avif, bmp, gif, jpeg, png, tiff, webp
from service.image_files.limits import Limits
from service.image_files.recognition import Format, describe, format_of

_INSPECTORS: Final[Mapping[Format, Callable[[bytes, Limits], bytes]]] = {
    "JPEG": jpeg.inspect,
    "PNG": png.inspect,
    "WEBP": webp.inspect,
    "GIF": gif.inspect,
    "BMP": bmp.inspect,
    "TIFF": tiff.inspect,
    "AVIF": avif.inspect,
}
PIXEL_BYTES: Final[Mapping[Format, int]] = {
    "JPEG": 0,  # it may be decoded at a part of its size: its decoder and `service.image` ask for room
    "PNG": 13,
    "WEBP": 20,
    "GIF": 10,
    "BMP": 6,
    "TIFF": 13,
    "AVIF": 17,
}
"""The most memory that decoding takes for each pixel: `docs/security.md` has what was measured."""
FORMATS: Final = tuple(name for name in _INSPECTORS if name != "AVIF" or features.check("avif"))
"""Those that are accepted; not every build of Pillow can read AVIF."""

_BOMB: Final = (Image.DecompressionBombError, Image.DecompressionBombWarning)
# Of 32-bit and floating-point pixels nothing says which value is white.
_MODES: Final = frozenset(("1", "L", "LA", "La", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr", "I;16", "I;16B"))


def open_image(data: bytes, *, max_pixels: int, index: int | None = None) -> Image.Image:
    """Read the header of an image: pixels are decoded later, when their number is known to be acceptable.

    Args:
        data: An encoded image, of one of `FORMATS`.
        max_pixels: Width times height that is accepted.
        index: Which image of the request this is, for messages; None where there is only one.

    Raises:
        MalformedRequestError: There are no bytes.
        ImageTypeError: The bytes are no image of an accepted format, or of a kind of it that is not accepted.
        ImageDecodeError: The header is damaged, or the file is built in a way that no encoder does.
        RequestTooLargeError: It has more than `max_pixels` pixels.
        PostponedError: There is no room for it yet.
    """
    if not data:
        where = "the body" if index is None else f"image {index}"
        raise MalformedRequestError(f"{where} is empty: send the bytes of an image ({', '.join(FORMATS)})")
    name = format_of(data)
    limits = Limits(max_pixels, index, 0 if name is None else PIXEL_BYTES[name])
    if name not in FORMATS:
        found = (
            describe(data) if name is None else f"the bytes are {name}, which the Pillow on this machine cannot read"
        )
        raise limits.unsupported(f"{found}; accepted: {', '.join(FORMATS)}")
    image = _open(_INSPECTORS[name](data, limits), name, limits)
    limits.check_size(image.width, image.height)
    if image.mode not in _MODES:
        raise limits.unsupported(f"the {name} has pixels of a kind ({image.mode}) that no value of white is known for")
    return image


def _open(data: bytes, name: Format, limits: Limits) -> Image.Image:
    """Whatever a decoder raises tells of the bytes, and may be anything; but not where the machine has no memory."""
    try:
        return Image.open(io.BytesIO(data), formats=(name,))
    except MemoryError:
        raise
    except _BOMB as error:
        raise limits.too_large("far too many pixels") from error
    except UnidentifiedImageError as error:  # its text is an address in memory
        raise limits.damaged(f"the header of the {name} is damaged") from error
    except Exception as error:
        raise limits.damaged(f"the header of the {name} is damaged: {error}") from error


def prepare_decoders() -> None:
    """Tell the decoders how to work in a service, for the whole process.

    A request has one thread, and so has an AVIF.  What decoders find odd in a file is no news for a log: each text of
    a warning would be kept, so that callers could fill the memory with them.
    """
    AvifImagePlugin.DEFAULT_MAX_THREADS = 1
    warnings.filterwarnings("ignore", module=r"PIL\.")
    logging.getLogger("PIL").setLevel(logging.CRITICAL)

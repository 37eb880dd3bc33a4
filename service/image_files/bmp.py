"""BMP: plain pixels only."""

from typing import Final

from service.image_files.limits import Limits

_RUN_LENGTHS: Final = (1, 2)


def inspect(data: bytes, limits: Limits) -> bytes:
    """Look at how its pixels are stored: the decoder of run lengths is written in Python.

    Raises:
        ImageTypeError: Its pixels are compressed.
    """
    core_header = int.from_bytes(data[14:18], "little") < 40
    if not core_header and int.from_bytes(data[30:34], "little") in _RUN_LENGTHS:
        raise limits.unsupported("the BMP is compressed (RLE); accepted: without compression")
    return data

"""WebP: the size of its canvas, which the decoder makes room for when it opens the file."""

from service.image_files.limits import Limits


def inspect(data: bytes, limits: Limits) -> bytes:
    """Look at the first chunk.

    Raises:
        RequestTooLargeError: The canvas is too large.
    """
    kind, head = data[12:16], data[20:30]
    if kind == b"VP8X":
        limits.check_size(1 + int.from_bytes(head[4:7], "little"), 1 + int.from_bytes(head[7:], "little"))
    elif kind == b"VP8L":
        bits = int.from_bytes(head[1:5], "little")
        limits.check_size(1 + (bits & 0x3FFF), 1 + (bits >> 14 & 0x3FFF))
    elif kind == b"VP8 ":
        limits.check_size(*(int.from_bytes(head[i : i + 2], "little") & 0x3FFF for i in (6, 8)))
    return data

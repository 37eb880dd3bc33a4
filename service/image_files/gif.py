"""GIF: what comes before its first frame, and how large that is."""

from typing import Final

from service.image_files.limits import Limits

# Each is read in Python; blocks of text hold up to 255 bytes.
MOST_BLOCKS: Final = 50_000

_HEADER_BYTES: Final = 13
_EXTENSION, _FRAME, _END = b"!", b",", b";"


def inspect(data: bytes, limits: Limits) -> bytes:
    """Walk from block to block up to the first frame: the decoder makes room for it when it opens the file.

    Raises:
        ImageDecodeError: Its first frame is preceded by more blocks than any encoder writes.
        RequestTooLargeError: It is too large.
    """
    colours = 3 << ((data[10] & 7) + 1) if len(data) >= _HEADER_BYTES and data[10] & 0x80 else 0
    place, ends = _HEADER_BYTES + colours, False
    for _ in range(MOST_BLOCKS):
        kind = data[place : place + 1]
        if ends:  # inside an extension, whose blocks say how long they are
            ends = kind not in (b"", b"\0")
            place += 1 + (kind[0] if kind else 0)
        elif kind == _EXTENSION:
            place, ends = place + 2, True
        elif kind == _FRAME:
            limits.check_size(*_extent(data, place + 1))
            return data
        elif kind in (b"", _END):
            return data  # the decoder will say what is missing
        else:
            place += 1
    raise limits.damaged(f"the GIF has no frame in its first {MOST_BLOCKS:,} blocks")


def _extent(data: bytes, place: int) -> tuple[int, int]:
    """Width and height of the screen, which grows where its first frame reaches beyond it."""
    left, top, width, height = (int.from_bytes(data[i : i + 2], "little") for i in range(place, place + 8, 2))
    screen = (int.from_bytes(data[i : i + 2], "little") for i in (6, 8))
    return max(next(screen), left + width), max(next(screen), top + height)

"""AVIF: the pictures in it, and how large each really is."""

from collections.abc import Iterator
from collections.abc import Set as AbstractSet
from dataclasses import dataclass
from typing import Final

from service.image_files.av1 import frame_size
from service.image_files.limits import Limits

# Each is read in Python; a picture may be a grid of some hundred, with an alpha channel each.
MOST_BOXES: Final = 10_000
MOST_PARTS: Final = 10_000
# A picture, its alpha channel, and what turns it brighter on a screen that can.
MOST_LAYERS: Final = 3

_STILL, _MOVING = b"avif", b"avis"
_SEQUENCE, _FREE = b"moov", b"free"
_CODED: Final = int.from_bytes(b"av01")


def inspect(data: bytes, limits: Limits) -> bytes:
    """Follow the items of a file to the frames that they are coded in.

    Of an image sequence, only its still picture reaches the decoder.

    Raises:
        ImageTypeError: It has no still picture, or one that is coded as a video is.
        ImageDecodeError: Its boxes cannot be read, or overlap.
        RequestTooLargeError: Its frames are too large.
    """
    pixels = 0
    for item in _coded_items(data, limits):
        width, height = frame_size(item, limits)
        limits.check_size(width, height)
        pixels += width * height
    if pixels > MOST_LAYERS * limits.max_pixels:
        raise limits.too_large(f"parts of {pixels:,} pixels")
    return _still(data, limits)


@dataclass(frozen=True, slots=True)
class _Box:
    kind: bytes
    start: int  # of what is in it
    end: int


def _still(data: bytes, limits: Limits) -> bytes:
    """The same file without its sequence of frames, if it has one."""
    top = list(_boxes(data, 0, len(data), limits))
    sequences = [box for box in top if box.kind == _SEQUENCE]
    if not sequences:
        return data
    changed = bytearray(data)
    for place in (8, *range(16, top[0].end - 3, 4)):  # what the file says that it can be read as
        if data[place : place + 4] == _MOVING:
            changed[place : place + 4] = _STILL
    for box in sequences:
        at = data.rindex(_SEQUENCE, 0, box.start)
        changed[at : at + 4] = _FREE
    return bytes(changed)


def _boxes(data: bytes, start: int, end: int, limits: Limits) -> Iterator[_Box]:
    for _ in range(MOST_BOXES):
        if end - start < 8:
            return
        size, kind, head = int.from_bytes(data[start : start + 4]), data[start + 4 : start + 8], 8
        if size == 1:
            size, head = int.from_bytes(data[start + 8 : start + 16]), 16
        elif size == 0:
            size = end - start
        if not head <= size <= end - start:
            raise limits.damaged(f"box {kind!r} of the AVIF is cut short")
        yield _Box(kind, start + head, start + size)
        start += size
    raise limits.damaged(f"the AVIF has more than {MOST_BOXES:,} boxes")


def _only(data: bytes, start: int, end: int, kind: bytes, limits: Limits) -> _Box:
    """The one box of a kind."""
    found = [box for box in _boxes(data, start, end, limits) if box.kind == kind]
    if len(found) != 1:
        raise limits.unsupported(
            f"the AVIF has {len(found)} boxes {kind.decode()!r}; accepted: still pictures, with one"
        )
    return found[0]


def _coded_items(data: bytes, limits: Limits) -> Iterator[bytes]:
    """The bit streams of the pictures in a file."""
    meta = _only(data, 0, len(data), b"meta", limits)
    inside = meta.start + 4
    coded = _coded_numbers(data, _only(data, inside, meta.end, b"iinf", limits), limits)
    places = _Reader(data, _only(data, inside, meta.end, b"iloc", limits), limits)
    own = [box for box in _boxes(data, inside, meta.end, limits) if box.kind == b"idat"]
    taken = 0
    for number, inline, extents in _locations(places):
        box = own[0] if inline and own else _Box(b"", 0, len(data))
        spans = [(box.start + at, min(box.start + at + size, box.end) if size else box.end) for at, size in extents]
        taken += sum(max(end - start, 0) for start, end in spans)
        if taken > len(data):
            raise limits.damaged("the items of the AVIF overlap")
        if number in coded:
            yield b"".join(data[start:end] for start, end in spans)


class _Reader:
    """Reads numbers from a box that opens with its version and three bytes of flags."""

    def __init__(self, data: bytes, box: _Box, limits: Limits) -> None:
        self.version = data[box.start] if box.start < box.end else 0
        self.limits = limits
        self._data = data
        self._end = box.end
        self._place = box.start + 4

    @property
    def place(self) -> int:
        """Where the next number is."""
        return self._place

    def take(self, size: int) -> int:
        """The next number, of some bytes."""
        self._place += size
        if self._place > self._end:
            raise self.limits.damaged("a table of the AVIF is cut short")
        return int.from_bytes(self._data[self._place - size : self._place])


def _coded_numbers(data: bytes, box: _Box, limits: Limits) -> AbstractSet[int]:
    """The numbers of the items that are pictures."""
    table = _Reader(data, box, limits)
    table.take(4 if table.version else 2)
    found = set()
    for entry in _boxes(data, table.place, box.end, limits):
        fields = _Reader(data, entry, limits)
        number = fields.take(4 if fields.version > 2 else 2)
        fields.take(2)
        if fields.take(4) == _CODED:
            found.add(number)
    return found


def _locations(table: _Reader) -> Iterator[tuple[int, bool, list[tuple[int, int]]]]:
    """Of each item its number, whether it lies beside the table, and the places and sizes of its parts."""
    sizes, more = table.take(1), table.take(1)
    offset_size, length_size, base_size = sizes >> 4, sizes & 15, more >> 4
    index_size = more & 15 if table.version else 0
    left = MOST_PARTS  # a number may have no bytes, so that a table may tell of more than it holds
    for _ in range(table.take(4 if table.version > 1 else 2)):
        number = table.take(4 if table.version > 1 else 2)
        method = table.take(2) & 15 if table.version else 0
        table.take(2)
        base = table.take(base_size)
        extents, count = [], table.take(2)
        left -= count
        if left < 0:
            raise table.limits.damaged(f"the items of the AVIF have more than {MOST_PARTS:,} parts")
        for _ in range(count):
            table.take(index_size)
            offset = base + table.take(offset_size)
            extents.append((offset, table.take(length_size)))
        yield number, method == 1, extents

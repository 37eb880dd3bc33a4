"""AV1: how large the frame of a still picture is, as its bit stream says (AV1 specification, 5.3 to 5.9)."""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from service.image_files.limits import Limits

MOST_UNITS: Final = 1_000

_SEQUENCE_HEADER, _FRAME_HEADER, _FRAME, _REDUNDANT_FRAME_HEADER = 1, 3, 6, 7
_FRAMES: Final = (_FRAME_HEADER, _FRAME, _REDUNDANT_FRAME_HEADER)
_HEADER_BYTES: Final = 256  # headers have some tens; what follows them is the picture
_SELECT: Final = 2  # each frame chooses for itself
_KEY_FRAME: Final = 0


def frame_size(data: bytes, limits: Limits) -> tuple[int, int]:
    """Width and height of the frame that a picture is coded in.

    The file around it names a size too, which the decoder does not care for: it makes room for this one.

    Args:
        data: The units (OBUs) of one picture.
        limits: For errors.

    Raises:
        ImageTypeError: It is several frames, or one that only a video has.
        ImageDecodeError: It cannot be read.
    """
    sequence, sizes = None, []
    for kind, unit in _units(data, limits):
        bits = _Bits(unit, limits)
        if kind == _SEQUENCE_HEADER:
            sequence = _sequence(bits, limits)
        elif kind in _FRAMES:
            if sequence is None or not _is_plain(bits, sequence):
                raise limits.unsupported(
                    "a picture of the AVIF is coded as frames of a video are; accepted: still ones"
                )
            sizes.append((sequence.width, sequence.height))
    if not sizes:
        raise limits.damaged("a picture of the AVIF is cut short before its frame")
    if len(sizes) > 1:
        raise limits.unsupported(f"a picture of the AVIF is coded in {len(sizes)} frames; accepted: one")
    return sizes[0]


@dataclass(frozen=True, slots=True)
class _Sequence:
    """What a sequence header says.

    Args:
        width: The largest that its frames have, in pixels.
        height: As well.
        reduced: Its one frame has a header without choices.
        screen_tools: 0 or 1 for all frames; `_SELECT` where each chooses.
        integer_motion: As well.
        id_bits: Length of the number that each frame has.
    """

    width: int
    height: int
    reduced: bool
    screen_tools: int = 0
    integer_motion: int = 0
    id_bits: int = 0


class _Bits:
    """Reads numbers of some bits each."""

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._value = int.from_bytes(data)
        self._left = 8 * len(data)
        self._limits = limits

    def take(self, count: int = 1) -> int:
        """The next bits, the highest first."""
        self._left -= count
        if self._left < 0:
            raise self._limits.damaged("a header in the AVIF is cut short")
        return (self._value >> self._left) & ((1 << count) - 1)


def _units(data: bytes, limits: Limits) -> Iterator[tuple[int, bytes]]:
    """The kind of each unit, and how it begins."""
    place = 0
    for _ in range(MOST_UNITS):
        if place >= len(data):
            return
        head = data[place]
        place += 2 if head & 4 else 1
        size = len(data) - place
        if head & 2:
            size, place = _variable_length(data, place, limits)
        yield head >> 3 & 15, data[place : place + min(size, _HEADER_BYTES)]
        place += size
    raise limits.damaged(f"a picture of the AVIF has more than {MOST_UNITS:,} units")


def _variable_length(data: bytes, place: int, limits: Limits) -> tuple[int, int]:
    """A number of seven bits a byte, the lowest first, and the place behind it."""
    value = 0
    for i, byte in enumerate(data[place : place + 8]):
        value |= (byte & 0x7F) << 7 * i
        if byte < 0x80:
            return value, place + i + 1
    raise limits.damaged("a unit in the AVIF is cut short")


def _sequence(bits: _Bits, limits: Limits) -> _Sequence:
    bits.take(3)  # profile
    bits.take()  # still picture
    reduced = bool(bits.take())
    if reduced:
        bits.take(5)  # level
    else:
        _operating_points(bits, limits)
    width_bits, height_bits = bits.take(4) + 1, bits.take(4) + 1
    width, height = bits.take(width_bits) + 1, bits.take(height_bits) + 1
    if reduced:
        return _Sequence(width, height, reduced)
    id_bits = bits.take(4) + bits.take(3) + 3 if bits.take() else 0
    bits.take(3)  # large blocks, filter of intra prediction, filter of its edges
    bits.take(4)  # ways of predicting from other frames
    if bits.take():  # whether frames have an order
        bits.take(2)
    screen_tools = _SELECT if bits.take() else bits.take()
    integer_motion = _SELECT
    if screen_tools and not bits.take():
        integer_motion = bits.take()
    return _Sequence(width, height, reduced, screen_tools, integer_motion, id_bits)


def _operating_points(bits: _Bits, limits: Limits) -> None:
    if bits.take():
        raise limits.unsupported("the AVIF has the timing of a video; accepted: still pictures")
    delays = bits.take()
    for _ in range(bits.take(5) + 1):
        bits.take(12)
        if bits.take(5) > 7:  # the level, of which high ones have tiers
            bits.take()
        if delays and bits.take():
            bits.take(4)


def _is_plain(bits: _Bits, sequence: _Sequence) -> bool:
    """Whether a frame is shown as it is coded, in the size of its sequence."""
    if sequence.reduced:
        return True
    shown_again, kind, shown = bits.take(), bits.take(2), bits.take()
    if shown_again or kind != _KEY_FRAME or not shown:
        return False
    bits.take()  # whether what was learned from it is forgotten
    screen_tools = bits.take() if sequence.screen_tools == _SELECT else sequence.screen_tools
    if screen_tools and sequence.integer_motion == _SELECT:
        bits.take()
    bits.take(sequence.id_bits)
    return not bits.take()  # the frame has a size of its own

"""Promises of service.image_files.av1, held to bit streams that were written by hand from its specification."""

import pytest

from service.errors import ImageDecodeError, ImageTypeError
from service.image_files.av1 import frame_size
from service.image_files.limits import Limits

LIMITS = Limits(1_000_000)
SEQUENCE, DELIMITER, FRAME_HEADER, FRAME, REDUNDANT = 1, 2, 3, 6, 7
SIZE = "1000 0100  100101011 10011"  # of nine bits and of five: 300 x 20
REDUCED = f"000 1 1 00000 {SIZE}"
PLAIN = "000 1 0  0 0 00000 000000000000 00000"  # no timing, no delays, one point of a low level


def packed(bits: str) -> bytes:
    """Bits as text, filled up with the opposite of the last, which a reader must not come to."""
    bits = bits.replace(" ", "")
    other = "10"[int(bits[-1])]
    return int(bits.ljust(-(-len(bits) // 8) * 8, other), 2).to_bytes(-(-len(bits) // 8))


def unit(kind: int, content: bytes = b"", *, extended: bool = False, length: bytes | None = None) -> bytes:
    """An OBU; `length` is how its length is written where that is not plainly."""
    head = bytes((kind << 3 | extended << 2 | 2,)) + b"\xff" * extended
    return head + (bytes((len(content),)) if length is None else length) + content


def picture(sequence: str, frame: str = "0", *, extended: bool = False) -> bytes:
    """A sequence of one frame."""
    return unit(SEQUENCE, packed(sequence), extended=extended) + unit(FRAME, packed(frame), extended=extended)


# The frame's header ends with the bit that tells of a size of its own; each bit before it that may be is its opposite.
HEADERS = {
    "reduced": (REDUCED, ""),
    "plain": (f"{PLAIN} {SIZE} 0 000 0000 0  0 0", "0 00 1 {0}"),
    "screen tools": (f"{PLAIN} {SIZE} 0 000 0000 0  0 1 0 1", "0 00 1 {0}"),
    "integer motion where the frame says": (f"{PLAIN} {SIZE} 0 000 0000 0  0 1 1", "0 00 1 {0}{0}"),
    "screen tools where the frame says, and does": (f"{PLAIN} {SIZE} 0 000 0000 0  1 1", "0 00 1 {0} 1 {0}"),
    "screen tools where the frame says, and does not": (f"{PLAIN} {SIZE} 0 000 0000 0  1 1", "0 00 1 {0} 0"),
    "numbers": (f"{PLAIN} {SIZE} 1 0011 010 000 0000 0  0 0", "0 00 1 {0} {0}{0}{0}{0}{0}{0}{0}{0}"),
    "an order": (f"{PLAIN} {SIZE} 0 111 1111 1 11 0 0 000", "0 00 1 {0}"),
    "delays": (f"000 1 0  0 1 00000 111111111111 00111 1 1111 {SIZE} 0 000 0000 0  0 0", "0 00 1 {0}"),
    "no delays of its points": (f"000 1 0  0 1 00000 111111111111 00111 0 {SIZE} 0 000 0000 0  0 0", "0 00 1 {0}"),
    "two points, of a high level and a low one": (
        f"000 1 0  0 0 00001 000000000000 01000 1 000000000000 00111 {SIZE} 0 000 0000 0  0 0",
        "0 00 1 {0}",
    ),
}


@pytest.mark.parametrize(("sequence", "frame"), HEADERS.values(), ids=HEADERS)
def test_every_form_of_a_header_is_read(sequence: str, frame: str) -> None:
    """A bit that is taken for another would hide how large the frame is."""
    data = picture(sequence, frame.format("1") + "0")
    assert frame_size(data, LIMITS) == (300, 20)


@pytest.mark.parametrize("name", [name for name in HEADERS if name != "reduced"])
def test_a_frame_of_another_size_than_its_sequence_is_refused(name: str) -> None:
    """Only a video has them."""
    sequence, frame = HEADERS[name]
    with pytest.raises(ImageTypeError, match="coded as frames of a video are; accepted: still ones"):
        frame_size(picture(sequence, frame.format("0") + "1"), LIMITS)


@pytest.mark.parametrize("frame", ["1 00 1 0 0", "0 01 1 0 0", "0 10 1 0 0", "0 00 0 0 0"])
def test_a_frame_that_is_not_shown_as_it_is_coded_is_refused(frame: str) -> None:
    """One that is shown again, one that is told from others, and one that is never shown."""
    with pytest.raises(ImageTypeError, match="coded as frames of a video are; accepted: still ones"):
        frame_size(picture(HEADERS["plain"][0], frame), LIMITS)


def test_a_frame_before_its_sequence_is_refused() -> None:
    """Nothing says how large it is."""
    with pytest.raises(ImageTypeError, match="coded as frames of a video are; accepted: still ones"):
        frame_size(unit(FRAME) + unit(SEQUENCE, packed(REDUCED)), LIMITS)


def test_a_sequence_with_the_timing_of_a_video_is_refused() -> None:
    """What follows has another form then."""
    with pytest.raises(ImageTypeError, match="the timing of a video; accepted: still pictures"):
        frame_size(picture("000 1 0  1" + "0" * 200), LIMITS)


@pytest.mark.parametrize("kind", [FRAME_HEADER, FRAME, REDUNDANT])
def test_frames_of_each_kind_are_counted(kind: int) -> None:
    """Each may take as long as a picture."""
    for count in (2, 3):
        with pytest.raises(ImageTypeError, match=f"coded in {count} frames; accepted: one"):
            frame_size(unit(SEQUENCE, packed(REDUCED)) + unit(kind) * count, LIMITS)


def test_every_form_of_a_unit_is_read() -> None:
    """With more in its head, with a length of several bytes, and with none at the end of the data."""
    sequence = packed(REDUCED)
    assert frame_size(picture(REDUCED, extended=True), LIMITS) == (300, 20)
    long = unit(DELIMITER, bytes(300), length=b"\xac\x02")
    padded = unit(SEQUENCE, sequence, length=bytes((0x80 | len(sequence), 0x80, 0)))
    assert frame_size(long + padded + unit(FRAME), LIMITS) == (300, 20)
    assert frame_size(unit(SEQUENCE, sequence) + bytes((FRAME << 3,)), LIMITS) == (300, 20)


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (unit(SEQUENCE, packed(REDUCED)[:-1]) + unit(FRAME), "a header in the AVIF is cut short"),
        (picture(HEADERS["numbers"][0], "0 00 1 1 000"), "a header in the AVIF is cut short"),
        (unit(SEQUENCE, packed(REDUCED)) + bytes((FRAME << 3 | 2, 0x80)), "a unit in the AVIF is cut short"),
        (unit(DELIMITER, length=b"\x80" * 8 + b"\0"), "a unit in the AVIF is cut short"),
        (b"", "cut short before its frame"),
        (unit(SEQUENCE, packed(REDUCED)), "cut short before its frame"),
        (picture(REDUCED) + unit(DELIMITER) * 999, "more than 1,000 units"),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, why: str) -> None:
    """And never taken for something that is small."""
    with pytest.raises(ImageDecodeError, match=why):
        frame_size(data, LIMITS)

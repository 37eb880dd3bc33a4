"""JPEG: how many segments come before the picture, and how often its scans pass over all pixels."""

import re
from typing import Final

from service import ticket
from service.image_files.limits import Limits

# Each is read in Python, and those with EXIF are put together, all from the start each time.
MOST_SEGMENTS: Final = 500
# A scan of 75 bytes passes over every pixel.  Encoders write ten, the most eager ones some sixty.
MOST_SCANS: Final = 500
SCANNED_PIXELS: Final = 1_000_000_000
LEAST_SCANS: Final = 20

_MOST_JUNK: Final = 65_536
_START_OF_SCAN: Final = 0xDA
_END: Final = 0xD9
_BASELINE, _EXTENDED, _PROGRESSIVE = 0xC0, 0xC1, 0xC2
_FRAMES: Final = (_BASELINE, _EXTENDED, _PROGRESSIVE)
# Lossless, hierarchical and arithmetic-coded ones, which no browser shows and no camera writes.
_OTHER_FRAMES: Final = frozenset((0xC3, 0xC5, 0xC6, 0xC7, 0xC9, 0xCA, 0xCB, 0xCD, 0xCE, 0xCF))
# Markers with nothing behind them: restarts and the like, and what fills the space before a marker.
_BARE: Final = frozenset((0x00, 0x01, *range(0xD0, 0xD9), 0xFF))
_AFTER_SCAN: Final = re.compile(rb"\xff+[^\x00\x01\xd0-\xd7\xff]")


def inspect(data: bytes, limits: Limits) -> bytes:
    """Walk from segment to segment, as the decoder will, up to the first scan.

    Raises:
        ImageTypeError: It is lossless, hierarchical or arithmetic-coded.
        ImageDecodeError: It has more segments or scans than any encoder writes.
        PostponedError: There is no room for it yet.
    """
    place, frame = 2, b""
    for _ in range(MOST_SEGMENTS):
        junk_end = place + _MOST_JUNK
        place = data.find(b"\xff", place, junk_end)
        if place < 0 and junk_end < len(data):
            break
        if place < 0 or len(data) < place + 4:
            return data  # the decoder will say what is missing
        marker = data[place + 1]
        if marker in _BARE:
            place += 1
        elif marker == _START_OF_SCAN:
            _check_scans(data, place, frame, limits)
            return data
        else:
            if marker in _FRAMES:
                frame = data[place + 1 : place + 10]
            elif marker in _OTHER_FRAMES:
                raise limits.unsupported(
                    "the JPEG is lossless, hierarchical or arithmetic-coded; accepted: baseline and progressive"
                )
            place += 2 + int.from_bytes(data[place + 2 : place + 4])
    raise limits.damaged(f"the JPEG has no picture in its first {MOST_SEGMENTS} segments")


def _check_scans(data: bytes, start: int, frame: bytes, limits: Limits) -> None:
    """Where pixels are put together from several scans, all of them are read to the end of the file."""
    if len(frame) < 9 or len(data) < start + 5:
        return  # the decoder will say what is missing
    progressive, parts = frame[0] == _PROGRESSIVE, frame[8]
    if not progressive and data[start + 4] >= parts:
        return
    pixels = int.from_bytes(frame[4:6]) * int.from_bytes(frame[6:8])
    if pixels <= limits.max_pixels:  # else it is refused when it is opened
        ticket.current().need(pixels * (2 * parts + 9))  # all its coefficients, 2 bytes each, beside its pixels
    most = min(MOST_SCANS, max(LEAST_SCANS, SCANNED_PIXELS // max(pixels, 1)))
    # The same two bytes may stand in the metadata, or by chance in what lies behind the picture.
    if data.count(b"\xff\xda", start) > most and (scans := _scans(data, start, most)) > most:
        raise limits.damaged(
            f"the JPEG of {pixels:,} pixels comes in {scans} scans or more; at most {most} are accepted"
        )


def _scans(data: bytes, start: int, most: int) -> int:
    """The scans of the picture, counted no further than one past `most`."""
    scans, place = 0, start
    while scans <= most:
        found = _AFTER_SCAN.search(data, place)
        if found is None or found[0][-1] == _END:
            break
        scans += found[0][-1] == _START_OF_SCAN
        place = found.end() + int.from_bytes(data[found.end() : found.end() + 2])
    return scans

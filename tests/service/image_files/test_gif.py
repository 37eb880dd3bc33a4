"""Promises of service.image_files.gif."""

import struct

import pytest

from service.errors import ImageDecodeError, RequestTooLargeError
from service.image_files.gif import inspect
from service.image_files.limits import Limits
from tests.hostile_images import gif

LIMITS = Limits(1_000_000)
HUGE = (2_000, 1_000)
NOTHING = b"!\xfe\0"
CONTROL = b"!\xf9\4\0\0\0\0\0"


@pytest.mark.parametrize(
    "data",
    [
        gif(frame=HUGE),
        gif(screen=HUGE),
        gif().replace(b",\0\0\0\0", b"," + struct.pack("<HH", *HUGE)),
        gif(frame=HUGE, palette=b""),
        gif(frame=HUGE, palette=b"").replace(CONTROL, b""),
        gif(frame=HUGE, palette=b";,;,;,"),
        gif(frame=HUGE, blocks=b"!\xfe\3;,;\2,;\0" + NOTHING),
        gif(frame=HUGE, blocks=b"\0\0\0"),
    ],
    ids=[
        "frame",
        "screen",
        "place",
        "no palette",
        "nothing at all",
        "palette of marks",
        "text of marks",
        "bytes without a meaning",
    ],
)
def test_the_first_frame_is_found(data: bytes) -> None:
    """Whatever stands before it, and whatever it is that makes it reach so far."""
    with pytest.raises(RequestTooLargeError, match="pixels; at most 1,000,000 are accepted"):
        inspect(data, LIMITS)


@pytest.mark.parametrize("length", range(6, 50))
def test_a_file_that_was_cut_short_is_the_business_of_the_decoder(length: int) -> None:
    """It says what is missing, wherever that is."""
    data = gif(blocks=b"!\xfe\2ab\0")[:length]
    assert inspect(data, LIMITS) is data


def test_a_file_without_a_frame_is_the_business_of_the_decoder() -> None:
    """What lies behind its end is not looked at."""
    data = gif(frames=0) + gif(frame=HUGE)
    assert inspect(data, LIMITS) is data


def test_a_frame_may_come_late() -> None:
    """The blocks before it are counted, and their bytes are not."""
    data = gif(blocks=b"!\xfe" + (b"\xff" + bytes(255)) * 40_000 + b"\0")
    assert inspect(data, LIMITS) is data
    with pytest.raises(ImageDecodeError, match="no frame in its first 50,000 blocks"):
        inspect(gif(blocks=NOTHING * 25_000), LIMITS)

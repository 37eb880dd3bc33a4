"""Promises of service.image_files.bmp."""

import struct

import pytest

from service.errors import ImageTypeError
from service.image_files.bmp import inspect
from service.image_files.limits import Limits
from tests.hostile_images import bmp_of_runs

LIMITS = Limits(1_000_000)


@pytest.mark.parametrize("bits", [8, 4])
def test_run_lengths_are_refused(bits: int) -> None:
    """Of each width: their decoder is written in Python."""
    with pytest.raises(ImageTypeError, match="the BMP is compressed .RLE.; accepted: without compression"):
        inspect(bmp_of_runs(bits=bits), LIMITS)


@pytest.mark.parametrize("pixel", [1, 2])
def test_a_short_header_tells_of_no_compression(pixel: int) -> None:
    """Where others have it, that of OS/2 is over, and pixels may have its values."""
    header = struct.pack("<IHHHH", 12, 2, 2, 1, 24)
    data = b"BM" + struct.pack("<IHHI", 42, 0, 0, 26) + header + bytes(4) + struct.pack("<I", pixel) + bytes(8)
    assert inspect(data, LIMITS) is data

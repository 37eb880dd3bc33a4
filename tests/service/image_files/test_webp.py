"""Promises of service.image_files.webp."""

import pytest
from PIL import Image

from service.errors import RequestTooLargeError
from service.image_files.limits import Limits
from service.image_files.webp import inspect
from tests.hostile_images import webp_that_says
from tests.images import encode

OBLONG = Image.new("RGB", (300, 20))


@pytest.mark.parametrize(
    ("data", "kind"),
    [
        (webp_that_says(300, 20), b"VP8X"),
        (encode(OBLONG, "webp", lossless=True), b"VP8L"),
        (encode(OBLONG, "webp"), b"VP8 "),
    ],
)
def test_the_canvas_is_measured_before_the_decoder_makes_room_for_it(data: bytes, kind: bytes) -> None:
    """In each of the three ways in which its size is written."""
    assert data[12:16] == kind
    assert inspect(data, Limits(6_000)) is data
    with pytest.raises(RequestTooLargeError, match="300x20 pixels; at most 5,999 are accepted"):
        inspect(data, Limits(5_999))


def test_a_file_that_was_cut_short_is_the_business_of_the_decoder() -> None:
    """It says what is missing."""
    for length in range(12, 30):
        data = webp_that_says(4, 4)[:length]
        assert inspect(data, Limits(16)) is data

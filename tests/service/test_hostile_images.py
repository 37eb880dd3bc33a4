"""Files that cost far more than their bytes or pixels: each is refused, or decoded within bounds."""

import subprocess
import sys
import warnings
import zlib
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image

from service.encoded_image import prepare_decoders
from service.errors import ImageDecodeError, ImageTypeError, RequestTooLargeError
from service.image import decode
from tests import hostile_images as hostile
from tests import images
from tests.tiny_models import image_input

PIXELS: Final = 1_000_000
GREY: Final = image_input(channels=1, size=8)
TILED: Final = {322: (4, [65_536]), 323: (4, [65_536]), 324: (4, [-1]), 325: (4, [64])}
STRIPS: Final = (273, 278, 279)
NOISE: Final = np.random.default_rng(0).integers(0, 256, (64, 64, 3), np.uint8)
ROOT: Final = Path(__file__).parents[2]


def tiled_bomb() -> bytes:
    """A TIFF of 64 pixels in one tile of four thousand million."""
    tags = hostile.grey_tiff_tags(8, 8) | TILED | {259: (3, [8])}
    return hostile.tiff({tag: given for tag, given in tags.items() if tag not in STRIPS}, zlib.compress(bytes(64)))


TOO_LARGE: Final = {
    "a PNG of 13000x13000 pixels": hostile.png_bomb(13_000),
    "a PNG of 20000x20000 pixels": hostile.png_bomb(20_000),
    "a GIF whose canvas is cleared when it is opened": hostile.gif(screen=(13_000, 13_000), disposal=2),
    "a GIF whose frame is larger than its screen": hostile.gif(frame=(13_000, 13_000)),
    "a TIFF whose tags lie": hostile.tiff(hostile.grey_tiff_tags(60_000, 60_000), bytes(64)),
    "a TIFF with a huge tile": tiled_bomb(),
    "a WebP with a huge canvas": hostile.webp_that_says(13_000, 13_000),
    "an AVIF whose boxes lie": hostile.avif_that_says(hostile.avif(1_500), 16, 16),
    "an AVIF with a huge box": hostile.avif_that_says(hostile.avif(16), 15_000, 15_000),
    "an AVIF of many tiles": hostile.avif_of_items(hostile.avif(900), 5),
}


@pytest.mark.parametrize("data", TOO_LARGE.values(), ids=TOO_LARGE)
def test_too_many_pixels_are_refused_by_the_header(data: bytes) -> None:
    """Whatever it is that says how many there are."""
    assert len(data) < 50_000
    with pytest.raises(RequestTooLargeError, match="pixels; at most 1,000,000 are accepted"):
        decode(data, GREY, max_pixels=PIXELS)


LONG: Final = {
    "a PNG": hostile.png((40_000_000, 1), depth=16, colour=6, rows=[b""]),
    "a TIFF": hostile.tiff(
        hostile.grey_tiff_tags(40_000_000, 1, length=64)
        | {258: (3, [16] * 4), 259: (3, [8]), 262: (3, [2]), 277: (3, [4]), 338: (3, [2])},
        bytes(64),
    ),
    "a PNG of a column": hostile.png((1, 40_000_000), depth=1, colour=0, rows=[b""]),
}


@pytest.mark.parametrize("data", LONG.values(), ids=LONG)
def test_a_side_that_is_too_long_is_refused(data: bytes) -> None:
    """Decoders count the bits of a row in 32 bits, and take their overflow for the end of the memory."""
    with pytest.raises(RequestTooLargeError, match="pixels; at most 1,000,000 of a side are accepted"):
        decode(data, GREY, max_pixels=50_000_000)


ENDLESS: Final = {
    "a JPEG of a million segments": (
        hostile.jpeg_with(hostile.jpeg_segment(0xE1, b"Exif\0\0x") * 1_000_000),
        "no picture in its first 500 segments",
    ),
    "a JPEG with megabytes before its picture": (hostile.jpeg_with(b"\xff\xfe\0\2" + bytes(5_000_000)), "no picture"),
    "a JPEG of 600 progressive scans": (hostile.jpeg_of_scans(900, 600), "501 scans or more; at most 500"),
    "a large JPEG of 30 progressive scans": (hostile.jpeg_of_scans(7_100, 30), "21 scans or more; at most 20"),
    "a JPEG of 600 scans of its parts": (hostile.jpeg_in_parts(900, 600), "501 scans or more; at most 500"),
    "a PNG of a million chunks": (hostile.grey_png(before=[(b"teXt", b"")] * 1_000_000), "more than 20,000 chunks"),
    "a PNG of a million chunks of pixels": (hostile.grey_png(after=[(b"IDAT", b"")] * 1_000_000), "more than 20,000"),
    "a GIF of five million blocks": (
        hostile.gif(blocks=b"!\xfe" + b"\1x" * 5_000_000 + b"\0"),
        "no frame in its first 50,000 blocks",
    ),
    "a TIFF of five million strips": (
        hostile.tiff(hostile.grey_tiff_tags(1, 1_000_000, rows=1) | {273: (3, [9] * 5_000_000)}),
        "tag 273 of the TIFF has 5,000,000 values",
    ),
    "a TIFF of 60,000 tags": (hostile.tiff(hostile.grey_tiff_tags(8, 8), repeat=60_000), "60,009 tags"),
    "a TIFF that says it twice": (hostile.tiff(hostile.grey_tiff_tags(8, 8), repeat=1), "tag 256 twice"),
    "a TIFF with two compressions": (
        hostile.tiff(hostile.grey_tiff_tags(8, 8) | {259: (3, [1, 5])}, bytes(64)),
        "tag 259 of the TIFF is not one whole number",
    ),
    "a TIFF with a type that only some know": (
        hostile.tiff(hostile.grey_tiff_tags(8, 8) | {322: (17, [65_536])}),
        "tag 322 of the TIFF has 1 values of type 17",
    ),
    "an AVIF of four thousand million parts": (hostile.avif_of_parts(60_000), "more than 10,000 parts"),
    "an AVIF whose items overlap": (
        hostile.avif_of_items(images.encode(NOISE, "avif", speed=10), 5, overlap=True),
        "overlap",
    ),
}


@pytest.mark.parametrize(("data", "why"), ENDLESS.values(), ids=ENDLESS)
def test_endless_files_are_refused(data: bytes, why: str) -> None:
    """Their decoders would follow each part of them: for seconds, hours, or until the memory ends."""
    with pytest.raises(ImageDecodeError, match=why):
        decode(data, GREY, max_pixels=60_000_000)


def test_an_avif_is_one_frame() -> None:
    """A picture may hide frames behind which nobody sees: each takes as long as a picture."""
    assert decode(hostile.avif_of_frames(64, 1), GREY, max_pixels=PIXELS).max() == 90
    with pytest.raises(ImageTypeError, match="coded in 300 frames; accepted: one"):
        decode(hostile.avif_of_frames(64, 300), GREY, max_pixels=PIXELS)


LARGE: Final = bytes(1_000_000)
HARMLESS: Final = {
    "a GIF of 200,000 frames": (hostile.gif(frames=200_000), 255),
    "a PNG with 2 GB of text": (hostile.grey_png(before=[(b"zTXt", b"k\0\0" + zlib.compress(LARGE, 9))] * 2_000), 7),
    "a PNG with 2 GB of text at its end": (
        hostile.grey_png(after=[(b"zTXt", b"k\0\0" + zlib.compress(LARGE, 9))] * 2_000),
        7,
    ),
    "a PNG with 2 GB of profiles": (
        hostile.grey_png(before=[(b"iCCP", b"k\0\0" + zlib.compress(LARGE, 9))] * 2_000),
        7,
    ),
    "a PNG with a large unknown chunk": (hostile.grey_png(before=[(b"teXt", LARGE)]), 7),
    "a TIFF whose next directory is itself": (
        hostile.tiff_of_pixels(np.full((2, 2), 7, np.uint8), next_directory=8),
        7,
    ),
    "a TIFF whose EXIF is its directory": (hostile.tiff_of_pixels(np.full((2, 2), 7, np.uint8), t34665=(4, [8])), 7),
}


@pytest.mark.parametrize(("data", "value"), HARMLESS.values(), ids=HARMLESS)
def test_what_is_beside_the_picture_is_left_alone(data: bytes, value: int) -> None:
    """Frames, text, profiles, pages: the picture is decoded, and the rest is not looked at."""
    assert np.unique(decode(data, GREY, max_pixels=PIXELS)).tolist() == [value]


BROKEN: Final = {
    "a JPEG that says it is huge": images.encode(Image.new("L", (8, 8)), "jpeg").replace(
        b"\xff\xc0\x00\x0b\x08\x00\x08\x00\x08", b"\xff\xc0\x00\x0b\x08\x03\xe8\x03\xe8"
    )[:-12],
    "a TIFF whose strips are beyond its end": hostile.tiff(
        hostile.grey_tiff_tags(64, 64) | {273: (4, [10**6])}, bytes(64)
    ),
    "a WebP whose canvas is smaller than its picture": hostile.webp_that_says(4, 4),
}


@pytest.mark.parametrize("data", BROKEN.values(), ids=BROKEN)
def test_less_data_than_declared_is_no_picture(data: bytes) -> None:
    """It is never taken for one that is black in its lower part."""
    with pytest.raises(ImageDecodeError):
        decode(data, GREY, max_pixels=PIXELS)


def test_warnings_of_decoders_are_not_kept(recwarn: pytest.WarningsRecorder) -> None:
    """Python keeps each text of a warning, and a caller would make them: one for each file."""
    odd = hostile.tiff_of_pixels(np.zeros((2, 2), np.uint8), t282=(4, [1, 2, 3]))
    warnings.simplefilter("always")
    decode(odd, GREY, max_pixels=PIXELS)
    assert len(recwarn) > 0
    recwarn.clear()
    prepare_decoders()
    decode(odd, GREY, max_pixels=PIXELS)
    assert len(recwarn) == 0


# Bytes a pixel at most, in the process that decodes: measured, with a margin.  docs/security.md has the table.
MEMORY: Final = {"jpeg": 9, "progressive jpeg": 15, "png": 9, "gif": 9, "bmp": 9, "tiff": 13, "webp": 21, "avif": 13}
SIDE: Final = 3_000
CONSTANT: Final = 25_000_000
MEASURE: Final = """
import sys
from pathlib import Path
from service.image import decode
from tests.tiny_models import image_input

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)

spec = image_input(channels=3, size=8)
data = [Path(name).read_bytes() for name in sys.argv[1:]]
decode(data[0], spec, max_pixels=10**8, decoding="exact")
before = peak()
decode(data[1], spec, max_pixels=10**8, decoding="exact")
print((peak() - before) * 1024)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")
@pytest.mark.parametrize("form", MEMORY)
def test_memory_follows_the_pixels(form: str, tmp_path: Path) -> None:
    """The peak of a process that decodes is bounded by width * height * bytes + constant."""
    options = {"progressive": True, "subsampling": 0} if form == "progressive jpeg" else {}
    options |= {"avif": {"speed": 10}, "webp": {"method": 0}}.get(form, {})
    for name, side in (("small", 16), ("large", SIDE)):
        picture = Image.new("RGB", (side, side), (200, 90, 40))
        (tmp_path / name).write_bytes(images.encode(picture, form.rsplit(maxsplit=1)[-1], **options))
    found = subprocess.run(
        [sys.executable, "-c", MEASURE, tmp_path / "small", tmp_path / "large"],
        check=True, capture_output=True, cwd=ROOT, env={"PYTHONPATH": str(ROOT)},
    )  # fmt: skip
    assert SIDE**2 < int(found.stdout) < MEMORY[form] * SIDE**2 + CONSTANT

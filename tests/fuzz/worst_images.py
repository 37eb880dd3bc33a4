"""How long the worst images take that are accepted, and how much memory: `python -m tests.fuzz.worst_images`.

Each is as large as the settings allow, 50 megapixels in 20 MiB, and made to be slow.
"""

import io
import subprocess
import sys
import tempfile
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import numpy as np
from PIL import Image

from tests import hostile_images, images

SIDE: Final = 7_070
MAX_BYTES: Final = 20 * 2**20
ROOT: Final = Path(__file__).parents[2]
MEASURE: Final = """
import sys, time
from pathlib import Path
from service.encoded_image import prepare_decoders
from service.image import decode
from tests.tiny_models import image_input

def peak():
    return next(int(line.split()[1]) for line in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in line)

prepare_decoders()
spec = image_input(channels=3, size=224).model_copy(update={"interpolation": "bilinear"})
data = Path(sys.argv[1]).read_bytes()
before, start = peak(), time.process_time()
decode(data, spec, max_pixels=50_000_000, decoding="exact")
print(time.process_time() - start, (peak() - before) * 1024)
"""


def noise(side: int, levels: int = 256) -> Image.Image:
    """Nothing is harder to compress."""
    return Image.fromarray(np.random.default_rng(0).integers(0, levels, (side, side, 3), np.uint8))


def grain(side: int) -> Image.Image:
    """Noise of coarser grain: there is an end to what WebP can hold of it, and AVIF in 20 MiB."""
    return noise(side // 18).resize((side, side), Image.Resampling.BILINEAR)


def fitting(encode: Callable[[int], bytes], values: Iterator[int]) -> bytes:
    """The first that is not too large."""
    return next(data for value in values if len(data := encode(value)) <= MAX_BYTES)


def jpeg() -> bytes:
    """Of four inks, in noise."""
    picture = noise(SIDE).convert("CMYK")
    return fitting(lambda q: images.encode(picture, "jpeg", quality=q), iter((30, 15, 8, 4, 1)))


def progressive_jpeg() -> bytes:
    """In noise, with as many scans as are accepted."""
    picture = noise(SIDE)
    data = fitting(
        lambda q: images.encode(picture, "jpeg", quality=q, progressive=True, subsampling=0), iter((30, 15, 8, 4, 1))
    )
    last = data[data.rindex(hostile_images.START_OF_SCAN) : -2]
    more = min(20 - data.count(hostile_images.START_OF_SCAN), (MAX_BYTES - len(data)) // len(last))
    return data[:-2] + last * max(more, 0) + data[-2:]


def jpeg_of_scans() -> bytes:
    """Small, in 500 scans."""
    return hostile_images.jpeg_of_scans(1_414, 500)


def png() -> bytes:
    """Of 64 bits a pixel, each row told by its neighbours."""
    head = (SIDE).to_bytes(4) * 2 + bytes((16, 6, 0, 0, 0))
    packer = zlib.compressobj(1)
    pixels = b"".join([packer.compress(b"\4" + b"\1\2\3\4\5\6\7\x08" * SIDE) for _ in range(SIDE)] + [packer.flush()])
    chunks = [(b"IHDR", head), (b"IDAT", pixels), (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(hostile_images.png_chunk(*chunk) for chunk in chunks)


def gif() -> bytes:
    """Of few colours in noise, one of them transparent."""
    picture = Image.fromarray(np.random.default_rng(0).integers(0, 6, (SIDE, SIDE), np.uint8), "L").convert("P")
    return images.encode(picture, "gif", transparency=1, interlace=1)


def bmp() -> bytes:
    """Of two colours."""
    return images.encode(Image.new("1", (SIDE, SIDE), 1), "bmp")


def tiff() -> bytes:
    """Of four channels in rows of their own, compressed twice as well as bytes can be."""
    buffer = io.BytesIO()
    picture = Image.new("RGBA", (SIDE, SIDE), (1, 2, 3, 4))
    picture.save(buffer, "tiff", compression="tiff_adobe_deflate", strip_size=4 * SIDE)
    return buffer.getvalue()


def webp() -> bytes:
    """Lossy."""
    return fitting(lambda q: images.encode(grain(SIDE), "webp", quality=q, method=0), iter((80, 60)))


def webp_lossless() -> bytes:
    """Lossless noise of few colours."""
    picture = noise(SIDE, 2).quantize(4).convert("RGBA")
    return images.encode(picture, "webp", lossless=True, quality=0, method=0)


def avif() -> bytes:
    """With a channel for transparency, and without a colour left out."""
    picture = grain(SIDE).convert("RGBA")
    picture.putalpha(Image.linear_gradient("L").resize(picture.size))
    return fitting(
        lambda q: images.encode(picture, "avif", quality=q, speed=10, subsampling="4:4:4"), iter((75, 50, 25))
    )


WORST: Final = (jpeg, progressive_jpeg, jpeg_of_scans, png, gif, bmp, tiff, webp, webp_lossless, avif)

if __name__ == "__main__":
    wanted = [make for make in WORST if len(sys.argv) < 2 or make.__name__ in sys.argv[1:]]
    for make in wanted:
        with tempfile.NamedTemporaryFile() as file:
            data = make()
            file.write(data)
            file.flush()
            command = [sys.executable, "-c", MEASURE, file.name]
            found = subprocess.run(command, capture_output=True, text=True, cwd=ROOT, check=False)
            if found.returncode:
                print(f"{make.__name__:18} {found.stderr.splitlines()[-1]}")  # noqa: T201
                continue
            seconds, size = map(float, found.stdout.split())
            with Image.open(io.BytesIO(data)) as image:
                pixels = image.width * image.height
            print(f"{make.__name__:18} {len(data) / 1e6:6.2f} MB {seconds:6.2f} s {size / pixels:6.1f} bytes a pixel")  # noqa: T201

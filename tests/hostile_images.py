"""Image files put together byte by byte: kinds that Pillow does not write, and those that only an attacker would."""

import struct
import zlib
from collections.abc import Mapping, Sequence
from typing import Any

from numpy.typing import NDArray
from PIL import Image

from tests import images

START_OF_SCAN = b"\xff\xda"


def png_chunk(kind: bytes, content: bytes) -> bytes:
    """A chunk with its length and checksum."""
    return struct.pack(">I", len(content)) + kind + content + struct.pack(">I", zlib.crc32(kind + content))


def png(
    size: tuple[int, int],
    *,
    depth: int,
    colour: int,
    rows: Sequence[bytes],
    before: Sequence[tuple[bytes, bytes]] = (),
    after: Sequence[tuple[bytes, bytes]] = (),
) -> bytes:
    """A PNG of (width, height) with rows as they are; `before` and `after` are chunks around the pixels."""
    head = struct.pack(">IIBBBBB", *size, depth, colour, 0, 0, 0)
    pixels = zlib.compress(b"".join(b"\0" + row for row in rows), 9)
    chunks = [(b"IHDR", head), *before, (b"IDAT", pixels), *after, (b"IEND", b"")]
    return b"\x89PNG\r\n\x1a\n" + b"".join(png_chunk(*chunk) for chunk in chunks)


def grey_png(*, before: Sequence[tuple[bytes, bytes]] = (), after: Sequence[tuple[bytes, bytes]] = ()) -> bytes:
    """A grey pixel of value 7, with chunks around it."""
    return png((1, 1), depth=8, colour=0, rows=[b"\7"], before=before, after=after)


def png_bomb(side: int) -> bytes:
    """A black square of one bit a pixel."""
    return images.encode(Image.new("1", (side, side)))


def jpeg_segment(marker: int, content: bytes) -> bytes:
    """A segment with its length."""
    return struct.pack(">BBH", 0xFF, marker, len(content) + 2) + content


def jpeg_with(segments: bytes, side: int = 8) -> bytes:
    """A JPEG with segments in front."""
    data = images.encode(Image.new("RGB", (side, side)), "jpeg")
    return data[:2] + segments + data[2:]


def jpeg_of_scans(side: int, scans: int) -> bytes:
    """A progressive JPEG whose last scan comes again and again."""
    data = images.encode(Image.new("RGB", (side, side)), "jpeg", progressive=True)
    first = data.count(START_OF_SCAN)
    return data[:-2] + data[data.rindex(START_OF_SCAN) : -2] * (scans - first) + data[-2:]


def jpeg_in_parts(side: int, scans: int) -> bytes:
    """A baseline JPEG whose three parts come in scans of their own, and the last again and again."""
    data = images.encode(Image.new("RGB", (side, side)), "jpeg", subsampling=0)
    start = data.index(START_OF_SCAN)
    return (
        data[:start]
        + b"".join(
            START_OF_SCAN + bytes((0, 8, 1, min(i, 2) + 1, 0x11 if i else 0, 0, 63, 0)) + b"\x7f" for i in range(scans)
        )
        + data[-2:]
    )


def jpeg_coded(marker: int) -> bytes:
    """A JPEG that calls itself lossless, arithmetic-coded or the like."""
    data = images.encode(Image.new("RGB", (8, 8)), "jpeg")
    at = data.index(b"\xff\xc0")
    return data[: at + 1] + bytes((marker,)) + data[at + 2 :]


def gif(
    *,
    blocks: bytes = b"",
    frames: int = 1,
    screen: tuple[int, int] = (2, 2),
    frame: tuple[int, int] = (2, 2),
    disposal: int = 0,
    palette: bytes = b"\0\0\0\xff\xff\xff",
) -> bytes:
    """A GIF of two by two white pixels, after some blocks, a number of times; its palette has two colours or none."""
    head = b"GIF89a" + struct.pack("<HHBBB", *screen, 0x80 if palette else 0, 0, 0) + palette
    control = b"!\xf9\x04" + bytes((disposal << 2, 0, 0, 0)) + b"\0"
    picture = control + b"," + struct.pack("<HHHHB", 0, 0, *frame, 0) + b"\x02\x03\x4c\x98\x14\0"
    return head + blocks + picture * frames + b";"


def tiff(
    tags: Mapping[int, tuple[int, Sequence[int]]],
    pixels: bytes = b"",
    *,
    order: str = "<",
    repeat: int = 0,
    next_directory: int = 0,
) -> bytes:
    """A TIFF of one directory, in which the first tag may be repeated.

    Args:
        tags: The type of each, and its values; an offset of -1 becomes that of the pixels.
        pixels: They follow the directory.
        order: Of its bytes: `<` or `>`.
        repeat: How often the first tag comes again.
        next_directory: Where the next one is said to be.
    """
    letters = {1: "B", 3: "H", 4: "I", 17: "q"}
    packed = {tag: f"{order}{len(values)}{letters[kind]}" for tag, (kind, values) in tags.items()}
    entries = [(tag, *tags[tag]) for tag in sorted(tags)]
    entries += entries[:1] * repeat
    outside_at = 8 + 2 + 12 * len(entries) + 4
    pixels_at = outside_at + sum(size for form in packed.values() if (size := struct.calcsize(form)) > 4)
    table, outside = b"", b""
    for tag, kind, values in entries:
        value = struct.pack(packed[tag], *(pixels_at if each == -1 else each for each in values))
        if len(value) > 4:
            value, outside = struct.pack(f"{order}I", outside_at + len(outside)), outside + value
        table += struct.pack(f"{order}HHI", tag, kind, len(values)) + value.ljust(4, b"\0")
    head = (b"II*\0" if order == "<" else b"MM\0*") + struct.pack(f"{order}IH", 8, len(entries))
    return head + table + struct.pack(f"{order}I", next_directory) + outside + pixels


def grey_tiff_tags(
    width: int, height: int, *, bits: int = 8, rows: int = 0, length: int = 0
) -> dict[int, tuple[int, list[int]]]:
    """The tags of a grey picture in one strip, whose pixels are to follow."""
    return {
        256: (4, [width]),
        257: (4, [height]),
        258: (3, [bits]),
        259: (3, [1]),
        262: (3, [1]),
        273: (4, [-1]),
        277: (3, [1]),
        278: (4, [rows or height]),
        279: (4, [length or width * height * bits // 8]),
    }


def tiff_of_pixels(
    pixels: NDArray[Any],
    *,
    sample_format: int = 1,
    order: str = "<",
    next_directory: int = 0,
    **changed: tuple[int, list[int]],
) -> bytes:
    """A grey TIFF of an array of numbers; `changed` are tags by `t` and their number."""
    height, width = pixels.shape
    tags = grey_tiff_tags(width, height, bits=8 * pixels.itemsize) | {339: (3, [sample_format])}
    tags |= {int(name[1:]): given for name, given in changed.items()}
    ordered = pixels.astype(pixels.dtype.newbyteorder("<" if order == "<" else ">"))
    return tiff(tags, ordered.tobytes(), order=order, next_directory=next_directory)


def bmp_of_runs(side: int = 4, runs: bytes = b"\4\1" * 4, *, bits: int = 8) -> bytes:
    """A BMP of greys whose rows are run lengths, in 8 bits a pixel or 4."""
    colours = 1 << bits
    palette = bytes(value for grey in range(colours, 0, -1) for value in (grey - 1, grey - 1, grey - 1, 0))
    head = struct.pack("<IiiHHIIiiII", 40, side, side, 1, bits, 1 if bits == 8 else 2, len(runs), 0, 0, colours, 0)
    start = 14 + len(head) + len(palette)
    return b"BM" + struct.pack("<IHHI", start + len(runs), 0, 0, start) + head + palette + runs


def avif(side: int = 64, **options: object) -> bytes:
    """A grey picture in AVIF, quickly made."""
    return images.encode(Image.new("RGB", (side, side), (90, 90, 90)), "avif", **{"speed": 10, **options})


def avif_that_says(data: bytes, width: int, height: int) -> bytes:
    """The same AVIF with another size in its boxes; its bit stream stays."""
    at = data.index(b"ispe") + 8
    return data[:at] + struct.pack(">II", width, height) + data[at + 8 :]


def avif_of_frames(side: int, frames: int) -> bytes:
    """An AVIF whose one picture is coded in several frames."""
    data = avif(side)
    at = data.index(b"mdat") + 4
    head = at + 2 + 2 + data[at + 3]  # a temporal delimiter, and the header of the sequence
    more = data[head:] * (frames - 1)
    size, place = len(data) - at, data.index(b"iloc") + 8
    patched = bytearray(data + more)
    patched[at - 8 : at - 4] = struct.pack(">I", size + 8 + len(more))
    at_length = patched.index(struct.pack(">I", size), place)
    patched[at_length : at_length + 4] = struct.pack(">I", size + len(more))
    return bytes(patched)


def avif_of_items(data: bytes, count: int, *, overlap: bool = False) -> bytes:
    """An AVIF with some more pictures that nothing refers to, behind the first one, or in the same place."""
    stream = data[data.index(b"mdat") + 4 :]
    location = data.index(b"iloc")
    first = bytearray(data[location + 12 : location + 26])  # of the one item, whose part is at `place`
    entries = data.index(b"iinf")
    entry = bytearray(data[entries + 10 : entries + 10 + int.from_bytes(data[entries + 10 : entries + 14])])
    added = (count - 1) * (len(first) + len(entry))
    place = int.from_bytes(first[6:10]) + added
    locations, names = b"", b""
    for i in range(count):
        first[:2] = entry[12:14] = struct.pack(">H", i + 1)
        first[6:10] = struct.pack(">I", place + (0 if overlap else i * len(stream)))
        locations, names = locations + first, names + entry
    sizes = {b"meta": added, b"iloc": (count - 1) * len(first), b"iinf": (count - 1) * len(entry)}
    sizes[b"mdat"] = 0 if overlap else (count - 1) * len(stream)
    head = bytearray(data)
    for kind, more in sizes.items():
        at = head.index(kind) - 4
        head[at : at + 4] = struct.pack(">I", int.from_bytes(head[at : at + 4]) + more)
    head[location + 10 : location + 12] = head[entries + 8 : entries + 10] = struct.pack(">H", count)
    head[entries + 10 : entries + 10 + len(entry)] = names
    head[location + 12 : location + 26] = locations
    return bytes(head) + (b"" if overlap else stream * (count - 1))


def avif_of_parts(items: int) -> bytes:
    """An AVIF whose items have 65,535 parts each, which its table tells in no bytes."""
    places = bytes(6) + struct.pack(">H", items) + struct.pack(">HHH", 1, 0, 0xFFFF) * items
    tables = ((b"iinf", bytes(6)), (b"iloc", places))
    meta = bytes(4) + b"".join(struct.pack(">I", len(table) + 8) + kind + table for kind, table in tables)
    kind = struct.pack(">I", 24) + b"ftypavif" + bytes(4) + b"avifmif1"
    return kind + struct.pack(">I", len(meta) + 8) + b"meta" + meta


def webp_that_says(width: int, height: int) -> bytes:
    """A WebP of eight by eight pixels on a canvas of another size."""
    inner = images.encode(Image.new("RGB", (8, 8)), "webp", lossless=True)[12:]
    canvas = (
        b"VP8X"
        + struct.pack("<I", 10)
        + bytes(4)
        + struct.pack("<I", width - 1)[:3]
        + struct.pack("<I", height - 1)[:3]
    )
    return b"RIFF" + struct.pack("<I", 4 + len(canvas) + len(inner)) + b"WEBP" + canvas + inner

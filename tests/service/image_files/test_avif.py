"""Promises of service.image_files.avif, held to boxes that were written by hand."""

import struct

import pytest

from service.errors import ImageDecodeError, ImageTypeError, RequestTooLargeError
from service.image_files.avif import inspect
from service.image_files.limits import Limits

FRAME = bytes.fromhex("0a0418212573 3200")  # a reduced header of 300 x 20 pixels, and a frame of no bytes
KIND = struct.pack(">I", 24) + b"ftypavif" + bytes(4) + b"avifmif1"
PLACE = 1_000  # of the picture in the file


def box(kind: bytes, *content: bytes, head: int = 8) -> bytes:
    """A box whose size takes 4 bytes, or 8 where its head has 16; where it has none it goes to the end."""
    inside = b"".join(content)
    if head == 0:
        return bytes(4) + kind + inside
    size = head + len(inside)
    return (struct.pack(">I", size) + kind if head == 8 else struct.pack(">I4sQ", 1, kind, size)) + inside


def entry(number: int = 1, kind: bytes = b"av01", version: int = 2) -> bytes:
    """What an item is."""
    return box(b"infe", bytes((version, 0, 0, 0)), number.to_bytes(4 if version > 2 else 2), bytes(2), kind)


def entries(*items: bytes, version: int = 0) -> bytes:
    """The table of them."""
    return box(b"iinf", bytes((version, 0, 0, 0)), len(items).to_bytes(4 if version else 2), *items)


def places(*numbers: str, version: int = 0) -> bytes:
    """The table of places, in hexadecimal numbers."""
    return box(b"iloc", bytes((version, 0, 0, 0)), bytes.fromhex("".join(numbers)))


NAMED = entries(entry())
PLACED = places("4400 0001", "0001 0000 0001 000003e8 00000008")


def file(*inside: bytes, picture: bytes = FRAME, head: int = 8, last: bytes = b"") -> bytes:
    """A file with a picture at its place, and what lies behind it."""
    front = KIND + box(b"meta", bytes(4), *inside, head=head)
    return front + box(b"mdat", bytes(PLACE - len(front) - 8), picture, last)


FORMS = {
    "plainly": file(NAMED, PLACED),
    "in 64 bits": file(box(b"free", head=16), NAMED, PLACED, head=16),
    "up to the end": KIND
    + box(b"mdat", bytes(PLACE - 32), FRAME)
    + box(b"meta", bytes(4), NAMED, box(PLACED[4:8], PLACED[8:], head=0)),
    "in numbers of 32 bits": file(
        entries(entry(version=3), version=1),
        places("4400 00000001", "00000001 0000 0000 0001 000003e8 00000008", version=2),
    ),
    "with indices": file(NAMED, places("4402 0001", "0001 0000 0000 0001 1111 000003e8 00000008", version=1)),
    "without indices, which that version has not": file(NAMED, places("4402 0001", "0001 0000 0001 000003e8 00000008")),
    "from a base": file(NAMED, places("4440 0001", "0001 0000 000003e0 0001 00000008 00000008")),
    "in two parts": file(NAMED, places("4400 0001", "0001 0000 0002 000003e8 00000006 000003ee 00000002")),
    "beside its table": file(
        NAMED, places("4400 0001", "0001 0001 0000 0001 00000002 00000008", version=1), box(b"idat", b"xx", FRAME)
    ),
    "beside its table, it says": file(NAMED, places("4400 0001", "0001 0001 0000 0001 000003e8 00000008", version=1)),
    "up to the end of what is beside its table": file(
        NAMED, places("4000 0001", "0001 0001 0000 0001 00000002", version=1), box(b"idat", b"xx", FRAME)
    ),
    "not beside its table, though something is": file(
        NAMED, places("4400 0001", "0001 0000 0000 0001 000003e8 00000008", version=1), box(b"idat", b"xx")
    ),
    "behind another item": file(
        entries(entry(1, b"Exif"), entry(2)),
        places("4400 0002", "0001 0000 0001 00000000 00000008", "0002 0000 0001 000003e8 00000008"),
    ),
}


@pytest.mark.parametrize("data", FORMS.values(), ids=FORMS)
def test_the_picture_is_found_however_it_is_told_where_it_is(data: bytes) -> None:
    """One that is not found is one whose size nobody has looked at."""
    assert inspect(data, Limits(6_000)) is data
    with pytest.raises(RequestTooLargeError, match="300x20 pixels; at most 5,999 are accepted"):
        inspect(data, Limits(5_999))


BEYOND = places("4400 0001", "0001 0000 0001 000003e8 0000ffff")


def test_a_part_beyond_the_end_is_the_business_of_the_decoder() -> None:
    """The file was cut short, and what there is of it is looked at."""
    data = file(NAMED, BEYOND)
    assert inspect(data, Limits(6_000)) is data


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (file(NAMED, PLACED)[:90], "box b'meta' of the AVIF is cut short"),
        (file(NAMED, PLACED[:3] + b"\xff" + PLACED[4:]), "box b'iloc' of the AVIF is cut short"),
        (file(NAMED, b"\0\0\0\7free", PLACED), "box b'free' of the AVIF is cut short"),
        (file(NAMED, b"\0\0\0\1free" + (15).to_bytes(8), PLACED), "box b'free' of the AVIF is cut short"),
        (file(NAMED, PLACED) + box(b"free") * 10_000, "more than 10,000 boxes"),
        (file(NAMED, places("4400 ffffffff", version=2)), "a table of the AVIF is cut short"),
        (file(entries(box(b"infe", b"\2\0\0\0\0\1")), PLACED), "a table of the AVIF is cut short"),
        (KIND + box(b"meta", bytes(4), PLACED, box(b"iinf")), "a table of the AVIF is cut short"),
        (file(entries(box(b"infe")), PLACED), "a table of the AVIF is cut short"),
        (
            # The first begins so far behind the end that its size is none, and not one below zero.
            file(
                NAMED,
                places("4400 0003", "0009 0000 0001 ffffffff 00000001", "0009 0000 0001 00000000 ffffffff" * 2),
            ),
            "the items of the AVIF overlap",
        ),
    ],
)
def test_what_cannot_be_read_is_told(data: bytes, why: str) -> None:
    """Which box or table it is, in a moment, however much it says that it holds."""
    with pytest.raises(ImageDecodeError, match=why):
        inspect(data, Limits(6_000))


@pytest.mark.parametrize(
    ("data", "found"),
    [
        (KIND + box(b"moov") + box(b"mdat", FRAME), "0 boxes 'meta'"),
        (file(NAMED), "0 boxes 'iloc'"),
        (file(PLACED), "0 boxes 'iinf'"),
        (file(NAMED, PLACED, places("4400 0000")), "2 boxes 'iloc'"),
        (file(NAMED, PLACED) + box(b"meta", bytes(4), NAMED, PLACED), "2 boxes 'meta'"),
    ],
)
def test_a_file_has_one_still_picture(data: bytes, found: str) -> None:
    """An animation may have none; where there are two tables, decoders need not agree which of them counts."""
    with pytest.raises(ImageTypeError, match=f"the AVIF has {found}; accepted: still pictures, with one"):
        inspect(data, Limits(6_000))


@pytest.mark.parametrize("head", [8, 16])
def test_the_sequence_of_an_animation_is_hidden_from_the_decoder(head: int) -> None:
    """Of all that the file says it can be read as, the still picture is left."""
    for brand, brands in ((b"avis", b"avifavis"), (b"avis", b"mif1avis"), (b"avif", b"mif1msf1")):
        still = file(NAMED, PLACED)[len(KIND) :]
        data = KIND[:8] + brand + b"avis" + brands + still + box(b"moov", b"xavisx", head=head) + box(b"moov", b"moov")
        free = box(b"free", b"xavisx", head=head) + box(b"free", b"moov")
        expected = KIND[:8] + b"avifavis" + brands.replace(b"avis", b"avif") + still + free
        assert inspect(data, Limits(6_000)) == expected

"""Promises of service.image_files.recognition."""

import pytest

from service.image_files.recognition import describe, format_of

RAW = "a camera's raw file: develop it to JPEG"
HEIC = "a HEIC photo: save or share it as JPEG"


def media(brand: bytes, *others: bytes, size: int | None = None) -> bytes:
    """The start of a file of the family of MP4."""
    inside = brand + bytes(4) + b"".join(others)
    return (8 + len(inside) if size is None else size).to_bytes(4) + b"ftyp" + inside + b"avif" * 100


@pytest.mark.parametrize(
    ("start", "name"),
    [
        (b"\xff\xd8\xff\xe0", "JPEG"),
        (b"\x89PNG\r\n\x1a\n", "PNG"),
        (b"GIF87a", "GIF"),
        (b"GIF89a", "GIF"),
        (b"BM", "BMP"),
        (b"BM" + bytes(6) + b"CR", "BMP"),
        (b"II*\0\x08\0\0\0\x01\0", "TIFF"),
        (b"MM\0*\0\0\0\x08\0\1", "TIFF"),
        (b"RIFF\4\0\0\0WEBP", "WEBP"),
        (media(b"avif"), "AVIF"),
        (media(b"avis"), "AVIF"),
        (media(b"mif1", b"miaf", b"avif"), "AVIF"),
    ],
)
def test_an_accepted_format_is_known_by_its_first_bytes(start: bytes, name: str) -> None:
    """Names and types that the caller gives are not believed."""
    assert format_of(start) == name


@pytest.mark.parametrize(
    ("start", "what"),
    [
        (b"%PDF-1.7", "a PDF document"),
        (b"\0\0\1\0\1\0", "an icon (ICO)"),
        (b"\0\0\2\0\1\0", "a mouse pointer (CUR)"),
        (b"8BPS\0\1", "a Photoshop document"),
        (b"\0\0\0\x0cjP  \r\n", "a JPEG 2000 image"),
        (b"\xff\x4f\xff\x51", "a JPEG 2000 image"),
        (b"\0\0\0\x0cJXL \r\n", "a JPEG XL image"),
        (b"\xff\x0a", "a JPEG XL image"),
        (b"II+\0\x08\0", "a BigTIFF image"),
        (b"MM\0+\0\x08", "a BigTIFF image"),
        (b"II*\0\x10\0\0\0CR\2\0", RAW),
        (b"IIU\0", RAW),
        (b"IIRO", RAW),
        (b"IIRS", RAW),
        (b"FUJIFILMCCD-RAW", RAW),
        (b"\0MRM", RAW),
        (b"FOVb", RAW),
        (b"RIFF\4\0\0\0WAVE", "a video or sound (AVI or WAV)"),
        (b"\x1aE\xdf\xa3", "a video (WebM or Matroska)"),
        (b"PK\3\4", "a ZIP archive"),
        (b"\x1f\x8b\x08", "a gzip file"),
        (b"\x93NUMPY", "a NumPy array"),
        (b"\x76\x2f\x31\x01", "an OpenEXR image"),
        (b"\x89HDF\r\n", "an HDF5 file"),
        *((media(brand), HEIC) for brand in (b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1")),
        (media(b"crx ", b"isom"), RAW),
        (media(b"isom", b"mp42"), "a video (MP4 or QuickTime)"),
        (b"\xef\xbb\xbf<?xml?><svg>", "an SVG drawing: render it to PNG"),
        (b"hello, world", "text ('hello, world'…)"),
        (media(b"avif").replace(b"ftyp", b"free"), "text"),
        (b"\x01\xff", "no image (they start with 01 ff)"),
    ],
)
def test_what_is_not_accepted_is_called_by_its_name(start: bytes, what: str) -> None:
    """With advice where there is some."""
    assert format_of(start) is None
    assert describe(start).startswith(f"the bytes are {what}")


def test_brands_are_looked_for_where_they_are() -> None:
    """Neither behind their box, nor as far as it says that it reaches."""
    assert format_of(media(b"isom")) is None
    endless = media(b"isom", b"mp42" * 70, size=0xFFFF_FFFF)
    assert format_of(endless) is None
    assert describe(endless) == "the bytes are a video (MP4 or QuickTime)"

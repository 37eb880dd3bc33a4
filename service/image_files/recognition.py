"""What bytes are, found out by looking at them: an image of an accepted format, or what people call it."""

from collections.abc import Mapping
from typing import Final, Literal

Format = Literal["JPEG", "PNG", "WEBP", "GIF", "BMP", "TIFF", "AVIF"]

_SIGNATURES: Final[Mapping[bytes, Format]] = {
    b"\xff\xd8\xff": "JPEG",
    b"\x89PNG\r\n\x1a\n": "PNG",
    b"GIF87a": "GIF",
    b"GIF89a": "GIF",
    b"BM": "BMP",
    b"II*\x00": "TIFF",
    b"MM\x00*": "TIFF",
}
_BRANDS: Final = (b"avif", b"avis")
_CAMERAS: Final = "a camera's raw file: develop it to JPEG"
_OTHERS: Final[Mapping[bytes, str]] = {
    b"%PDF": "a PDF document",
    b"\x00\x00\x01\x00": "an icon (ICO)",
    b"\x00\x00\x02\x00": "a mouse pointer (CUR)",
    b"8BPS": "a Photoshop document",
    b"\x00\x00\x00\x0cjP  ": "a JPEG 2000 image",
    b"\xff\x4f\xff\x51": "a JPEG 2000 image",
    b"\x00\x00\x00\x0cJXL ": "a JPEG XL image",
    b"\xff\x0a": "a JPEG XL image",
    b"II+\x00": "a BigTIFF image",
    b"MM\x00+": "a BigTIFF image",
    b"II*\x00\x10\x00\x00\x00CR": _CAMERAS,
    b"IIU\x00": _CAMERAS,
    b"IIRO": _CAMERAS,
    b"IIRS": _CAMERAS,
    b"FUJIFILMCCD-RAW": _CAMERAS,
    b"\x00MRM": _CAMERAS,
    b"FOVb": _CAMERAS,
    b"RIFF": "a video or sound (AVI or WAV)",
    b"\x1aE\xdf\xa3": "a video (WebM or Matroska)",
    b"PK\x03\x04": "a ZIP archive",
    b"\x1f\x8b": "a gzip file",
    b"\x93NUMPY": "a NumPy array",
    b"\x76\x2f\x31\x01": "an OpenEXR image",
    b"\x89HDF": "an HDF5 file",
}
_HEIC: Final = "a HEIC photo: save or share it as JPEG (an iPhone takes JPEGs with the camera format Most Compatible)"
_MEDIA: Final[Mapping[bytes, str]] = {
    **dict.fromkeys((b"heic", b"heix", b"heim", b"heis", b"hevc", b"hevx", b"mif1", b"msf1"), _HEIC),
    b"crx ": _CAMERAS,
}
"""By the brand of a file of the family of MP4."""


def format_of(data: bytes) -> Format | None:
    """The format of an image; None where it is none of those accepted."""
    for signature, name in _SIGNATURES.items():
        if data.startswith(signature):
            return None if data[8:10] == b"CR" and name == "TIFF" else name
    if data.startswith(b"RIFF"):
        return "WEBP" if data[8:12] == b"WEBP" else None
    return "AVIF" if data[4:8] == b"ftyp" and any(brand in _BRANDS for brand in _brands(data)) else None


def describe(data: bytes) -> str:
    """What bytes that are no accepted image look like, for people."""
    if data[4:8] == b"ftyp":
        media = (_MEDIA[brand] for brand in _brands(data) if brand in _MEDIA)
        return f"the bytes are {next(media, 'a video (MP4 or QuickTime)')}"
    known = (name for signature, name in _OTHERS.items() if data.startswith(signature))
    if name := next(known, None):
        return f"the bytes are {name}"
    if b"<svg" in data[:1024]:
        return "the bytes are an SVG drawing: render it to PNG"
    if data[:512].isascii():
        return f"the bytes are text ({data[:24].decode('ascii')!r}…)"
    return f"the bytes are no image (they start with {data[:8].hex(' ')})"


def _brands(data: bytes) -> list[bytes]:
    """What the first box of a file says that it can be read as: what it is most of all first."""
    end = min(int.from_bytes(data[:4]), 256)
    return [data[i : i + 4] for i in (8, *range(16, end, 4))]

"""TIFF: its first directory, read with more suspicion than decoders do."""

from collections.abc import Mapping
from typing import Final, Literal

from service.image_files.limits import Limits

MOST_TAGS: Final = 1_000
# Offsets of strips and the like; each becomes an object before any pixel is decoded.
MOST_VALUES: Final = 100_000

_NEW_SUBFILE, _BITS, _COMPRESSION, _PHOTOMETRIC, _SUB_DIRECTORIES = 254, 258, 259, 262, 330
_TILE_WIDTH, _TILE_LENGTH, _DNG_VERSION = 322, 323, 50706
_COMPRESSIONS: Final[Mapping[int, str]] = {1: "none", 5: "LZW", 8: "Deflate", 32946: "Deflate", 32773: "PackBits"}
_BYTES, _SHORT, _LONG = (1, 2, 6, 7), 3, 4
_LARGEST_TYPE: Final = 13
_SIZES: Final = {1: 1, _SHORT: 2, _LONG: 4}
_REDUCED: Final = 1
_WHITE_IS_ZERO: Final = 0
_EIGHT: Final = 8
_TAG_BYTES: Final = 12


def inspect(data: bytes, limits: Limits) -> bytes:
    """Look at the first directory: pages behind it, and directories inside it, are never followed.

    Raises:
        ImageTypeError: It is a camera's raw file, or it is compressed or coloured in a way that is not accepted.
        ImageDecodeError: It has more tags or values than any encoder writes, or one tag twice.
        RequestTooLargeError: Its tiles are too large.
    """
    tags = _Directory(data, limits)
    if _DNG_VERSION in tags or (_SUB_DIRECTORIES in tags and tags.value(_NEW_SUBFILE, 0) & _REDUCED):
        raise limits.unsupported("the bytes are a camera's raw file, with a preview in front: develop it to JPEG")
    compression = tags.value(_COMPRESSION, 1)
    if compression not in _COMPRESSIONS:
        accepted = ", ".join(dict.fromkeys(_COMPRESSIONS.values()))
        raise limits.unsupported(f"the TIFF has compression {compression}; accepted: {accepted}")
    bits = tags.value(_BITS, 1, of_several=_EIGHT)
    if bits not in (1, 2, 4, _EIGHT, 16) or (bits == 16 and tags.value(_PHOTOMETRIC, 0) == _WHITE_IS_ZERO):
        raise limits.unsupported(f"the TIFF has {bits} bits; accepted: 1, 2, 4, 8, and 16 of which 0 is black")
    limits.check_size(tags.value(_TILE_WIDTH, 0), tags.value(_TILE_LENGTH, 0))
    return data


class _Directory:
    """The tags of a directory: how many values each has, of which type, and where there is one, which.

    Raises:
        ImageDecodeError: No encoder would write it.
    """

    def __init__(self, data: bytes, limits: Limits) -> None:
        self._order: Literal["little", "big"] = "little" if data.startswith(b"II") else "big"
        self._limits = limits
        self._tags: dict[int, tuple[int, int, bytes]] = {}
        start = int.from_bytes(data[4:8], self._order)
        count = int.from_bytes(data[start : start + 2], self._order)
        if count > MOST_TAGS:
            raise limits.damaged(f"the TIFF has {count:,} tags; at most {MOST_TAGS:,} are accepted")
        for place in range(start + 2, min(start + 2 + _TAG_BYTES * count, len(data) - _TAG_BYTES + 1), _TAG_BYTES):
            self._add(data[place : place + _TAG_BYTES])

    def __contains__(self, number: int) -> bool:
        return number in self._tags

    def value(self, number: int, default: int, *, of_several: int | None = None) -> int:
        """The value of a tag; the default where there is none.

        Args:
            number: Which tag.
            default: What stands for none.
            of_several: What stands for several values; None where there must be one.
        """
        kind, count, value = self._tags.get(number, (0, 1, b""))
        if not kind:
            return default
        if count != 1 and of_several is not None:
            return of_several
        if count != 1 or kind not in _SIZES:
            raise self._limits.damaged(f"tag {number} of the TIFF is not one whole number")
        return int.from_bytes(value[: _SIZES[kind]], self._order)

    def _add(self, tag: bytes) -> None:
        number, kind = (int.from_bytes(tag[i : i + 2], self._order) for i in (0, 2))
        count = int.from_bytes(tag[4:8], self._order)
        if number in self._tags:  # decoders do not agree which of them counts
            raise self._limits.damaged(f"the TIFF has tag {number} twice")
        if not 0 < kind <= _LARGEST_TYPE or (count > MOST_VALUES and kind not in _BYTES):
            raise self._limits.damaged(f"tag {number} of the TIFF has {count:,} values of type {kind}")
        self._tags[number] = (kind, count, tag[8:])

"""Long texts, read and written in pieces.

What Python does in one call, no other thread runs beside: a request of 20 MB would hold up the event loop, and all
other callers, for a tenth of a second and more.  Between two pieces others have their turn.
"""

import base64
import binascii
from collections.abc import Iterator
from typing import Any, Final

import orjson
from numpy.typing import NDArray

_PIECE: Final = 2**18  # characters; 2 ms
_ELEMENTS: Final = 2**14  # of an array; 2 ms
_BYTES: Final = 2**20  # to look at, or to copy; 1 ms
_SPACE: Final = b" \t\r\n\v\f"


def from_base64(text: str) -> bytes:
    r"""Decode base64; white space in it does not count.

    Raises:
        ValueError: It is none.

    >>> from_base64("YWJj\nZGU=")
    b'abcde'
    """
    return b"".join(_decoded(text))


def count_values(text: bytes) -> int:
    """How many values a JSON text has at most; brackets and commas in the texts in it count, too.

    >>> count_values(b'{"a": [1, 2, []]}')
    5
    """
    starts = range(0, len(text), _BYTES)
    return sum(text.count(mark, start, start + _BYTES) for mark in (b",", b"[", b"{") for start in starts)


def json_of(array: NDArray[Any]) -> bytes:
    """Write an array of numbers as JSON, nested as it is; what is not finite becomes null.

    >>> import numpy as np
    >>> json_of(np.array([[1, 2], [3, 4]]))
    b'[[1,2],[3,4]]'
    """
    if array.size <= _ELEMENTS:
        return orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)
    if array.ndim == 1:
        pieces = (json_of(array[start : start + _ELEMENTS])[1:-1] for start in range(0, array.size, _ELEMENTS))
    else:
        pieces = (json_of(part) for part in array)
    return b"[" + b",".join(pieces) + b"]"


def _decoded(text: str) -> Iterator[bytes]:
    left, padded = b"", False
    for start in range(0, len(text), _PIECE):
        piece = left + text[start : start + _PIECE].encode("ascii").translate(None, _SPACE)
        if padded and piece:
            raise binascii.Error("there is more behind the padding")
        whole = len(piece) - len(piece) % 4
        left, piece = piece[whole:], piece[:whole]
        padded = piece.endswith(b"=")
        yield base64.b64decode(piece, validate=True)
    yield base64.b64decode(left, validate=True)

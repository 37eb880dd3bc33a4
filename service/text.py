"""Long texts, read and written in pieces.

What Python does in one call, no other thread runs beside: a request of 20 MB would hold up the event loop, and all
other callers, for a tenth of a second and more.  Between two pieces others have their turn.
"""

import base64
import binascii
import time
import uuid
from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import chain
from typing import Any, Final

import orjson
from numpy.typing import NDArray

from service.buffer import Buffer, Content

_PIECE: Final = 2**18  # characters; 2 ms
_ELEMENTS: Final = 2**12  # of an array; 0.5 ms
_BYTES: Final = 2**20  # to look at, or to copy; 1 ms
_VALUES: Final = (b",", b"[", b"{")
_ESCAPES: Final = 16  # that count as a value
_LENT_SECONDS: Final = 2e-5
_LENT_AFTER: Final = 2**15  # bytes that are written
_SPACE: Final = b" \t\r\n\v\f"


def lend() -> None:
    """Let another thread have the interpreter, if one wants it."""
    time.sleep(_LENT_SECONDS)


def _plain(array: NDArray[Any]) -> bytes:
    return orjson.dumps(array, option=orjson.OPT_SERIALIZE_NUMPY)


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

    So do escapes, 16 as one: to read 20 MB of them takes one call of 40 ms.  Base64 of some encoders has an escape for
    each slash, of which one in 64 characters is one.

    >>> count_values(b'{"a": [1, 2, []]}')
    5
    """
    starts = range(0, len(text), _BYTES)
    values, escapes = (
        sum(text.count(mark, start, start + _BYTES) for mark in marks for start in starts)
        for marks in (_VALUES, (b"\\",))
    )
    return values + escapes // _ESCAPES


def joined(parts: Iterable[Content]) -> Content:
    """Join bytes, as `bytes.join` does; others run meanwhile, and between parts that are made while they are joined.

    >>> joined([b"ab", memoryview(b"cd")])
    b'abcd'
    """
    coming = _lending(parts)
    first, size = [], 0
    for part in coming:
        first.append(part)
        size += len(part)
        if size > _BYTES:
            break
    else:
        return b"".join(first)
    buffer = Buffer(sum(map(len, parts)) if isinstance(parts, Sequence) else 2 * size)
    for part in chain(first, coming):
        buffer.write(part)
    return buffer.content()


def as_bytes(text: memoryview) -> bytes:
    """Bytes that were looked at; they are copied where it was at a part of them, in pieces.

    >>> as_bytes(memoryview(b"abc")[1:])
    b'bc'
    """
    if isinstance(text.obj, bytes) and len(text.obj) == len(text):
        return text.obj
    return b"".join(bytes(text[start : start + _BYTES]) for start in range(0, len(text), _BYTES))


def find(text: bytes, word: bytes, start: int = 0) -> int:
    """Where a word is in a text, as `bytes.find` tells, which takes 20 ms for 20 MB.

    >>> find(b"abcabc", b"bc", 2)
    4
    """
    for begin in range(start, len(text), _BYTES):
        found = text.find(word, begin, begin + _BYTES + len(word) - 1)
        if found >= 0:
            return found
    return -1


def json_of(array: NDArray[Any], dumped: Callable[[NDArray[Any]], bytes] = _plain) -> Iterator[bytes]:
    """Write an array of numbers as JSON, nested as it is, in pieces; what is not finite becomes null.

    Args:
        array: The numbers.
        dumped: Writes a piece of them.

    >>> import numpy as np
    >>> b"".join(json_of(np.array([[1, 2], [3, 4]])))
    b'[[1,2],[3,4]]'
    """
    if array.size <= _ELEMENTS:
        yield dumped(array)
        return
    yield b"["
    step = _ELEMENTS if array.ndim == 1 else 1
    for start in range(0, len(array), step):
        if start:
            yield b","
        if array.ndim == 1:
            yield dumped(array[start : start + step])[1:-1]
        else:
            yield from json_of(array[start], dumped)
    yield b"]"


def json_with(answer: object) -> Content:
    """Write JSON in which iterators stand for what is written already, in pieces: `json_of` gives them.

    >>> json_with({"data": iter([b"[1,", b"2]"])})
    b'{"data":[1,2]}'
    """
    mark = ""
    aside: list[Iterator[bytes]] = []

    def put_aside(pieces: object) -> str:
        if not isinstance(pieces, Iterator):
            raise TypeError
        nonlocal mark
        mark = mark or uuid.uuid4().hex  # no text of an answer is it
        aside.append(pieces)
        return mark

    text = orjson.dumps(answer, default=put_aside, option=orjson.OPT_SERIALIZE_NUMPY)
    if not aside:
        return text
    first, *others = text.split(f'"{mark}"'.encode())
    return joined(chain([first], *(chain(pieces, [behind]) for pieces, behind in zip(aside, others, strict=True))))


def _lending(parts: Iterable[Content]) -> Iterator[Content]:
    size = 0
    for part in parts:
        yield part
        size += len(part)
        if size > _LENT_AFTER:
            size = 0
            lend()


def _decoded(text: str) -> Iterator[bytes]:
    left, padded = b"", False
    for start in range(0, len(text), _PIECE):
        if start:
            lend()
        piece = left + text[start : start + _PIECE].encode("ascii").translate(None, _SPACE)
        if padded and piece:
            raise binascii.Error("there is more behind the padding")
        whole = len(piece) - len(piece) % 4
        left, piece = piece[whole:], piece[:whole]
        padded = piece.endswith(b"=")
        yield base64.b64decode(piece, validate=True)
    yield base64.b64decode(left, validate=True)

"""The JSON of a request, read; the numbers of tensors in pieces.

What Python does in one call, no other thread runs beside: to parse 20 MB of numbers at once stops everything else for a
fifth of a second.  So the lists of numbers under `data` are cut out of a long text and read piece by piece, each
straight into an array.  What is left is read at once, and may have so many values and no more.
"""

import json
import re
import uuid
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from itertools import chain
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import MalformedRequestError, RequestTooLargeError
from service.text import as_bytes, count_values, find, lend

Array = NDArray[Any]

LONG: Final = 2**16  # bytes; a shorter text is read at once, in 1 ms

_PIECE: Final = 2**16  # bytes; 0.25 ms
_LENT_AFTER: Final = 4  # pieces
_LEAST: Final = 16  # times as long as the shortest list that is cut out is a piece
_DEEPEST: Final = 32  # lists in lists; no tensor has more axes
_BARE: Final = (b"NaN", b"Infinity")
_KEY: Final = b'"data"'
_OPENING: Final = re.compile(rb"[ \t\r\n]{0,64}:[ \t\r\n]{0,64}\[")
_WRONG: Final = "the JSON of the request cannot be read"
_UNREADABLE: Final = (ValueError, RecursionError, TypeError)
_SPACE: Final = b" \t\r\n"
_OUTLINE: Final = b"[],"
_EMPTY: Final = _OUTLINE + _SPACE
_VALUES: Final = bytes(byte for byte in range(256) if byte not in _OUTLINE)


@dataclass(frozen=True)
class Numbers:
    """What a list holds, whatever numbers (or other values that are no texts and no objects) they are.

    Args:
        pieces: Its elements in order, each piece of the type that its elements have in common; empty where the list is
            no tensor.
        depth: How many lists begin with its first element.
        outline: Its brackets and commas, where lists lie in it.

    Shape:
        pieces: (elements,) each.
    """

    pieces: tuple[Array, ...]
    depth: int
    outline: bytes

    def joined(self) -> Array:
        """All elements, of the type that they have in common.

        Raises:
            ValueError: The lists in it differ in length or depth, as NumPy says of no pieces at all and of some.
        """
        found: Array = np.concatenate(self.pieces)
        if self.depth > 1 and not _is_regular(self.outline, self.depth, found.size):
            raise ValueError("its lists differ in length or depth")
        return found


def read(text: memoryview) -> object:
    """Read a short text at once.

    Raises:
        MalformedRequestError: It is no JSON, and would not be with NaN and Infinity either.
    """
    try:
        return _loads(text)
    except _UNREADABLE as error:
        raise MalformedRequestError(f"{_WRONG}: {error}") from error


def kept_whole(array: Array, items: Callable[[], Iterable[object]]) -> Array:
    """What NumPy makes of numbers, but whole ones as they are, where some are too large for int64 and all fit uint64.

    Args:
        array: What NumPy made of them: of such a mixture float64, which rounds them.
        items: Gives the numbers in order; looked at only as far as they are whole.
    """
    if array.dtype.kind != "f" or not array.size or not all(isinstance(item, int) for item in items()):
        return array
    try:
        return np.array(list(items()), np.uint64).reshape(array.shape)
    except OverflowError:  # one is below 0
        return array


def read_long(text: memoryview, *, max_values: int, piece: int = _PIECE) -> tuple[object, Mapping[str, Numbers]]:
    """Read a text of any length.

    Args:
        text: JSON.
        max_values: How many values it may have beside the numbers.
        piece: How many bytes of a list are read at once, and up to the next comma.

    Returns:
        What it holds, with a name in place of each long list of numbers under `data`; and the lists by name.  No text
        that a caller sends is such a name.

    Raises:
        MalformedRequestError: It is no JSON.
        RequestTooLargeError: It has more than `max_values`.
    """
    rest, lists = _set_aside(as_bytes(text), piece)
    values = count_values(rest)
    if values > max_values:
        raise RequestTooLargeError(
            f"the JSON of the request has {values:,} values beside the numbers of its tensors; at most {max_values:,}"
            " are accepted (setting max_json_values): send tensors in binary"
        )
    try:
        return (_loads(rest) if len(rest) <= LONG else orjson.loads(rest)), lists
    except _UNREADABLE as error:
        raise MalformedRequestError(f"{_WRONG}: {_said(error)}") from error


def _loads(text: bytes | memoryview) -> object:
    """NaN and Infinity are no JSON; Triton's clients send them all the same."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raw = bytes(text)
        if not any(word in raw for word in _BARE):
            raise
    found = json.loads(raw)
    orjson.dumps(found)  # refuses what could not be written into an answer, as half a surrogate pair
    return found


def _said(error: Exception) -> str:
    """What is wrong, without the place: it would be that in a part of the text."""
    return error.msg if isinstance(error, json.JSONDecodeError) else str(error)


def _set_aside(text: bytes, piece: int) -> tuple[bytes, dict[str, Numbers]]:
    mark, start = uuid.uuid4().hex, 0
    rest: list[bytes] = []
    lists: dict[str, Numbers] = {}
    for begin, end in _lists(text, least=piece // _LEAST):
        found = _numbers(text, begin, end, piece)
        if found is not None:
            name = f"{mark}-{len(lists)}"
            lists[name] = found
            rest += (text[start:begin], f'"{name}"'.encode())
            start = end
    return b"".join((*rest, text[start:])), lists


def _lists(text: bytes, *, least: int) -> Iterator[tuple[int, int]]:
    """Where the long lists under `data` begin and end, as far as no text and no object lies in them.

    Inside of a text a quote has a backslash in front: `"data"` without one is a text of its own, wherever it stands.
    """
    at = find(text, _KEY)
    while at >= 0:
        opening = _OPENING.match(text, at + len(_KEY))
        at += len(_KEY)
        if opening and text[at - len(_KEY) - 1 : at - len(_KEY)] != b"\\":
            begin = opening.end() - 1
            end = _end(text, begin)
            if end - begin > least:
                yield begin, end
                at = end
        at = find(text, _KEY, at)


def _end(text: bytes, begin: int) -> int:
    """The last bracket before whatever is no part of a list of numbers."""
    stop = len(text)
    for other in (b'"', b"}", b"{"):
        found = text.find(other, begin, stop)
        stop = stop if found < 0 else found
    return text.rfind(b"]", begin, stop) + 1


def _numbers(text: bytes, begin: int, end: int, size: int) -> Numbers | None:
    """Read a list; None where it does not end at `end`, or nothing is in it.

    Raises:
        MalformedRequestError: It is no JSON.
    """
    found: list[Array | None] = []
    outline: list[bytes] = []
    depth, empty = 0, True
    for piece, before, after in _pieces(text, begin, end, size):
        if len(found) % _LENT_AFTER == _LENT_AFTER - 1:
            lend()
        depth = depth or piece[: -len(piece.lstrip(b"[" + _SPACE))].count(b"[")
        empty = empty and not piece.translate(None, _EMPTY)
        try:
            found.append(_exact(_loads(b"[" * before + piece + b"]" * after), depth))
        except _UNREADABLE as error:
            raise MalformedRequestError(f"{_WRONG}: {_said(error)}, in the list behind byte {begin}") from error
        if depth > 1:
            outline.append(piece.translate(None, _VALUES))
    if after or empty:
        return None
    whole = tuple(array for array in found if array is not None)
    return Numbers(_alike(whole) if len(whole) == len(found) else (), depth, b",".join(outline))


def _pieces(text: bytes, begin: int, end: int, size: int) -> Iterator[tuple[bytes, int, int]]:
    """Cut a list at commas: each piece, and how many lists are open before and behind it.

    With those opened before, and closed behind, a piece of JSON is JSON.

    Raises:
        MalformedRequestError: A list ends where it cannot.
    """
    start, before = begin, 0
    while start < end:
        comma = text.find(b",", start + size, end)
        stop = comma if comma >= 0 else end
        piece = text[start:stop]
        after = before + piece.count(b"[") - piece.count(b"]")
        # Each would be JSON when it is taken by itself, as `[1,` and `]`, `[` and `,1]`, or `[1]` and `[2]`.
        inside = piece.strip()
        begins_badly = inside[:1] in (b"", b"]")
        ends_badly = stop < end and (after < 1 or inside[-1:] in (b"", b"["))
        if begins_badly or ends_badly:
            raise MalformedRequestError(f"{_WRONG}: a list ends where it cannot, behind byte {start}")
        yield piece, before, after
        start, before = stop + 1, after


def _exact(found: object, depth: int) -> Array | None:
    """The elements of a piece, whole numbers as they are; None as with `_elements`."""
    array = _elements(found, depth)
    return array if array is None else kept_whole(array, partial(_items, found, depth))


def _items(found: object, depth: int) -> Iterable[object]:
    items: Iterable[Any] = found  # type: ignore[assignment]  # it begins with a bracket
    for _ in range(depth - 1):
        items = chain.from_iterable(items)
    return items


def _alike(pieces: tuple[Array, ...]) -> tuple[Array, ...]:
    """Pieces of int64 and of uint64 as uint64, where none is below 0: together they would be rounded."""
    kinds = {piece.dtype.kind for piece in pieces}
    if not {"i", "u"} <= kinds <= {"b", "i", "u"} or min(piece.min(initial=0) for piece in pieces) < 0:
        return pieces
    return tuple(piece.astype(np.uint64) for piece in pieces)


def _elements(found: object, depth: int) -> Array | None:
    """The elements of a piece; None where they do not lie as deep as the first of the list."""
    if depth > _DEEPEST:
        return None
    items: Iterable[Any] = found  # type: ignore[assignment]  # it begins with a bracket
    for _ in range(depth - 1):
        items = chain.from_iterable(items)
    try:
        return np.asarray(list(items))
    except (TypeError, ValueError):  # a number that is no list; lists that differ
        return None


def _is_regular(outline: bytes, depth: int, size: int) -> bool:
    """Whether all lists of one depth have the same outline, from the inside to the outside."""
    unit, elements = b"", 1
    for level in range(1, depth + 1):
        end = outline.find(b"]" * level) + level
        found = outline[depth - level : end]
        times = (len(found) - 1) // (len(unit) + 1)
        if found != b"[" + ((b"," + unit) * times)[1:] + b"]":
            return False
        unit, elements = found, elements * times
    return size in (0, elements)  # without commas a list has one element or none

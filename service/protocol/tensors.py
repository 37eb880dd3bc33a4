"""Tensors as they travel, in JSON and in binary, to arrays and back.

In binary a tensor is its elements in row-major order, little-endian, without padding; an element of `BYTES` is its
length as uint32, then its bytes.  In JSON it is a list, nested or flat.  `NaN`, `Infinity` and `-Infinity` are written
bare, as Triton and Python's `json` do.
"""

import json
import math
import struct
from collections.abc import Callable, Iterator, Sequence
from functools import partial
from itertools import chain
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import ParameterError
from service.protocol.datatypes import Datatype
from service.protocol.json_text import Numbers, kept_whole
from service.text import from_base64, json_of

Array = NDArray[Any]
Shape = tuple[int, ...]

MAX_AXES: Final = 32

_LENGTH: Final = struct.Struct("<I")
_MOST_ELEMENTS: Final = 2**40
# Of a tensor without elements, with its axes of size 0 left out: what a network makes of it may have as many.
_MOST_WHERE_EMPTY: Final = 2**16


def count(name: str, shape: Sequence[int]) -> int:
    """The number of elements of a shape.

    Raises:
        ParameterError: It is negative somewhere, or too large for any computer.
    """
    if len(shape) > MAX_AXES:
        raise ParameterError(f"input {name!r} has {len(shape)} axes; at most {MAX_AXES} are accepted")
    negative = [size for size in shape if size < 0]
    if negative:
        raise ParameterError(f"the shape of input {name!r} holds {negative[0]}; sizes are 0 or more")
    elements = math.prod(shape)
    if math.prod(size for size in shape if size) > (_MOST_ELEMENTS if elements else _MOST_WHERE_EMPTY):
        raise ParameterError(f"the shape of input {name!r} is too large: {list(shape)}")
    return elements


def from_binary(data: memoryview, name: str, datatype: Datatype, shape: Shape) -> Array:
    """Look at the bytes of a tensor as an array; they are not copied where they are aligned.

    Raises:
        ParameterError: The bytes are not those of as many elements as the shape has.
    """
    elements = count(name, shape)
    if datatype.kind == "bytes":
        return _objects(_strings(data, name, elements), shape)
    expected = elements * datatype.dtype.itemsize
    if len(data) != expected:
        raise ParameterError(
            f"input {name!r} has {len(data)} bytes; {expected} are needed for {datatype.name} {list(shape)}"
        )
    if datatype.kind == "bool":
        return np.frombuffer(data, np.uint8).reshape(shape).astype(np.bool_)
    seen: Array = np.frombuffer(data, datatype.dtype).reshape(shape)
    return seen if seen.flags.aligned else seen.copy()


def from_json(
    data: object, name: str, datatype: Datatype, shape: Shape, *, in_base64: bool = False, max_depth: int = MAX_AXES
) -> Array:
    """Make an array of a list.

    Args:
        data: The list, nested or flat, or the numbers of one that was long.
        name: Of the input, for messages.
        datatype: What the elements are said to be.
        shape: What shape they are said to have.
        in_base64: Whether the strings of `BYTES` are base64, and not UTF-8 text.
        max_depth: How many lists may lie in each other, 1 to `MAX_AXES`.

    Raises:
        ParameterError: The elements are of another type or number, or out of range; or they lie too deep.
    """
    elements = count(name, shape)
    if isinstance(data, Numbers):
        return _of_numbers(data, name, datatype, shape, max_depth)
    if not isinstance(data, list):
        raise ParameterError(f"data of input {name!r} is no list")
    if datatype.kind == "bytes":
        strings = [_encoded(text, name, in_base64=in_base64) for text in _flat(data, name, max_depth)]
        _check_count(name, len(strings), elements, shape)
        return _objects(strings, shape)
    for _ in _flat(data, name, max_depth):  # the first number: all lie as deep, or they are no array
        break
    items = partial(_flat, data, name, max_depth)
    return _shaped(lambda: kept_whole(np.asarray(data), items), name, datatype, shape)


def to_binary(array: Array, datatype: Datatype) -> memoryview | bytes:
    """The bytes of a tensor; those of numbers are not copied where they lie in order."""
    if datatype.kind == "bytes":
        encoded = [_as_bytes(element) for element in array.reshape(-1)]
        return b"".join(chain.from_iterable((_LENGTH.pack(len(text)), text) for text in encoded))
    if not array.size:
        return b""
    return np.ascontiguousarray(array, datatype.dtype).data.cast("B")


def to_json(array: Array, name: str, datatype: Datatype) -> Iterator[bytes]:
    """A tensor as a flat JSON list, in pieces.

    Raises:
        ParameterError: JSON cannot carry it.
    """
    if not datatype.in_json:
        raise ParameterError(
            f"output {name!r} is {datatype.name}, which JSON cannot carry; ask for it with binary_data true"
        )
    flat = np.ascontiguousarray(array).reshape(-1)
    if datatype.kind == "bytes":
        return iter([orjson.dumps([_text(_as_bytes(element), name) for element in flat])])
    return json_of(flat, _with_bare_words)


def _with_bare_words(numbers: Array) -> bytes:
    if numbers.dtype.kind == "f" and not np.isfinite(numbers).all():
        return json.dumps(numbers.tolist(), separators=(",", ":")).encode()
    return orjson.dumps(numbers, option=orjson.OPT_SERIALIZE_NUMPY)


def _check_count(name: str, found: int, expected: int, shape: Shape) -> None:
    if found != expected:
        raise ParameterError(f"data of input {name!r} has {found} elements; {expected} are needed for {list(shape)}")


def _of_numbers(data: Numbers, name: str, datatype: Datatype, shape: Shape, max_depth: int) -> Array:
    if datatype.kind == "bytes":
        raise _no_strings(name)
    if data.depth > max_depth:
        raise _too_deep(name, max_depth)
    return _shaped(data.joined, name, datatype, shape)


def _shaped(numbers: Callable[[], Array], name: str, datatype: Datatype, shape: Shape) -> Array:
    try:
        found = numbers()
    except ValueError as error:
        raise ParameterError(f"data of input {name!r} is no tensor: its lists differ in length or depth") from error
    made = _typed(found, name, datatype)
    _check_count(name, made.size, math.prod(shape), shape)
    return made.reshape(shape)


def _typed(found: Array, name: str, datatype: Datatype) -> Array:
    if not found.size:
        return found.astype(datatype.dtype)
    accepted = {"bool": "b", "int": "iu", "float": "iuf", "bytes": ""}[datatype.kind]
    if found.dtype.kind not in accepted:
        raise _no_such_values(name, datatype)
    if datatype.kind == "int":
        _check_range(found, name, datatype)
    try:
        with np.errstate(over="raise"):
            return found.astype(datatype.dtype)
    except FloatingPointError as error:
        raise ParameterError(f"data of input {name!r} holds values beyond the range of {datatype.name}") from error


def _check_range(found: Array, name: str, datatype: Datatype) -> None:
    limits = np.iinfo(datatype.dtype)
    if int(found.min()) < limits.min or int(found.max()) > limits.max:
        raise ParameterError(
            f"data of input {name!r} holds values beyond {datatype.name}, {limits.min} to {limits.max}"
        )


def _no_such_values(name: str, datatype: Datatype) -> ParameterError:
    said = f"data of input {name!r} holds values that are no {datatype.name}"
    if datatype.kind == "int":
        limits = np.iinfo(datatype.dtype)
        said += f": accepted are whole numbers, {limits.min} to {limits.max}, without a point or an exponent"
    return ParameterError(said)


def _too_deep(name: str, max_depth: int) -> ParameterError:
    return ParameterError(f"data of input {name!r} has lists more than {max_depth} deep (setting max_json_depth)")


def _no_strings(name: str) -> ParameterError:
    return ParameterError(f"data of input {name!r} holds values that are no BYTES: in JSON they are strings")


def _flat(data: list[Any], name: str, max_depth: int) -> Iterator[object]:
    """The elements of nested lists; without recursion, since a caller says how deep they are."""
    waiting = [iter(data)]
    while waiting:
        for item in waiting[-1]:
            if isinstance(item, list):
                if len(waiting) == max_depth:
                    raise _too_deep(name, max_depth)
                waiting.append(iter(item))
                break
            yield item
        else:
            waiting.pop()


def _encoded(text: object, name: str, *, in_base64: bool) -> bytes:
    if not isinstance(text, str):
        raise _no_strings(name)
    if not in_base64:
        return text.encode()
    try:
        return from_base64(text)
    except ValueError as error:
        raise ParameterError(f"data of input {name!r} is no base64, which its content_type says: {error}") from error


def _strings(data: memoryview, name: str, elements: int) -> list[bytes]:
    found: list[bytes] = []
    start = 0
    while start < len(data):
        end = start + _LENGTH.size
        end += _LENGTH.unpack_from(data, start)[0] if end <= len(data) else 0
        if end > len(data):
            raise ParameterError(f"input {name!r} is cut short in element {len(found)}: a length, then as many bytes")
        found.append(bytes(data[start + _LENGTH.size : end]))
        start = end
    if len(found) != elements:
        raise ParameterError(f"input {name!r} holds {len(found)} elements; its shape says {elements}")
    return found


def _objects(strings: Sequence[bytes], shape: Shape) -> Array:
    made = np.empty(len(strings), object)
    made[:] = strings
    return made.reshape(shape)


def _as_bytes(element: object) -> bytes:
    return element if isinstance(element, bytes) else str(element).encode()


def _text(element: bytes, name: str) -> str:
    try:
        return element.decode()
    except UnicodeDecodeError as error:
        raise ParameterError(
            f"output {name!r} holds bytes that are no UTF-8; ask for it with binary_data true"
        ) from error

"""An inference request, parsed: what it holds, whatever the model makes of it."""

import sys
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Annotated, Any, Final, TypeVar, get_args

from pydantic import BaseModel, BeforeValidator, ConfigDict, FailFast, Field, ValidationError

from service.errors import MalformedRequestError, ParameterError
from service.protocol import json_text
from service.protocol.datatypes import DATATYPES, Datatype
from service.protocol.json_text import Numbers
from service.protocol.tensors import MAX_AXES, Array, from_binary, from_json
from service.settings import Decoding
from service.text import as_bytes, find

Scalar = bool | int | float | str

_SEQUENCES: Final = ("sequence_id", "sequence_start", "sequence_end")
_RESERVED: Final = "triton_"
_MICROSECONDS: Final = 1e6
_MOST: Final = 2**63
_MOST_PARAMETERS: Final = 100


@dataclass(frozen=True)
class InputTensor:
    """A tensor of a request.

    Shape:
        data: As the request says, of the NumPy type of `datatype`.
    """

    name: str
    datatype: Datatype
    data: Array


@dataclass(frozen=True)
class WantedOutput:
    """An output of a request.

    Args:
        name: Of an output of the model, or of a layer.
        binary: Whether it is wanted in binary; else in JSON.
        classes: How many of the best classes are wanted instead of the values; None for the values.
    """

    name: str
    binary: bool
    classes: int | None = None


@dataclass(frozen=True)
class Schedule:
    """When a request wants to be worked on.

    Args:
        priority: 1 is the highest, 0 stands for the usual one.
        timeout_seconds: Longest time until the answer; None for the setting.
    """

    priority: int = 0
    timeout_seconds: float | None = None


@dataclass(frozen=True)
class InferRequest:
    """A request.

    Args:
        inputs: Its tensors.
        outputs: What it wants, in this order; empty for every output of the model.
        binary: Whether outputs that it does not name are wanted in binary.
        id: What it calls itself; None where it does not.
        decoding: How its encoded images are decoded; None for the setting.
    """

    inputs: tuple[InputTensor, ...]
    outputs: tuple[WantedOutput, ...] = ()
    binary: bool = False
    id: str | None = None
    decoding: Decoding | None = None


class _Head(BaseModel):
    """Keys that are not known are ignored, as the protocol says."""

    model_config = ConfigDict(frozen=True, strict=True, extra="ignore")


H = TypeVar("H", bound=_Head)


def _few(parameters: object) -> object:
    """Of each value that is none, four errors would be made, and kept until the last was looked at."""
    if isinstance(parameters, dict) and len(parameters) > _MOST_PARAMETERS:
        raise ValueError(f"{len(parameters):,} parameters; at most {_MOST_PARAMETERS} are accepted")
    return parameters


Parameters = Annotated[dict[str, Scalar], BeforeValidator(_few)]


class _InputHead(_Head):
    name: str
    shape: Annotated[list[Annotated[int, Field(lt=_MOST)]], FailFast()]
    datatype: str
    parameters: Parameters = {}
    data: Any = None


class _OutputHead(_Head):
    name: str
    parameters: Parameters = {}


class _RequestHead(_Head):
    id: str | None = None
    parameters: Parameters = {}
    inputs: Annotated[list[_InputHead], FailFast(), Field(min_length=1)]
    outputs: Annotated[list[_OutputHead], FailFast()] = []


class _ScheduleHead(_Head):
    parameters: Mapping[str, object] = {}


def split(body: memoryview, header_length: int | None) -> tuple[memoryview, memoryview]:
    """The JSON of a body, and the binary tensors behind it.

    Args:
        body: The whole body.
        header_length: Length of the JSON in bytes; None where all of it is JSON.

    Raises:
        ParameterError: The JSON would end behind the body.
    """
    if header_length is None:
        return body, body[len(body) :]
    if not 0 <= header_length <= len(body):
        raise ParameterError(
            f"Inference-Header-Content-Length is {header_length}, and the body has {len(body)} bytes: accepted are"
            " 0 to that"
        )
    return body[:header_length], body[header_length:]


def parse(
    body: memoryview,
    header_length: int | None,
    *,
    max_json_depth: int = MAX_AXES,
    max_json_values: int = sys.maxsize,
) -> InferRequest:
    """Parse a request whose body has JSON in it.

    Args:
        body: JSON, with binary tensors behind it.
        header_length: Length of the JSON in bytes; None where all of it is JSON.
        max_json_depth: How many lists of a tensor may lie in each other.
        max_json_values: How many values a long text may have beside the numbers of its tensors.

    Raises:
        MalformedRequestError: It does not have the form of a request.
        ParameterError: A tensor is not what the request says of it, or a parameter cannot be used.
        RequestTooLargeError: It has more values than accepted.
    """
    text, binary = split(body, header_length)
    found, lists = _read(text, max_json_values)
    head = _validated(_RequestHead, found)
    _refuse_parameters(head.parameters)
    default = _flag(head.parameters, "binary_data_output", default=False)
    inputs = _inputs(head.inputs, binary, lists, max_json_depth)
    outputs = tuple(_wanted(output, default=default) for output in head.outputs)
    _refuse_duplicates("inputs", [tensor.name for tensor in inputs])
    _refuse_duplicates("outputs", [output.name for output in outputs])
    return InferRequest(inputs, outputs, default, head.id, _decoding(head.parameters))


def schedule(body: memoryview, header_length: int | None, *, max_json_values: int = sys.maxsize) -> Schedule:
    """Find the parameters `priority` and `timeout` (in microseconds) of a request, before the rest of it is parsed.

    Args:
        body: As for `parse`.
        header_length: As for `parse`.
        max_json_values: As for `parse`.

    Raises:
        MalformedRequestError: It does not have the form of a request.
        ParameterError: One of them is out of range.
        RequestTooLargeError: It has more values than accepted.
    """
    text, _ = split(body, header_length)
    # Few requests have them, and the event loop has no time to parse tensors.
    raw = as_bytes(text)
    if not any(find(raw, word) >= 0 for word in (b'"priority"', b'"timeout"')):
        return Schedule()
    parameters = _validated(_ScheduleHead, _read(text, max_json_values)[0]).parameters
    timeout = _whole(parameters, "timeout")
    return Schedule(_whole(parameters, "priority"), timeout / _MICROSECONDS if timeout else None)


def _read(text: memoryview, max_values: int) -> tuple[object, Mapping[str, Numbers]]:
    if len(text) <= json_text.LONG:
        return json_text.read(text), {}
    return json_text.read_long(text, max_values=max_values)


def _validated(kind: type[H], found: object) -> H:
    try:
        return kind.model_validate(found)
    except ValidationError as error:
        places = (f"{'.'.join(map(str, e['loc'])) or 'the body'}: {e['msg']}" for e in error.errors()[:5])
        raise MalformedRequestError(f"this is no inference request: {'; '.join(places)}") from error


def _inputs(
    heads: Sequence[_InputHead], binary: memoryview, lists: Mapping[str, Numbers], max_json_depth: int
) -> tuple[InputTensor, ...]:
    found: list[InputTensor] = []
    start = 0
    for head in heads:
        size = _binary_size(head, alone=len(heads) == 1, left=len(binary) - start)
        part = None if size is None else binary[start : start + size]
        found.append(_input(head, part, lists, max_json_depth))
        start += size or 0
    if start < len(binary):
        raise ParameterError(f"{len(binary) - start} bytes are left over behind the tensors of the request")
    return tuple(found)


def _input(
    head: _InputHead, binary: memoryview | None, lists: Mapping[str, Numbers], max_json_depth: int
) -> InputTensor:
    datatype = DATATYPES.get(head.datatype)
    if datatype is None:
        raise ParameterError(f"input {head.name!r} has datatype {head.datatype!r}; accepted: {', '.join(DATATYPES)}")
    shape = tuple(head.shape)
    if binary is not None:
        return InputTensor(head.name, datatype, from_binary(binary, head.name, datatype, shape))
    if not datatype.in_json:
        raise ParameterError(f"input {head.name!r} is {datatype.name}, which JSON cannot carry; send it in binary")
    in_base64 = _content_type(head) == "base64"
    listed = lists.get(head.data, head.data) if isinstance(head.data, str) else head.data
    data = from_json(listed, head.name, datatype, shape, in_base64=in_base64, max_depth=max_json_depth)
    return InputTensor(head.name, datatype, data)


def _content_type(head: _InputHead) -> Scalar | None:
    found = head.parameters.get("content_type")
    if found not in (None, "base64"):
        raise ParameterError(f"content_type of input {head.name!r} is {found!r}; accepted: base64")
    return found


def _binary_size(head: _InputHead, *, alone: bool, left: int) -> int | None:
    """How many bytes of the binary part are of a tensor; None for one in JSON."""
    if any(key.startswith("shared_memory") for key in head.parameters):
        raise ParameterError(f"input {head.name!r} is in shared memory, which this service does not read")
    size = head.parameters.get("binary_data_size")
    if size is None and head.data is None and alone and left:
        return left  # there is no doubt whose bytes they are
    if (size is None) == (head.data is None):
        found = "both" if size is not None else "none"
        raise ParameterError(f"input {head.name!r} must have one of data and binary_data_size; it has {found}")
    if size is None:
        return None
    if isinstance(size, bool) or not isinstance(size, int) or size < 0:
        raise ParameterError(f"binary_data_size of input {head.name!r} is {size!r}; accepted: 0 or more")
    if size > left:
        raise ParameterError(
            f"input {head.name!r} has binary_data_size {size}, and {left} bytes are left of the body:"
            f" {size - left} are missing"
        )
    return size


def _wanted(head: _OutputHead, *, default: bool) -> WantedOutput:
    if any(key.startswith("shared_memory") for key in head.parameters):
        raise ParameterError(f"output {head.name!r} is wanted in shared memory, which this service does not write")
    classes = head.parameters.get("classification")
    if classes is not None and (isinstance(classes, bool) or not isinstance(classes, int) or classes < 1):
        raise ParameterError(f"classification of output {head.name!r} is {classes!r}; accepted: 1 or more")
    return WantedOutput(head.name, _flag(head.parameters, "binary_data", default=default), classes)


def _flag(parameters: Mapping[str, Scalar], name: str, *, default: bool) -> bool:
    value = parameters.get(name, default)
    if not isinstance(value, bool):
        raise ParameterError(f"parameter {name} is {value!r}; accepted: true, false")
    return value


def _decoding(parameters: Mapping[str, Scalar]) -> Decoding | None:
    found = parameters.get("decoding")
    for accepted in get_args(Decoding):
        if found == accepted:
            return accepted  # type: ignore[no-any-return]  # get_args is untyped
    if found is not None:
        raise ParameterError(f"parameter decoding is {found!r}; accepted: {', '.join(get_args(Decoding))}")
    return None


def _whole(parameters: Mapping[str, object], name: str) -> int:
    value = parameters.get(name, 0)
    if isinstance(value, bool) or not isinstance(value, int) or not 0 <= value < _MOST:
        raise ParameterError(f"parameter {name} is {value!r}; accepted: a whole number, 0 or more")
    return value


def _refuse_parameters(parameters: Mapping[str, Scalar]) -> None:
    """Names that have a meaning which this service does not have."""
    for name, value in parameters.items():
        if name in _SEQUENCES and value not in (0, "", False):
            raise ParameterError(f"parameter {name} is given, and no model here keeps a state between requests")
        if name.startswith(_RESERVED):
            raise ParameterError(f"parameter {name!r} cannot be set: names that begin with {_RESERVED} are reserved")


def _refuse_duplicates(what: str, names: Sequence[str]) -> None:
    twice = next((name for name, times in Counter(names).items() if times > 1), None)
    if twice is not None:
        raise ParameterError(f"{what} names {twice!r} twice")

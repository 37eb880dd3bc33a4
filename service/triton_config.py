"""Reads `config.pbtxt`, which lies beside the versions of a model in a repository made for Triton.

`max_batch_size`, `version_policy` and the `label_filename` of outputs are used.  Inputs, outputs and the like are in
the model file already; the rest has no meaning here, and is named so that it can be logged.
"""

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from service.errors import ModelFileError

FILE_NAME: Final = "config.pbtxt"

_USED: Final = frozenset({"max_batch_size", "version_policy", "name", "platform", "backend", "input", "output"})
_BACKENDS: Final = frozenset({"onnxruntime", "onnxruntime_onnx"})
_DEPTH: Final = 20
_ENDS: Final = {"{": "}", "<": ">"}
_TOKEN: Final = re.compile(
    r"""\s+|\#[^\n]*|(?P<string>"(?:[^"\\\n]|\\.)*"|'(?:[^'\\\n]|\\.)*')|(?P<word>[\w.+-]+)|(?P<mark>[{}\[\]:<>,;])"""
)

Message = dict[str, list[Any]]


@dataclass(frozen=True)
class TritonConfig:
    """What a `config.pbtxt` says that has a meaning here.

    Args:
        max_batch_size: The most entries of a batch that run at once; 0 where the first axis is not that of a batch;
            None where it does not say.
        latest: How many of the highest versions are served; None for all.
        specific: The versions that are served; None for all.
        label_files: For outputs the name of the file, beside the versions, with the labels of its classes.
        unused: What it says beside that.
    """

    max_batch_size: int | None = None
    latest: int | None = None
    specific: tuple[int, ...] | None = None
    label_files: Mapping[str, str] = field(default_factory=dict)
    unused: tuple[str, ...] = ()

    def served(self, versions: Sequence[int]) -> list[int]:
        """Those of some versions that are to be served, the highest last.

        >>> TritonConfig(latest=2).served([1, 2, 10])
        [2, 10]
        """
        found = sorted(version for version in versions if self.specific is None or version in self.specific)
        return found if self.latest is None else found[-self.latest :]


def parse(text: str) -> TritonConfig:
    """Parse a `config.pbtxt`.

    Raises:
        ModelFileError: It is no text of that form, or its model is not for ONNX Runtime.

    >>> parse('max_batch_size: 8 output [ { name: "y", label_filename: "labels.txt" } ]').label_files
    {'y': 'labels.txt'}
    """
    message = _message(_Tokens(text), end=None)
    backend = _last(message, "backend") or _last(message, "platform")
    if backend and backend not in _BACKENDS:
        raise ModelFileError(f"{FILE_NAME} is for {backend!r}; served are {', '.join(sorted(_BACKENDS))}")
    latest, specific = _policy(message)
    outputs = [output for output in message.get("output", []) if isinstance(output, dict)]
    labels = {str(_last(o, "name")): str(_last(o, "label_filename")) for o in outputs if _last(o, "label_filename")}
    batch = _last(message, "max_batch_size")
    return TritonConfig(
        max_batch_size=None if batch is None else _whole(batch, "max_batch_size"),
        latest=latest,
        specific=specific,
        label_files=labels,
        unused=tuple(name for name in message if name not in _USED),
    )


def _policy(message: Message) -> tuple[int | None, tuple[int, ...] | None]:
    policy = _last(message, "version_policy")
    if not isinstance(policy, dict):
        return None, None
    latest, specific = _last(policy, "latest"), _last(policy, "specific")
    if isinstance(latest, dict):
        return max(_whole(_last(latest, "num_versions") or "1", "num_versions"), 1), None
    if isinstance(specific, dict):
        return None, tuple(_whole(version, "versions") for version in specific.get("versions", []))
    return None, None


def _last(message: Message, name: str) -> Any:  # noqa: ANN401  (a text or a message)
    """The value of a field: of a field that is there several times, the last counts."""
    found = message.get(name)
    return found[-1] if found else None


def _whole(text: object, name: str) -> int:
    if not (isinstance(text, str) and text.isascii() and text.isdecimal() and len(text) < 10):
        raise ModelFileError(f"{FILE_NAME}: {name} is {text!r}; accepted: a whole number, 0 or more")
    return int(text)


class _Tokens:
    """The words, strings and marks of a text, one after the other."""

    def __init__(self, text: str) -> None:
        self._tokens = list(_split(text))
        self._place = 0
        self.depth = 0

    def peek(self) -> str | None:
        """The next token, which stays; None at the end."""
        return self._tokens[self._place] if self._place < len(self._tokens) else None

    def take(self, *expected: str) -> str:
        """The next token, which must be one of those expected, where any are."""
        token = self.peek()
        if token is None or (expected and token not in expected):
            wanted = f"{' or '.join(expected)} is" if expected else "more is"
            raise ModelFileError(f"{FILE_NAME}: {wanted} expected where {token or 'the file ends'!r} is")
        self._place += 1
        return token


def _split(text: str) -> Iterator[str]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            line = text.count("\n", 0, place) + 1
            raise ModelFileError(f"{FILE_NAME}: line {line} cannot be read at {text[place : place + 20]!r}")
        place = found.end()
        if found.lastgroup:
            yield found[0]


def _message(tokens: _Tokens, *, end: str | None) -> Message:
    """The fields up to the end of a message: each with the list of its values, texts or messages."""
    fields: Message = {}
    tokens.depth += 1
    if tokens.depth > _DEPTH:
        raise ModelFileError(f"{FILE_NAME} is nested more than {_DEPTH} deep")
    while tokens.peek() != end:
        name = tokens.take()
        if tokens.peek() == ":":
            tokens.take()
        fields.setdefault(name, []).extend(_values(tokens))
        if tokens.peek() in (",", ";"):
            tokens.take()
    if end is not None:
        tokens.take(end)
    tokens.depth -= 1
    return fields


def _values(tokens: _Tokens) -> list[Any]:
    """A value, or a list of them."""
    if tokens.peek() != "[":
        return [_value(tokens)]
    tokens.take("[")
    found: list[Any] = []
    while tokens.peek() != "]":
        found.append(_value(tokens))
        if tokens.peek() != "]":
            tokens.take(",")
    tokens.take("]")
    return found


def _value(tokens: _Tokens) -> str | Message:
    text = tokens.take()
    if text in _ENDS:
        return _message(tokens, end=_ENDS[text])
    return re.sub(r"\\(.)", r"\1", text[1:-1]) if text[0] in "\"'" else text

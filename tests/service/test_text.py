"""Promises of service.text."""

import base64
import json

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.text import from_base64, json_of

LONG = 2**18  # more than a piece


@pytest.mark.parametrize("size", [0, 1, 2, 3, LONG - 1, LONG, LONG + 1, 3 * LONG + 2])
@pytest.mark.parametrize("line", [None, 76])
def test_base64_is_decoded_whatever_its_length(size: int, line: int | None) -> None:
    """In one line or in many, which do not end where a piece does."""
    data = np.random.default_rng(size).bytes(size)
    text = base64.b64encode(data).decode()
    lines = text if line is None else "\r\n".join(text[i : i + line] for i in range(0, len(text), line))
    assert from_base64(lines) == data


@pytest.mark.parametrize("at", [0, 10, LONG - 4, LONG, LONG + 4, 2 * LONG])
def test_padding_is_the_end(at: int) -> None:
    """Also where a piece ends with it."""
    text = "A" * at + "AA==" + "A" * LONG
    with pytest.raises(ValueError, match=r"padding|Excess data|Discontinuous"):
        from_base64(text)


@given(st.text(max_size=20) | st.text("AB=+/ \n%", max_size=20))
@example("%")
@example("AAAA%")
def test_what_is_base64_is_what_python_says(text: str) -> None:
    """Any text: an error, or the same bytes; Python lets one padding too many pass."""
    try:
        found = from_base64(text)
    except ValueError:
        return
    assert found == base64.b64decode("".join(text.split()), validate=True)


def test_nothing_long_is_done_in_one_call(monkeypatch: pytest.MonkeyPatch) -> None:
    """Since no other thread runs beside it: a text is decoded, and an array written, in pieces."""
    pieces: list[int] = []
    decode, dumps = base64.b64decode, orjson.dumps

    def decoded(text: bytes, *, validate: bool) -> bytes:
        pieces.append(len(text))
        return decode(text, validate=validate)

    def dumped(array: np.typing.NDArray[np.uint8], option: int) -> bytes:
        pieces.append(16 * array.size)  # an element takes as long as so many characters
        return dumps(array, option=option)

    monkeypatch.setattr(base64, "b64decode", decoded)
    monkeypatch.setattr(orjson, "dumps", dumped)
    from_base64("A" * 4 * LONG)
    for shape in ((LONG,), (2, 1, LONG // 2)):
        json_of(np.zeros(shape, np.uint8))
    assert max(pieces) <= LONG + 3


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 0), (100_000,), (3, 20_000), (2, 3, 150, 150)])
def test_an_array_is_written_whatever_its_size(shape: tuple[int, ...]) -> None:
    """As JSON nests it."""
    array = np.random.default_rng(1).random(shape).astype(np.float32)
    assert np.array_equal(np.array(json.loads(json_of(array)), np.float32).reshape(shape), array)


def test_what_is_not_finite_is_null() -> None:
    """In a long array too."""
    array = np.zeros(50_000)
    array[[3, 40_000]] = np.nan, np.inf
    found = json.loads(json_of(array))
    assert (found[3], found[40_000], found[4]) == (None, None, 0)

"""Promises of service.text."""

import base64
import json
import sys
import threading
from collections.abc import Callable

import numpy as np
import orjson
import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from service.text import as_bytes, count_values, find, from_base64, joined, json_of, json_with

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


def test_white_space_behind_the_padding_is_the_end_too() -> None:
    """Where a piece ends between them."""
    assert from_base64("A" * (LONG - 4) + "AA==" + "\r\n") == bytes(LONG // 4 * 3 - 2)


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
        assert joined(json_of(np.zeros(shape, np.uint8)))
    assert max(pieces) <= LONG + 3


@pytest.mark.parametrize("shape", [(0,), (3,), (2, 0), (100_000,), (3, 20_000), (2, 3, 150, 150)])
def test_an_array_is_written_whatever_its_size(shape: tuple[int, ...]) -> None:
    """As JSON nests it."""
    array = np.random.default_rng(1).random(shape).astype(np.float32)
    assert np.array_equal(np.array(json.loads(bytes(joined(json_of(array)))), np.float32).reshape(shape), array)


def test_what_is_not_finite_is_null() -> None:
    """In a long array too."""
    array = np.zeros(50_000)
    array[[3, 40_000]] = np.nan, np.inf
    found = json.loads(bytes(joined(json_of(array))))
    assert (found[3], found[40_000], found[4]) == (None, None, 0)


def test_json_holds_what_was_written_before() -> None:
    """Several times, at any depth, beside any text, and in pieces."""
    array = np.arange(100_000)
    found = json_with({"a": [json_of(array), {"b": json_of(array[:3])}], "c": '"é', "d": array[:2]})
    assert json.loads(bytes(found)) == {"a": [array.tolist(), {"b": [0, 1, 2]}], "c": '"é', "d": [0, 1]}
    with pytest.raises(TypeError):
        json_with({"a": object()})


def test_json_without_any_is_written_at_once() -> None:
    """Texts that are empty too."""
    assert json_with({"a": "", "b": ["", ""]}) == b'{"a":"","b":["",""]}'
    assert json_with({"a": "", "b": iter([b"1"]), "c": iter([b"2"])}) == b'{"a":"","b":1,"c":2}'
    with pytest.raises(TypeError):
        json_with({"a": {b"1"}})


def test_bytes_are_joined_whatever_their_size() -> None:
    """And in their order."""
    parts: list[bytes | memoryview] = [
        b"",
        np.random.default_rng(2).bytes(3_000_001),
        b"x",
        memoryview(b"yz" * 2_000_000),
        memoryview(b""),
    ]
    assert joined(parts) == b"".join(parts)
    assert joined(iter(parts)) == b"".join(parts)


def test_what_was_looked_at_is_not_copied_where_it_is_all() -> None:
    """A part of it is, whatever its size."""
    whole = np.random.default_rng(3).bytes(3_000_001)
    assert as_bytes(memoryview(whole)) is whole
    assert as_bytes(memoryview(whole)[1:]) == whole[1:]
    assert as_bytes(memoryview(bytearray(whole))) == whole


@pytest.mark.parametrize("at", [0, 2**20 - 1, 2**20, 2**21 - 2, 2_500_000])
def test_a_word_is_found_wherever_it_is(at: int) -> None:
    """Also across the end of a piece."""
    text = bytes(at) + b"word" + bytes(2_500_000 - at)
    assert (find(text, b"word"), find(text, b"word", at), find(text, b"word", at + 1), find(text, b"words")) == (
        at,
        at,
        -1,
        -1,
    )


@given(st.recursive(st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=2), inner)))
def test_no_value_escapes_the_count(value: object) -> None:
    """Each but the first has a comma, a bracket or a brace of its own in front."""

    def values(of: object) -> int:
        inside = of.values() if isinstance(of, dict) else of if isinstance(of, list) else ()
        return 1 + sum(map(values, inside))

    assert count_values(json.dumps(value).encode()) >= values(value) - 1


def test_escapes_count() -> None:
    """16 as a value; those of slashes in base64, of which one in 64 characters is one, leave room for 20 MB."""
    assert count_values(b'"%s"' % (b"\\u00e9" * 160)) == 10
    assert count_values(b'"%s"' % (b"A" * 63 + b"\\/")) == 0
    assert count_values(b'"%s"' % ((b"A" * 63 + b"\\/") * (20 * 2**20 // 65))) < 65_536 / 2


def lent(work: Callable[[], object]) -> bool:
    """Whether another thread has its turn while some work is done, where it is never taken from who works."""
    begin, ran = threading.Event(), threading.Event()

    def have_a_turn() -> None:
        begin.wait()
        ran.set()

    other = threading.Thread(target=have_a_turn)
    before = sys.getswitchinterval()
    sys.setswitchinterval(60)
    try:
        other.start()  # it keeps the interpreter until it waits
        begin.set()
        work()
        return ran.is_set()
    finally:
        sys.setswitchinterval(before)
        begin.set()
        other.join()


PARTS = [bytes(20_000)] * 20


@pytest.mark.parametrize(
    ("work", "expected"),
    [
        pytest.param(lambda: joined(iter(PARTS)), True, id="joining"),
        pytest.param(lambda: json_with({"data": json_of(np.zeros(20_000))}), True, id="JSON"),
        pytest.param(lambda: joined([bytes(3 * 2**20)]), True, id="one part"),
        pytest.param(lambda: from_base64("AAAA" * 200_000), True, id="base64"),
        pytest.param(lambda: joined(iter(PARTS[:1])), False, id="short"),
        pytest.param(lambda: from_base64("AAAA" * 50_000), False, id="short base64"),
    ],
)
def test_others_have_their_turn_between_pieces(work: Callable[[], object], *, expected: bool) -> None:
    """Without waiting until the switch interval is over, for which the event loop has no time.

    Where all cores are busy, the other thread may come too late for the offer: then there is another one.
    """
    assert any(lent(work) for _ in range(200)) is expected

"""Promises of service.protocol.json_text: a long text is read as a short one is."""

import json
from collections.abc import Mapping
from typing import Any

import numpy as np
import pytest
from hypothesis import example, given
from hypothesis import strategies as st
from numpy.typing import NDArray

from service.errors import MalformedRequestError, ParameterError, RequestError, RequestTooLargeError
from service.protocol import json_text
from service.protocol.datatypes import DATATYPES
from service.protocol.json_text import LONG, Numbers, read_long
from service.protocol.requests import parse
from service.protocol.tensors import from_json
from tests.service.test_text import lent

Outcome = tuple[str, object]

MOST = 100_000
WHOLE = st.integers(-(2**63), 2**64 - 1)  # a larger one is a float here, and no number beside a bare NaN
LEAVES = WHOLE | st.floats(allow_subnormal=False) | st.booleans() | st.none() | st.integers(0, 9)
ODD: st.SearchStrategy[Any] = (
    LEAVES | st.sampled_from(['[1,"data":[2]', '"', "\\", "data"]) | st.just({}) | st.just({"data": [1, 2]})
)
SHAPES = st.lists(st.integers(0, 3), min_size=1, max_size=4).map(tuple)


def tensors(elements: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    """Lists in lists, all of a depth as long as each other."""

    def build(shape: tuple[int, ...]) -> st.SearchStrategy[Any]:
        return elements if not shape else st.lists(build(shape[1:]), min_size=shape[0], max_size=shape[0])

    return SHAPES.flatmap(build)


LISTS = tensors(LEAVES) | tensors(WHOLE) | st.recursive(ODD, lambda inner: st.lists(inner, max_size=4), max_leaves=12)
DAMAGES = st.lists(st.tuples(st.integers(0, 300), st.sampled_from('[],{}":\\ 1.eN-'), st.booleans()), max_size=2)


def written(data: object, damages: list[tuple[int, str, bool]], indent: int | None) -> bytes:
    """A request, of which some characters are others, or are more."""
    text = json.dumps({"inputs": [{"name": 'x"', "data": data, "shape": [1]}], "parameters": {}}, indent=indent)
    for at, character, instead in damages:
        place = at % len(text)
        text = text[:place] + character + text[place + instead :]
    return text.encode()


def outcome(found: object, lists: Mapping[str, Numbers], datatype: str) -> Outcome:
    """What becomes of the data of the first input."""
    assert isinstance(found, dict)
    data = found["inputs"][0]["data"]
    listed = lists.get(data, data) if isinstance(data, str) else data
    size = listed.joined().size if isinstance(listed, Numbers) else np.asarray(data).size
    array = from_json(listed, "x", DATATYPES[datatype], (size,))
    return str(array.dtype), repr(array.tolist())


def told(text: bytes, datatype: str, piece: int | None) -> Outcome:
    """What becomes of a text that is read in pieces, or at once."""
    try:
        if piece is None:
            return outcome(json_text.read(memoryview(text)), {}, datatype)
        found, lists = read_long(memoryview(text), max_values=MOST, piece=piece)
        return outcome(found, lists, datatype)
    except (RequestError, ValueError, LookupError, TypeError, AssertionError) as error:
        return "refused", type(error)


@given(
    data=LISTS,
    damages=DAMAGES,
    indent=st.none() | st.integers(0, 3),
    datatype=st.sampled_from(["FP32", "INT32", "UINT64", "BOOL", "BYTES"]),
    piece=st.integers(1, 24),
)
@example(data=[[1], []], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[[1, 2], [3]], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[[1, 2], 3], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[[[1], [2]], [[3]]], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[True, 2, 2.5], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[2**63, 1], damages=[], indent=None, datatype="UINT64", piece=1)
@example(data=[1, 2**63, 2**64 - 1], damages=[], indent=None, datatype="UINT64", piece=24)
@example(data=[1, True, 2**63], damages=[], indent=None, datatype="UINT64", piece=1)
@example(data=[-1, 2**63, 1], damages=[], indent=None, datatype="UINT64", piece=1)
@example(data=[1, float("nan"), 2], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[1, [2], 3], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[1, [2], [3, 4]], damages=[], indent=None, datatype="FP32", piece=24)
@example(data=[[1], [[2]], [3]], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[[1, 2], [3], [4]], damages=[], indent=None, datatype="FP32", piece=1)
@example(data=[[[1, 2], [3, 4]], [[5, 6]]], damages=[], indent=None, datatype="FP32", piece=1)
def test_a_text_read_in_pieces_is_what_it_is_at_once(
    data: object, damages: list[tuple[int, str, bool]], indent: int | None, datatype: str, piece: int
) -> None:
    """Any JSON and what is nearly JSON: the same array, or the same error."""
    text = written(data, damages, indent)
    assert told(text, datatype, piece) == told(text, datatype, None)


@pytest.mark.parametrize(
    "data", ["[1,]", "[,1]", "[1,,2]", "[1, ,2]", "[1],[2]", "[[1],]", "[[1,],[2]]", "[1 2]", "[[1]2]", "[1"]
)
def test_what_is_no_list_is_no_json(data: str) -> None:
    """Each piece of these might be JSON by itself."""
    for piece in range(1, 5):
        with pytest.raises(MalformedRequestError, match="cannot be read"):
            read_long(memoryview(b'{"data":%s}' % data.encode()), max_values=MOST, piece=piece)


def test_a_name_in_a_text_is_no_key() -> None:
    """A list that a text tells of stays in the text, and one under another key is a list."""
    told_of = {"a": '"data":[1,2,3]', "data\\": [4], 'x"data': [5, 6], "data": "[1,2]", "b": {"data": ["[1", 2]}}
    found, lists = read_long(memoryview(json.dumps(told_of).encode()), max_values=MOST, piece=1)
    assert (found, lists) == (told_of, {})


@pytest.mark.parametrize(
    "data", ['[1,[2],"a"]', '[1,{"a":[2]}]', '[[1],"]"]', "[[],[]]", "[]", '[[1,2],[3,4],"a",[5,6]]', "[ [ ] , [ ] ]"]
)
def test_what_is_no_list_of_numbers_stays_in_the_text(data: str) -> None:
    """As one that ends behind a text, and one of nothing."""
    text = f'{{"data":{data},"b":[1]}}'
    assert read_long(memoryview(text.encode()), max_values=MOST, piece=1) == (json.loads(text), {})


def test_lists_that_lie_too_deep_are_not_looked_through() -> None:
    """Each number would come out of all of them, and no tensor has so many axes."""
    for depth, pieces in ((32, 1), (33, 0)):
        text = b'{"data":%s%s%s}' % (b"[" * depth, b"1," * 100 + b"1", b"]" * depth)
        (found,) = read_long(memoryview(text), max_values=MOST, piece=1000)[1].values()
        assert (found.depth, len(found.pieces)) == (depth, pieces)
    with pytest.raises(ValueError, match="at least one array"):
        found.joined()


LISTED = b'{"data":[' + b"1," * 40_000 + b"1]"
DEEP = b"[" * 5000 + b"NaN" + b"]" * 5000


@pytest.mark.parametrize(
    "rest", [b'"b":[1,2', b'"b":\xff}', b'"b":"\\ud800","c":NaN}', b'"b":%s}' % DEEP, b'"b":NaN,}']
)
def test_the_rest_of_a_text_is_json_too(rest: bytes) -> None:
    """What is wrong is told without a place, which would be one in a text that nobody sent."""
    with pytest.raises(MalformedRequestError, match="the JSON of the request cannot be read: "):
        json_text.read(memoryview(b"{" + rest))
    with pytest.raises(MalformedRequestError, match="the JSON of the request cannot be read: ") as raised:
        read_long(memoryview(LISTED + b"," + rest), max_values=MOST)
    assert "column" not in str(raised.value)
    assert "char" not in str(raised.value)


def test_bare_words_are_read_where_that_is_quick() -> None:
    """Beside a long list they are, and in a long text of other things they are not."""
    short, long = LISTED + b',"b":NaN}', LISTED + b',"b":NaN,"c":"%s"}' % (b"x" * LONG)
    found, _ = read_long(memoryview(short), max_values=MOST)
    assert isinstance(found, dict)
    assert np.isnan(found["b"])
    with pytest.raises(MalformedRequestError):
        read_long(memoryview(long), max_values=MOST)


def test_json_is_utf_8() -> None:
    """Python would read others too, which then depends on whether a bare word is in it."""
    with pytest.raises(MalformedRequestError):
        json_text.read(memoryview('{"a":1}'.encode("utf-16")))


def test_as_many_other_values_as_allowed_are_read() -> None:
    """A brace, three commas and a bracket are five."""
    text = memoryview(LISTED + b',"other":[1,2,3]}')
    assert len(read_long(text, max_values=5)[1]) == 1
    with pytest.raises(RequestTooLargeError, match="has 5 values"):
        read_long(text, max_values=4)


def request(data: bytes, datatype: str, *shape: int) -> memoryview:
    """A request of one tensor in JSON."""
    head = f'"name":"x","datatype":"{datatype}","shape":{list(shape)}'
    return memoryview(b'{"inputs":[{"data":%s,%s}],"parameters":{"timeout":1}}' % (data, head.encode()))


def values(count: int) -> NDArray[np.float32]:
    """Random numbers, of which some are not finite."""
    found = np.random.default_rng(count).standard_normal(count).astype(np.float32)
    found[count // 2] = np.nan
    found[count // 3] = -np.inf
    return found


@pytest.mark.parametrize("shape", [(60_000,), (60_000, 1), (3, 100, 200), (1, 1, 60_000)])
def test_a_long_list_is_read(shape: tuple[int, ...]) -> None:
    """Flat or nested, bare words in it too."""
    array = values(60_000)
    text = request(json.dumps(array.reshape(shape).tolist()).encode(), "FP32", *shape)
    assert len(text) > 4 * LONG
    (found,) = parse(text, None, max_json_values=100).inputs
    np.testing.assert_array_equal(found.data, array.reshape(shape))


def test_the_last_of_two_lists_counts() -> None:
    """As with any key that is there twice."""
    first, last = (json.dumps([number] * 40_000).encode() for number in (1, 2))
    (found,) = parse(request(first + b',"data":' + last, "INT32", 40_000), None).inputs
    assert set(found.data.tolist()) == {2}


@pytest.mark.parametrize(
    "text",
    [
        pytest.param(b"[NaN", id="cut short"),
        pytest.param(b"[" * 10_000 + b"NaN" + b"]" * 10_000, id="too deep to be read"),
        pytest.param(b"[" * 300 + b"NaN" + b"]" * 300, id="too deep to be written"),
        pytest.param(b"[NaN," + b"1" * 5_000 + b"]", id="more digits than anybody needs"),
        pytest.param(b'[NaN,"\xff"]', id="no UTF-8"),
        pytest.param(b'[NaN,"\\ud800"]', id="half a character"),
    ],
)
def test_json_with_nan_that_cannot_be_read_is_malformed(text: bytes) -> None:
    """It is read by another parser than all else, whose errors are of other kinds."""
    with pytest.raises(MalformedRequestError, match="the JSON of the request cannot be read: "):
        json_text.read(memoryview(text))
    with pytest.raises(MalformedRequestError, match="the JSON of the request cannot be read: "):
        read_long(memoryview(text), max_values=MOST)


def test_a_long_list_lies_only_so_deep() -> None:
    """The limit is that of short ones; what no parser reads is malformed."""
    row = b"[" + b"1," * 40_000 + b"1]"
    for depth in (4, 40):
        with pytest.raises(ParameterError, match=r"more than 3 deep \(setting max_json_depth\)"):
            parse(request(b"[" * depth + row + b"]" * depth, "FP32", 40_001), None, max_json_depth=3)
    with pytest.raises(MalformedRequestError):
        parse(request(b"[" * LONG + row + b"]" * LONG, "FP32", 40_001), None)


@pytest.mark.parametrize("large", [0, 20_000, 39_999])
def test_a_long_list_of_whole_numbers_is_exact(large: int) -> None:
    """One of them is above int64, wherever it stands: in a piece with smaller ones, and beside pieces of those."""
    expected = [2**53 + 1] * 40_000
    expected[large] = 2**64 - 1
    (found,) = parse(request(json.dumps(expected).encode(), "UINT64", 40_000), None).inputs
    assert found.data.tolist() == expected


@pytest.mark.parametrize("wrong", [-1, 2**64, 1.5])
def test_a_long_list_of_other_numbers_is_refused(wrong: float) -> None:
    """As a short one is, wherever it stands."""
    for at in (0, 39_999):
        numbers: list[float] = [*[2**63] * 20_000, *[1] * 20_000]
        numbers[at] = wrong
        with pytest.raises(ParameterError, match="no UINT64: accepted are whole numbers, 0 to 18446744073709551615"):
            parse(request(json.dumps(numbers).encode(), "UINT64", 40_000), None)


@pytest.mark.parametrize("datatype", ["BYTES", "BOOL"])
def test_a_long_list_of_another_type_is_refused(datatype: str) -> None:
    """As a short one is."""
    with pytest.raises(ParameterError, match=f"values that are no {datatype}"):
        parse(request(b"[" + b"1," * 40_000 + b"1]", datatype, 40_001), None)


@pytest.mark.parametrize("unit", [b"[]", b"{}", b'""', b'{"data":[1]}', b'"a":1'])
def test_other_values_are_counted(unit: bytes) -> None:
    """Those of numbers are not: they are read in pieces."""
    many = b",".join([unit] * 20_000)
    other = b"{" + many + b"}" if b":1" in unit else b"[" + many + b"]"
    text = memoryview(b'{"data":[' + b"1," * 40_000 + b'1],"other":' + other + b"}")
    with pytest.raises(RequestTooLargeError, match=r"at most 19,999 are accepted \(setting max_json_values\)"):
        read_long(text, max_values=19_999)
    assert read_long(text, max_values=100_000)[1]


def test_others_have_their_turn_between_pieces() -> None:
    """A long list holds up nobody."""
    text = memoryview(b'{"data":[' + b"1," * 300_000 + b"1]}")
    assert any(lent(lambda: read_long(text, max_values=10)) for _ in range(200))  # as in tests/service/test_text.py

"""Promises of service.protocol.tensors."""

import json
import struct
from typing import Any

import numpy as np
import pytest

from service.errors import ParameterError
from service.protocol.datatypes import BYTES, DATATYPES, Datatype
from service.protocol.tensors import from_binary, from_json, to_binary, to_json
from service.text import joined

NUMBERS = sorted(set(DATATYPES) - {"BYTES"})


@pytest.mark.parametrize("name", NUMBERS)
def test_binary_there_and_back(name: str) -> None:
    """Every type of number comes back as it was."""
    datatype = DATATYPES[name]
    array = np.array([[0, 1], [1, 0]]).astype(datatype.dtype)
    data = memoryview(bytes(to_binary(array, datatype)))
    assert len(data) == 4 * datatype.dtype.itemsize
    np.testing.assert_array_equal(from_binary(data, "x", datatype, (2, 2)), array)


def test_aligned_bytes_are_not_copied() -> None:
    """The array is a view of the body."""
    body = np.arange(4, dtype=np.float32).tobytes()
    found = from_binary(memoryview(body), "x", DATATYPES["FP32"], (4,))
    assert np.shares_memory(found, np.frombuffer(body, np.float32))


def test_bytes_that_are_not_aligned_are_read_too() -> None:
    """JSON in front may have any length."""
    body = b"{" + np.arange(4, dtype=np.float32).tobytes()
    found = from_binary(memoryview(body)[1:], "x", DATATYPES["FP32"], (4,))
    assert found.flags.aligned
    assert found.tolist() == [0, 1, 2, 3]


def test_strings_there_and_back() -> None:
    """Each has its length in front; an empty one too."""
    array = np.array([b"cat", b"", b"\xff\x00"], object)
    data = bytes(to_binary(array, BYTES))
    assert data[:7] == struct.pack("<I", 3) + b"cat"
    assert from_binary(memoryview(data), "x", BYTES, (3,)).tolist() == array.tolist()


@pytest.mark.parametrize(
    ("name", "shape", "data", "said"),
    [
        pytest.param("FP32", (2,), b"1234", "has 4 bytes; 8 are needed for FP32", id="too few"),
        pytest.param("FP32", (1,), b"12345", "has 5 bytes; 4 are needed", id="too many"),
        pytest.param("FP32", (-1,), b"1234", "holds -1; sizes are 0 or more", id="negative"),
        pytest.param("FP32", (2**60, 2**60), b"1234", "is too large", id="overflow"),
        pytest.param("FP32", (2**62, 0), b"", "is too large", id="overflow hidden by a zero"),
        pytest.param("FP32", (2**17, 0), b"", "is too large", id="nothing, and much made of it"),
        pytest.param("FP32", (1,) * 33, b"1234", "has 33 axes", id="axes"),
        pytest.param("BYTES", (1,), b"\x09\0\0\0cat", "cut short in element 0", id="short string"),
        pytest.param("BYTES", (1,), b"\x09\0", "cut short in element 0", id="short length"),
        pytest.param("BYTES", (2,), b"\x03\0\0\0cat", "holds 1 elements; its shape says 2", id="few strings"),
    ],
)
def test_bytes_that_do_not_fit_are_refused(name: str, shape: tuple[int, ...], data: bytes, said: str) -> None:
    """With what would fit."""
    with pytest.raises(ParameterError, match=said):
        from_binary(memoryview(data), "x", DATATYPES[name], shape)


@pytest.mark.parametrize("data", [[1, 2, 3, 4], [[1, 2], [3, 4]]], ids=["flat", "nested"])
@pytest.mark.parametrize("name", sorted(set(NUMBERS) - {"BOOL"}))
def test_json_is_flat_or_nested(name: str, data: list[Any]) -> None:
    """Both are row-major."""
    found = from_json(data, "x", DATATYPES[name], (2, 2))
    assert found.dtype == DATATYPES[name].dtype
    assert found.tolist() == [[1, 2], [3, 4]]


@pytest.mark.parametrize(
    ("name", "data", "said"),
    [
        pytest.param("FP32", "12", "is no list", id="no list"),
        pytest.param("FP32", None, "is no list", id="null"),
        pytest.param("FP32", [1, 2, 3], "has 3 elements; 2 are needed", id="too many"),
        pytest.param("FP32", [1], "has 1 elements; 2 are needed", id="too few"),
        pytest.param("FP32", [[1], [2, 3]], "differ in length or depth", id="ragged"),
        pytest.param("FP32", ["1", "2"], "no FP32", id="strings"),
        pytest.param("FP32", [1, None], "no FP32", id="null in the list"),
        pytest.param("FP32", [True, False], "no FP32", id="booleans"),
        pytest.param("FP32", [1e39, 0], "beyond the range of FP32", id="too large a float"),
        pytest.param("INT32", [1.5, 2], "no INT32", id="fraction"),
        pytest.param("UINT8", [256, 0], "beyond UINT8, 0 to 255", id="too large"),
        pytest.param("UINT8", [-1, 0], "beyond UINT8, 0 to 255", id="negative"),
        pytest.param("FP32", [float("nan"), 10**400], "no FP32", id="larger than any float"),
        pytest.param("INT64", [2**63, 0], "beyond INT64", id="just too large"),
        pytest.param(
            "INT64", [2**64, 0], "no INT64: .*, -9223372036854775808 to 9223372036854775807", id="far too large"
        ),
        pytest.param("INT64", [-(2**63) - 1, 0], "no INT64", id="far too small"),
        pytest.param("UINT64", [2**64, 2**63], "no UINT64: .* 0 to 18446744073709551615", id="beyond every type"),
        pytest.param("UINT64", [2**63, -1], "no UINT64", id="negative beside large"),
        pytest.param("UINT64", [2**63, 1.0], "no UINT64", id="float beside large"),
        pytest.param("BOOL", [1, 0], "no BOOL", id="numbers"),
        pytest.param("BYTES", [1, 2], "in JSON they are strings", id="no strings"),
    ],
)
def test_json_that_does_not_fit_is_refused(name: str, data: object, said: str) -> None:
    """With the reason; nothing is rounded, cut off or guessed."""
    with pytest.raises(ParameterError, match=said):
        from_json(data, "x", DATATYPES[name], (2,))


@pytest.mark.parametrize(
    ("name", "data"),
    [
        pytest.param("INT64", [-(2**63), 2**63 - 1, 0, -1], id="all of int64"),
        pytest.param("UINT64", [2**64 - 1, 2**63, 2**63 + 1, 2**64 - 2], id="large"),
        pytest.param("UINT64", [2**64 - 1, 0, 2**63 + 1, 2**53 + 1], id="large and small"),
        pytest.param("UINT64", [[1, 2**63], [2**63 - 1, 2**64 - 1]], id="nested"),
    ],
)
def test_whole_numbers_are_read_to_the_last_digit(name: str, data: list[Any]) -> None:
    """What NumPy would make floats of too: numbers above int64 beside smaller ones."""
    found = from_json(data, "x", DATATYPES[name], (2, 2))
    assert found.dtype == DATATYPES[name].dtype
    assert found.reshape(-1).tolist() == np.array(data, object).reshape(-1).tolist()


def test_large_whole_numbers_are_floats_where_those_are_wanted() -> None:
    """Negative ones beside them as well."""
    assert from_json([2**63, 1], "x", DATATYPES["FP64"], (2,)).tolist() == [2.0**63, 1.0]
    assert from_json([2**63, -1], "x", DATATYPES["FP32"], (2,)).tolist() == [2.0**63, -1.0]


def test_strings_in_json_are_text_or_base64() -> None:
    """As the request says."""
    assert from_json(["é"], "x", BYTES, (1,)).tolist() == ["é".encode()]
    assert from_json([["/9g="]], "x", BYTES, (1,), in_base64=True).tolist() == [b"\xff\xd8"]
    with pytest.raises(ParameterError, match="is no base64"):
        from_json(["é"], "x", BYTES, (1,), in_base64=True)


@pytest.mark.parametrize(("datatype", "element"), [(BYTES, "a"), (DATATYPES["FP32"], 1.0)])
def test_lists_lie_only_so_deep_in_each_other(datatype: Datatype, element: object) -> None:
    """A caller says how deep they are: what reads them does not recurse, and stops at the limit."""
    deep: list[Any] = [element]
    for _ in range(3):
        deep = [deep]
    assert from_json(deep, "x", datatype, (1,), max_depth=4).size == 1
    for _ in range(5000):
        deep = [deep]
    with pytest.raises(ParameterError, match=r"more than 4 deep \(setting max_json_depth\)"):
        from_json(deep, "x", datatype, (1,), max_depth=4)


def test_what_is_not_finite_is_written_bare() -> None:
    """As Triton writes it, and its clients read it."""
    array = np.array([np.nan, np.inf, -np.inf, 0.5], np.float32)
    assert joined(to_json(array, "y", DATATYPES["FP32"])) == b"[NaN,Infinity,-Infinity,0.5]"


def test_a_long_tensor_is_written_in_pieces() -> None:
    """Those with bare words in them, and those without."""
    array = np.arange(100_000, dtype=np.float32)
    array[[5, 50_000]] = np.nan, -np.inf
    pieces = list(to_json(array, "y", DATATYPES["FP32"]))
    assert max(map(len, pieces)) < 200_000
    np.testing.assert_array_equal(np.array(json.loads(bytes(joined(pieces))), np.float32), array)


def test_half_precision_is_not_written_in_json() -> None:
    """The protocol has no form for it; the message says what to do."""
    with pytest.raises(ParameterError, match="binary_data true"):
        to_json(np.zeros(1, np.float16), "y", DATATYPES["FP16"])


def test_bytes_that_are_no_text_are_not_written_in_json() -> None:
    """A string in JSON is UTF-8."""
    with pytest.raises(ParameterError, match="no UTF-8"):
        to_json(np.array([b"\xff"], object), "y", BYTES)

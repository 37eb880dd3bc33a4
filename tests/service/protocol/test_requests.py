"""Promises of service.protocol.requests."""

import contextlib
import json
import time

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MalformedRequestError, ParameterError, RequestError
from service.protocol.requests import parse, schedule, split

GOOD = {
    "inputs": [
        {"name": "x", "shape": [1, 2], "datatype": "FP32", "parameters": {"binary_data_size": 8}},
        {"name": "y", "shape": [1], "datatype": "INT32", "data": [7]},
    ],
    "parameters": {"priority": 1},
}
TEXT = json.dumps(GOOD).encode()
ONE = b'{"name":"x","shape":[1],"datatype":"FP32","data":[1]}'
MANY = 1_000_000


@given(length=st.integers(-3, 400) | st.integers(), behind=st.binary(max_size=20), cut=st.integers(0, len(TEXT)))
def test_no_length_of_the_header_escapes(length: int, behind: bytes, cut: int) -> None:
    """Whatever it says, and wherever the JSON is cut off: a request, or an error of ours."""
    for body in (TEXT + behind, TEXT[:cut], behind):
        for header in (length, None, len(TEXT)):
            with contextlib.suppress(RequestError):
                assert parse(memoryview(body), header).inputs
            with contextlib.suppress(RequestError):
                assert schedule(memoryview(body), header).priority >= 0


@given(body=st.binary(max_size=40), length=st.integers(0, 40))
def test_a_body_is_split_without_loss(body: bytes, length: int) -> None:
    """The JSON, and all that is behind it."""
    if length > len(body):
        with pytest.raises(ParameterError, match="Inference-Header-Content-Length"):
            split(memoryview(body), length)
    else:
        text, binary = split(memoryview(body), length)
        assert (bytes(text), bytes(binary)) == (body[:length], body[length:])


@pytest.mark.parametrize(
    ("body", "message"),
    [
        pytest.param(b'{"inputs":[' + b"1," * MANY + b"1]}", "inputs.0: Input should be", id="inputs"),
        pytest.param(
            b'{"inputs":[' + ONE + b'],"outputs":[' + b"1," * MANY + b"1]}", "outputs.0: Input should be", id="outputs"
        ),
        pytest.param(
            b'{"inputs":[{"name":"x","datatype":"FP32","data":[1],"shape":[' + b'"",' * MANY + b'""]}]}',
            "inputs.0.shape.0: Input should be",
            id="shape",
        ),
        pytest.param(
            b'{"inputs":[' + ONE + b'],"parameters":{' + b",".join(b'"%d":[]' % i for i in range(MANY // 4)) + b"}}",
            "250,000 parameters; at most 100 are accepted",
            id="parameters",
        ),
    ],
)
def test_what_is_wrong_is_told_once(body: bytes, message: str) -> None:
    """A body has room for millions of values that are wrong; each would cost a kilobyte to tell."""
    start = time.process_time()
    with pytest.raises(MalformedRequestError, match=message) as raised:
        parse(memoryview(body), None)
    assert time.process_time() - start < 3
    assert len(str(raised.value)) < 500

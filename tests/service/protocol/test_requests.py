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


@pytest.mark.parametrize("size", ['"1"', "true", "1.0", "9223372036854775808"])
def test_a_size_is_a_whole_number(size: str) -> None:
    """Nothing is taken for one that only looks like it."""
    body = ONE.replace(b'"shape":[1]', f'"shape":[{size}]'.encode())
    with pytest.raises(MalformedRequestError, match="inputs.0.shape.0: Input should be"):
        parse(memoryview(b'{"inputs":[' + body + b"]}"), None)


@pytest.mark.parametrize("size", ["true", "-1", "1.5", '"4"'])
def test_a_number_of_bytes_is_a_whole_number(size: str) -> None:
    """0 or more."""
    head = b'{"inputs":[{"name":"x","shape":[1],"datatype":"FP32","parameters":{"binary_data_size":%s}}]}'
    text = head % size.encode()
    with pytest.raises(ParameterError, match="binary_data_size of input 'x' is .*; accepted: 0 or more"):
        parse(memoryview(text + bytes(4)), len(text))


@pytest.mark.parametrize(
    ("head", "message"),
    [
        pytest.param('"datatype":"FP16"', "input 'x' is FP16, which JSON cannot carry; send it in binary", id="half"),
        pytest.param(
            '"datatype":"BYTES","parameters":{"content_type":"hex"}',
            "content_type of input 'x' is 'hex'; accepted: base64",
            id="content type",
        ),
    ],
)
def test_what_json_cannot_carry_is_refused(head: str, message: str) -> None:
    """Before it is read as something else."""
    body = f'{{"inputs":[{{"name":"x","shape":[1],"data":["00"],{head}}}]}}'
    with pytest.raises(ParameterError, match=message):
        parse(memoryview(body.encode()), None)


def test_an_output_in_shared_memory_is_refused() -> None:
    """As an input is."""
    outputs = b'"outputs":[{"name":"y","parameters":{"shared_memory_region":"r"}}]'
    with pytest.raises(ParameterError, match="output 'y' is wanted in shared memory"):
        parse(memoryview(b'{"inputs":[' + ONE + b"]," + outputs + b"}"), None)


@pytest.mark.parametrize("name", ["timeout", "priority"])
@pytest.mark.parametrize("value", ["true", "-1", "1.5", '"1"', "[]", "9223372036854775808"])
def test_a_schedule_is_of_whole_numbers(name: str, value: str) -> None:
    """0 or more, and of 64 bits: also where a bare word has it read in another way."""
    for data in ("1", "NaN"):
        body = f'{{"parameters":{{"{name}":{value}}},"inputs":[{{"data":[{data}]}}]}}'
        with pytest.raises(ParameterError, match=f"parameter {name} is .*; accepted: a whole number, 0 or more"):
            schedule(memoryview(body.encode()), None)


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
        pytest.param(
            b'{"inputs":[' + ONE + b'],"parameters":{' + b",".join(b'"%d":[]' % i for i in range(100)) + b"}}",
            "parameters.0.bool: Input should be",
            id="a hundred parameters",
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

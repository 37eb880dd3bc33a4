"""Promises of service.http.queries."""

import contextlib
from typing import Literal
from urllib.parse import urlencode

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from pydantic import BaseModel, Field

from service.errors import ParameterError
from service.http.queries import documented, parse_query


class Query(BaseModel):
    """Parameters of many kinds."""

    layer: list[str] = Field([], description="Which.")
    count: int = Field(1, ge=1)
    kind: Literal["a", "b"] = "a"
    flag: bool = False
    target: str | None = Field(None, alias="class")


def parse(text: str) -> Query:
    """Read a query string."""
    return parse_query(Request({"type": "http", "query_string": text.encode(), "headers": []}), Query)


def test_parameters_are_read_by_their_types() -> None:
    """Lists where a parameter may be given several times; the outer name where it has one."""
    found = parse("layer=x&layer=y%2Fz&count=3&kind=b&flag=true&class=cat")
    assert found == Query(**{"layer": ["x", "y/z"], "count": 3, "kind": "b", "flag": True, "class": "cat"})
    assert parse("") == Query()


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("count=0", "count: Input should be greater than or equal to 1"),
        ("count=x", "count: Input should be a valid integer"),
        ("kind=c", "kind: Input should be 'a' or 'b'"),
        ("flag=perhaps", "flag: Input should be a valid boolean"),
        ("count=1&count=2", "count is given 2 times; it is one value"),
        ("count=0&kind=c", "count: .*; kind: "),
    ],
)
def test_what_is_wrong_is_named(text: str, message: str) -> None:
    """All of it, with what would be accepted."""
    with pytest.raises(ParameterError, match=message):
        parse(text)


def test_the_documentation_has_every_parameter() -> None:
    """With its description and its type."""
    rows = {row["name"]: row for row in documented(Query)}
    assert list(rows) == ["layer", "count", "kind", "flag", "class"]
    assert rows["layer"]["description"] == "Which."
    assert rows["count"]["schema"]["minimum"] == 1
    assert all(row["in"] == "query" and not row["required"] for row in rows.values())


names = st.sampled_from(["layer", "count", "kind", "flag", "class", "target"]) | st.text(max_size=5)


@given(pairs=st.lists(st.tuples(names, st.text(max_size=8)), max_size=5), noise=st.text(max_size=10))
def test_no_query_string_escapes(pairs: list[tuple[str, str]], noise: str) -> None:
    """Whatever it says, well written or not: a value, or an error of ours."""
    for text in (urlencode(pairs), urlencode(pairs) + noise, noise):
        with contextlib.suppress(ParameterError):
            assert isinstance(parse(text), Query)


@given(layer=st.lists(st.text(max_size=8), min_size=1, max_size=4), count=st.integers(1, 10**20), flag=st.booleans())
def test_what_is_written_is_read_again(layer: list[str], count: int, flag: bool) -> None:  # noqa: FBT001
    """Of each parameter, whatever its characters."""
    text = urlencode({"layer": layer, "count": count, "flag": flag}, doseq=True)
    assert parse(text) == Query(layer=layer, count=count, flag=flag)

"""Promises of service.buffer."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from service.buffer import Buffer


@given(st.integers(0, 20), st.lists(st.tuples(st.integers(0, 30), st.binary(max_size=9))))
def test_it_holds_what_a_file_would(size: int, writes: list[tuple[int, bytes]]) -> None:
    """However much was expected; nothing is left out, and nothing is there that nobody wrote."""
    buffer, expected = Buffer(size), bytearray()
    for place, data in writes:
        at = min(place, len(expected))
        assert buffer.seek(place) == at
        assert buffer.write(data) == len(data)
        expected[at : at + len(data)] = data
        assert buffer.tell() == at + len(data)
        buffer.flush()
    assert buffer.content() == expected


def test_what_is_large_is_not_copied_once_more() -> None:
    """What was expected is there already, and the content is a view of it."""
    buffer = Buffer(3)
    buffer.write(b"abc")
    first, second = (np.frombuffer(buffer.content(), np.uint8) for _ in range(2))
    assert np.shares_memory(first, second)

"""Promises of service.counters."""

import sys

import pytest

from service.counters import Memories, Table, shared_memory


def table(memories: Memories | None = None, *, rows: int = 4) -> Table:
    """One of two counters a row."""
    return Table(memories or Memories(), 0, rows=rows, cells=2)


def test_a_row_is_found_again() -> None:
    """By its key, of any script, and as long as two names of folders."""
    made = table()
    for key in ("a", "a\0b", "ä" * 127 + "/" + "9" * 255):
        made.row(key)[0] += 1
        made.row(key)[1] += 2
    assert {key: list(cells) for key, cells in made.sums().items()} == {
        "a": [1, 2],
        "a\0b": [1, 2],
        "ä" * 127 + "/" + "9" * 255: [1, 2],
    }


def test_a_full_table_takes_no_more(caplog: pytest.LogCaptureFixture) -> None:
    """The log says what is not counted; nothing else breaks."""
    made = table(rows=1)
    for key in ("first", "second"):
        made.row(key)[0] += 1
    assert list(made.sums()) == ["first"]
    assert "second gets none" in caplog.text


def test_a_table_must_fit() -> None:
    """What lies behind it belongs to another one."""
    with pytest.raises(ValueError, match="are larger than"):
        Table(Memories(), 0, rows=2**20, cells=100)


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_tables_lie_apart() -> None:
    """In the same memory, and with the same keys."""
    memories = Memories([shared_memory()])
    tables = [Table(memories, place, rows=4, cells=1) for place in range(6)]
    for place, made in enumerate(tables):
        made.row("key")[0] = place
    assert [made.sums() for made in tables] == [{"key": [place]} for place in range(6)]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_clearing_leaves_what_others_have_counted() -> None:
    """Only this process's own counters become 0."""
    files = [shared_memory(), shared_memory()]
    both = [table(Memories(files, own=own)) for own in range(2)]
    for made in both:
        made.row("key")[1] = 3
    both[0].clear()
    assert both[1].sums() == {"key": [0, 3]}

"""Promises of service.room."""

import pytest

from service.errors import NoRoomError
from service.room import Room


def test_there_is_room_for_so_much_and_no_more() -> None:
    """What was given back can be taken again."""
    room = Room(max_bytes=10)
    room.take(6)
    with pytest.raises(NoRoomError, match=r"6 bytes of bodies and answers .* for 5 more .*setting max_held_bytes: 10"):
        room.take(5)
    room.take(4)
    room.give(10)
    room.take(5)
    assert room.held == 5


def test_who_is_alone_gets_what_it_needs() -> None:
    """Nobody would ever be served otherwise whose body is larger than all room; a second one waits."""
    room = Room(max_bytes=10)
    room.take(15)
    room.take(15, own=15)
    with pytest.raises(NoRoomError):
        room.take(1)
    with pytest.raises(NoRoomError):
        room.check(1, own=29)

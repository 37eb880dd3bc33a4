"""Promises of service.room."""

import asyncio

import pytest

from service.errors import NoRoomError
from service.room import Room, SharedRoom


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


async def taker(room: SharedRoom, count: int, order: list[int]) -> asyncio.Task[None]:
    """Somebody who takes bytes, and is noted when they are there; has asked when this returns."""

    async def take() -> None:
        await room.take(count)
        order.append(count)

    task = asyncio.create_task(take())
    await asyncio.sleep(0)
    return task


def test_who_finds_too_few_waits_in_order() -> None:
    """A small one does not go before a large one, which would wait forever."""

    async def scene() -> None:
        order: list[int] = []
        room = SharedRoom(max_bytes=10)
        tasks = [await taker(room, count, order) for count in (6, 5, 1)]
        await tasks[0]
        assert (order, room.waiting) == ([6], 2)
        room.give(6)
        await asyncio.gather(*tasks)
        assert (order, room.waiting) == ([6, 5, 1], 0)

    asyncio.run(scene())


@pytest.mark.parametrize("its_turn_comes", [False, True])
def test_who_leaves_takes_nothing(*, its_turn_comes: bool) -> None:
    """Neither from those behind it, nor for good where its turn came at the same moment."""

    async def scene() -> None:
        order: list[int] = []
        room = SharedRoom(max_bytes=10)
        await room.take(10)
        leaving, staying = await taker(room, 10, order), await taker(room, 9, order)
        if its_turn_comes:
            room.give(10)
        leaving.cancel()
        await asyncio.wait([leaving])
        if not its_turn_comes:
            room.give(10)
        await staying
        assert order == [9]

    asyncio.run(scene())


def test_who_leaves_keeps_nobody_back() -> None:
    """Those behind it go on at once where there is room for them."""

    async def scene() -> None:
        order: list[int] = []
        room = SharedRoom(max_bytes=10)
        await room.take(5)
        leaving, staying = await taker(room, 10, order), await taker(room, 5, order)
        leaving.cancel()
        await staying
        assert order == [5]

    asyncio.run(scene())

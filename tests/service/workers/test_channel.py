"""Promises of service.workers.channel."""

import asyncio
import os
import socket
import sys
from collections.abc import Sequence
from contextlib import suppress

import pytest

from service.workers import messages
from service.workers.channel import Channel
from service.workers.messages import Message

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")


class Listener:
    """The other end, and what came out of it."""

    def __init__(self, end: socket.socket) -> None:
        self.channel = Channel(end)
        self.came: asyncio.Queue[tuple[Message, Sequence[int]]] = asyncio.Queue()
        self.ended: asyncio.Queue[None] = asyncio.Queue()
        self.channel.listen(self._received, lambda: self.ended.put_nowait(None))

    def _received(self, message: Message, files: Sequence[int]) -> None:
        self.came.put_nowait((message, files))


def test_messages_come_in_order_and_whole() -> None:
    """Also those that find no room at first; the end comes behind them."""

    async def talk() -> None:
        end, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        mine = Channel(end)
        mine.listen(lambda *_: None, lambda: None)
        sent: list[Message] = [messages.Refused(str(number) * 1000) for number in range(2000)]
        for message in sent:
            mine.send(message)
        assert not mine.hand(messages.Connection(), []), "what waits may not be overtaken"
        listener = Listener(theirs)
        assert [(await listener.came.get())[0] for _ in sent] == sent
        assert not asyncio.get_running_loop().remove_writer(end), "nobody waits to send"
        mine.close()
        await listener.ended.get()
        for _ in range(3):  # what is ready is looked at each time
            await asyncio.sleep(0)
        assert listener.ended.empty(), "it ends once"
        listener.channel.close()

    asyncio.run(talk())


def test_what_waits_is_not_overtaken() -> None:
    """Though there is room again."""

    async def talk() -> None:
        mine, theirs = Channel.pair()
        mine.listen(lambda *_: None, lambda: None)
        while mine.hand(messages.Drain(), []):
            pass
        mine.send(messages.Up())
        theirs.settimeout(0)
        with suppress(BlockingIOError):
            while theirs.recv(100):
                pass
        assert not mine.hand(messages.Connection(), [])
        listener = Listener(theirs)
        assert await listener.came.get() == (messages.Up(), [])
        assert mine.hand(messages.Connection(), [])
        mine.close()
        listener.channel.close()

    asyncio.run(talk())


def test_an_open_file_goes_along() -> None:
    """What one end writes to, the other one reads from."""

    async def talk() -> bytes:
        mine, theirs = Channel.pair()
        reads, writes = os.pipe()
        assert mine.hand(messages.Connection(), [writes])
        os.close(writes)
        listener = Listener(theirs)
        _, (came,) = await listener.came.get()
        with os.fdopen(came, "wb") as file:
            assert not os.get_inheritable(file.fileno())
            file.write(b"hello")
        listener.channel.close()
        mine.close()
        with os.fdopen(reads, "rb") as file:
            return file.read()

    assert asyncio.run(talk()) == b"hello"


def test_open_files_come_in_order() -> None:
    """As many as there may be workers."""

    async def talk() -> None:
        mine, theirs = Channel.pair()
        given = [os.memfd_create(str(number)) for number in range(128)]
        assert mine.hand(messages.Assignment(1, "{}"), given)
        listener = Listener(theirs)
        _, came = await listener.came.get()
        assert [os.fstat(file).st_ino for file in came] == [os.fstat(file).st_ino for file in given]
        for file in (*given, *came):
            os.close(file)
        mine.close()
        listener.channel.close()

    asyncio.run(talk())


def test_an_end_that_is_closed_before_all_was_read_is_an_end() -> None:
    """As where a process was killed, which is no error."""

    async def talk() -> None:
        asyncio.get_running_loop().set_exception_handler(lambda _, context: errors.append(context))
        mine, theirs = Channel.pair()
        listener = Listener(theirs)
        listener.channel.send(messages.Up())
        mine.close()
        await listener.ended.get()
        listener.channel.close()

    errors: list[object] = []
    asyncio.run(talk())
    assert errors == []


def test_a_channel_that_is_closed_leaves_nothing_behind() -> None:
    """The next one gets the number of its open file, and neither hears nor says what was meant for the one before."""

    async def talk() -> None:
        for _ in range(2):
            mine, theirs = Channel.pair()
            mine.listen(lambda *_: None, lambda: None)
            while mine.hand(messages.Drain(), []):
                pass
            mine.send(messages.Drain())
            mine.close()
            theirs.close()
        mine, theirs = Channel.pair()
        listener = Listener(theirs)
        mine.send(messages.Up())
        assert await listener.came.get() == (messages.Up(), [])
        mine.close()
        listener.channel.close()

    asyncio.run(talk())


def test_nobody_minds_an_end_that_is_closed() -> None:
    """A message is dropped; a file is not handed, and stays the caller's."""

    async def talk() -> None:
        mine, theirs = Channel.pair()
        listener = Listener(theirs)
        listener.channel.close()
        mine.listen(lambda *_: None, lambda: None)
        mine.send(messages.Drain())
        assert not mine.hand(messages.Connection(), [0])
        mine.close()

    asyncio.run(talk())


def test_the_first_message_can_be_waited_for() -> None:
    """Before there is an event loop; nothing at all is an error."""
    mine, theirs = Channel.pair()
    mine.hand(messages.Assignment(1, "{}"), [])
    other = Channel(theirs)
    assert other.receive() == (messages.Assignment(1, "{}"), [])
    mine.close()
    with pytest.raises(EOFError):
        other.receive()
    other.close()

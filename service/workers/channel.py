"""A socket between the supervisor and one worker: messages, whole or not at all, and open files beside them."""

import asyncio
import os
import socket
from collections import deque
from collections.abc import Callable, Sequence
from typing import Final

from service.workers.messages import Message, decode, encode

_LONGEST: Final = 2**16  # bytes of a message; the settings and the names of models are far shorter
_MOST_FILES: Final = 1024  # a message brings one connection, or a memory for each worker

Receive = Callable[[Message, Sequence[int]], None]


class Channel:
    """One end.  Nothing here waits, but `receive`; messages that do not go now go later, in order.

    Args:
        end: A socket of the type SOCK_SEQPACKET, which keeps messages apart, tells when the other end is closed, and
            carries open files.
    """

    def __init__(self, end: socket.socket) -> None:
        self._end = end
        self._later: deque[bytes] = deque()
        self._loop: asyncio.AbstractEventLoop | None = None

    @staticmethod
    def pair() -> tuple["Channel", socket.socket]:
        """A channel, and the other end of it."""
        mine, theirs = socket.socketpair(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        return Channel(mine), theirs

    def receive(self) -> tuple[Message, Sequence[int]]:
        """Wait for the first message; before `listen`.

        Raises:
            EOFError: The other end is closed.
        """
        data, files = self._receive()
        if not data:
            raise EOFError("the other end is closed")
        return decode(data), files

    def listen(self, received: Receive, ended: Callable[[], None]) -> None:
        """Call back from the event loop.

        Args:
            received: Gets each message, and the open files that came with it, which are its own to close.
            ended: Is called once, when the other end is closed.
        """
        self._end.settimeout(0)
        self._received = received
        self._ended = ended
        self._loop = asyncio.get_running_loop()
        self._loop.add_reader(self._end, self._read)

    def hand(self, message: Message, files: Sequence[int]) -> bool:
        """Send open files along with a message.  False where that cannot be done at once: nothing was sent then."""
        if self._later:
            return False
        try:
            socket.send_fds(self._end, [encode(message)], list(files))
        except OSError:  # full, or closed at the other end
            return False
        return True

    def send(self, message: Message) -> None:
        """Send a message; where the other end is closed nobody minds, since `ended` tells."""
        self._later.append(encode(message))
        self._flush()

    def close(self) -> None:
        """Close this end."""
        if self._loop:
            self._loop.remove_reader(self._end)
            self._loop.remove_writer(self._end)
        self._end.close()

    def _receive(self) -> tuple[bytes, Sequence[int]]:
        try:
            data, files, _, _ = socket.recv_fds(self._end, _LONGEST, _MOST_FILES)
        except ConnectionResetError:
            return b"", []
        for file in files:
            os.set_inheritable(file, False)  # noqa: FBT003  (its only form)
        return data, files

    def _read(self) -> None:
        while True:
            try:
                data, files = self._receive()
            except BlockingIOError:
                return
            if not data:
                asyncio.get_running_loop().remove_reader(self._end)
                self._ended()
                return
            self._received(decode(data), files)

    def _flush(self) -> None:
        """Send what waits; where not all of it goes, come back when more does."""
        while self._later:
            try:
                self._end.send(self._later[0])
            except BlockingIOError:
                asyncio.get_running_loop().add_writer(self._end, self._resume)
                return
            except OSError:
                self._later.clear()
                return
            self._later.popleft()

    def _resume(self) -> None:
        asyncio.get_running_loop().remove_writer(self._end)
        self._flush()

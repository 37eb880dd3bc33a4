"""Promises of service.listener."""

import socket
import sys
from collections.abc import Iterator
from contextlib import closing

import pytest

from service.listener import refuse_handshakes

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="only Linux can filter what comes to a socket")


@pytest.fixture(params=[(socket.AF_INET, "127.0.0.1"), (socket.AF_INET6, "::1")], ids=["IPv4", "IPv6"])
def listener(request: pytest.FixtureRequest) -> Iterator[socket.socket]:
    """A socket that callers connect to."""
    family, address = request.param
    with socket.create_server((address, 0), family=family) as made:
        made.settimeout(10)
        yield made


def test_who_is_connected_is_heard(listener: socket.socket) -> None:
    """Accepted or not yet: what they send arrives, and they are answered."""
    with socket.create_connection(listener.getsockname()[:2]) as first:
        accepted = listener.accept()[0]
        with accepted, socket.create_connection(listener.getsockname()[:2]) as second:
            refuse_handshakes(listener)
            with listener.accept()[0] as late:
                listener.close()
                for caller, taken in ((first, accepted), (second, late)):
                    caller.sendall(b"question")
                    assert taken.recv(100) == b"question"
                    taken.sendall(b"answer")
                    assert caller.recv(100) == b"answer"


def test_nobody_connects_any_more(listener: socket.socket) -> None:
    """A handshake does not begin: there is nobody to be hung up on when the socket is closed."""
    refuse_handshakes(listener)
    with closing(socket.socket(listener.family)) as caller:
        caller.settimeout(0.2)
        with pytest.raises(TimeoutError):
            caller.connect(listener.getsockname()[:2])


def test_who_tries_meanwhile_is_refused(listener: socket.socket) -> None:
    """As soon as the socket is closed and the kernel tries again."""
    refuse_handshakes(listener)
    with closing(socket.socket(listener.family)) as caller:
        caller.setblocking(False)  # noqa: FBT003  (its only form)
        caller.connect_ex(listener.getsockname()[:2])
        address = listener.getsockname()[:2]
        listener.close()
        with pytest.raises(ConnectionRefusedError):
            socket.create_connection(address)
        caller.settimeout(10)
        with pytest.raises(ConnectionError):
            caller.recv(1)

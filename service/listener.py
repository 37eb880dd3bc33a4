"""A socket that callers connect to, and how it is closed without hanging up on one of them."""

import array
import contextlib
import socket
import struct
import sys
from typing import Final

# Linux's, which Python does not name.  The program is one of the "classic" packet filters (linux/filter.h), run on the
# TCP header of each packet: a SYN without an ACK, which begins a handshake, is dropped; whatever else goes through.
_SO_ATTACH_FILTER: Final = 26
_LOAD_BYTE, _AND, _JUMP_IF_EQUAL, _RETURN = 0x30, 0x54, 0x15, 0x06
_FLAGS_AT, _SYN, _ACK = 13, 0x02, 0x10
_PROGRAM: Final = (
    (_LOAD_BYTE, 0, 0, _FLAGS_AT),
    (_AND, 0, 0, _SYN | _ACK),
    (_JUMP_IF_EQUAL, 0, 1, _SYN),
    (_RETURN, 0, 0, 0),
    (_RETURN, 0, 0, 0xFFFFFFFF),
)


def refuse_handshakes(listener: socket.socket) -> None:
    """Let no new handshake begin; those that have begun go on, and are accepted as before.

    A socket that is closed resets every connection that is not accepted yet, so that somebody who connects between the
    last `accept` and `close` has sent a request in vain.  With this call before the two there is nobody.  A caller who
    tries meanwhile sends the SYN again after a second, and is refused by the kernel.

    Does nothing where the system has no such filter.
    """
    if sys.platform != "linux":
        return
    program = array.array("B", b"".join(struct.pack("HBBI", *instruction) for instruction in _PROGRAM))
    address, _ = program.buffer_info()
    with contextlib.suppress(OSError):
        listener.setsockopt(socket.SOL_SOCKET, _SO_ATTACH_FILTER, struct.pack("HP", len(_PROGRAM), address))

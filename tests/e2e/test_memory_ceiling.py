"""Memory has a ceiling, whatever callers do: bodies that do not end, answers that nobody takes, bombs."""

import http.client
import io
import re
import socket
import struct
import sys
import zlib
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, suppress
from functools import partial
from pathlib import Path

import httpx2
import pytest
from PIL import Image

from tests import images, tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE
from tests.e2e.conftest import Server, started

pytestmark = pytest.mark.skipif(sys.platform != "linux", reason="the peak is read from /proc")

MIB = 2**20
HELD = 40 * MIB
WIDE = 1024
MAPS = "/v1/models/wide/feature-maps?layer=conv&format=npy"
CALLERS = 40
PATIENCE = 300  # seconds: forty answers come one after the other


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A service with little room, with `brightness` and a network whose maps have 4 MiB."""
    tiny_models.publish(tmp_path)
    wide = tiny_models.brightness(size=WIDE)
    tiny_models.publish(tmp_path, wide, name="wide", input=tiny_models.image_input(size=WIDE))
    flags = ["--max-held-bytes", str(HELD), "--threads", "1", "--deadline-seconds", str(PATIENCE)]
    with started(tmp_path, *flags) as running:
        yield running


def memory(server: Server, kind: str) -> int:
    """Bytes of memory: VmRSS is what is used now, VmHWM the most that ever was."""
    status = Path(f"/proc/{server.process.pid}/status").read_text()
    found = re.search(rf"{kind}:\s+(\d+) kB", status)
    assert found
    return 1024 * int(found[1])


def status_of(connection: socket.socket) -> int:
    """That of the answer; 0 where there is none."""
    answer = http.client.HTTPResponse(connection)
    with suppress(OSError, http.client.HTTPException):
        answer.begin()
        return answer.status
    return 0


def test_bodies_take_no_more_than_they_may(server: Server) -> None:
    """Forty callers send 19 of 20 MB: some are refused, nobody is kept out for good, and memory stays bounded."""
    before = memory(server, "VmRSS")
    body = bytes(19_000_000)
    with ExitStack() as stack:
        callers = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(CALLERS)]
        for caller in callers:
            caller.settimeout(PATIENCE)
            caller.sendall(f"POST {CLASSIFY} HTTP/1.1\r\nHost: x\r\nContent-Length: 20000000\r\n\r\n".encode())
        for caller in callers:
            with suppress(ConnectionError):  # of those that are refused
                caller.sendall(body)
        assert status_of(callers[-1]) == 503
        assert memory(server, "VmHWM") - before < HELD + 60 * MIB  # all bodies together have 760 MB
        assert httpx2.post(server.url + CLASSIFY, content=PICTURE, timeout=60).status_code == 200
    late = httpx2.post(server.url + CLASSIFY, content=bytes(10_000_000), timeout=60)
    while late.status_code == 503:  # those who hang up are noticed one after the other
        late = httpx2.post(server.url + CLASSIFY, content=bytes(10_000_000), timeout=60)
    assert late.status_code == 415


def test_answers_take_no_more_than_they_may(server: Server) -> None:
    """Forty callers ask for 16 MiB each and take nothing: some are refused, and memory stays bounded."""
    form = b"".join(
        b'--X\r\nContent-Disposition: form-data; name="image"\r\n\r\n%s\r\n' % images.plain(grey) for grey in range(4)
    )
    for _ in range(4):  # ONNX Runtime keeps what its runs need
        headers = {"Content-Type": "multipart/form-data; boundary=X"}
        answer = httpx2.post(server.url + MAPS, content=form + b"--X--", headers=headers, timeout=60)
        assert len(answer.content) > 16 * MIB
    usual = memory(server, "VmHWM")
    head = (
        f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=X\r\n"
        f"Content-Length: {len(form) + 5}\r\n\r\n"
    )
    with ExitStack() as stack:
        callers = [stack.enter_context(socket.create_connection(("127.0.0.1", server.port))) for _ in range(CALLERS)]
        for caller in callers:
            caller.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 65_536)
            caller.settimeout(PATIENCE)
            caller.sendall(head.encode() + form + b"--X--")
        found = [status_of(caller) for caller in callers]
        assert {200, 503} == set(found)
        assert memory(server, "VmHWM") - usual < HELD + 40 * MIB  # all answers together have 640 MiB


def test_runs_take_no_more_than_they_may(server: Server) -> None:
    """Sixteen images, for classes and for layers: in pieces, out of one arena for all graphs."""
    before = memory(server, "VmHWM")
    layers = ["conv", "block.relu", "conv&layer=block.relu"]
    for what in ("classify", *(f"feature-maps?layer={each}&reduce=mean" for each in layers)):
        asked = httpx2.post(
            f"{server.url}/v1/models/wide/{what}", files=[("image", images.plain(200))] * 16, timeout=PATIENCE
        )
        assert asked.status_code == 200
    # 350 MiB; with an arena for each graph and 256 MiB for a run 1.3 GiB, with all images at once 2.1 GiB.
    assert memory(server, "VmHWM") - before < 600 * MIB


def bomb(side: int) -> bytes:
    """A PNG of side x side black pixels in a few kilobytes."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    packer = zlib.compressobj(9)
    rows = b"".join(packer.compress(bytes(1 + (side + 7) // 8)) for _ in range(side)) + packer.flush()
    head = struct.pack(">IIBBBBB", side, side, 1, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", rows) + chunk(b"IEND", b"")


def test_a_bomb_is_not_decoded(server: Server) -> None:
    """A PNG of 13000x13000 pixels in 20 KB costs nothing but its refusal; it would take 170 MB and more."""
    picture = bomb(13_000)
    assert len(picture) < 30_000
    before = memory(server, "VmHWM")
    refusal = httpx2.post(server.url + CLASSIFY, content=picture, timeout=60)
    assert refusal.status_code == 413
    assert "13000x13000 pixels; at most 50,000,000 are accepted (setting max_pixels)" in refusal.json()["detail"]
    assert memory(server, "VmHWM") - before < 20 * MIB


def test_large_pictures_are_decoded_as_there_is_room(tmp_path: Path) -> None:
    """Eight callers send 12 megapixels each, in the format that takes most: one after the other, on four threads."""
    tiny_models.publish(tmp_path)
    drawn = io.BytesIO()
    Image.new("RGBA", (4000, 3000), (200, 90, 40, 128)).save(drawn, "webp", lossless=True, method=0)
    with started(tmp_path, "--threads", "4", "--max-pixels", "12000000") as server:
        before = memory(server, "VmHWM")
        with ThreadPoolExecutor(8) as callers:
            asks = [partial(httpx2.post, server.url + CLASSIFY, content=drawn.getvalue(), timeout=60)] * 8
            assert {answer.status_code for answer in callers.map(lambda ask: ask(), asks)} == {200}
        assert 100 * MIB < memory(server, "VmHWM") - before < 400 * MIB  # four of them at once take 900 MiB

"""Callers that speak HTTP badly, slowly, or not at all: each gets the right status, and nobody else suffers."""

import http.client
import io
import select
import socket
from collections.abc import Iterator
from contextlib import ExitStack, closing
from pathlib import Path

import httpx2
import numpy as np
import pytest

from tests import images, tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE
from tests.e2e.conftest import Server, started

LIVE = "/v2/health/live"
GET = f"GET {LIVE} HTTP/1.1\r\nHost: x\r\n".encode()
POST = f"POST {CLASSIFY} HTTP/1.1\r\nHost: x\r\n".encode()
END = b"\r\n"
CONNECTIONS = 8
MOST_PIPELINED = 16
MOST_GUESTS = 64
WIDE = 1024
MAPS = "/v1/models/wide/feature-maps?layer=conv&format=npy"


@pytest.fixture(scope="module")
def models(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """`brightness`, and a network whose maps are large."""
    root: Path = tmp_path_factory.mktemp("models")
    tiny_models.publish(root)
    wide = tiny_models.brightness(size=WIDE)
    tiny_models.publish(root, wide, name="wide", input=tiny_models.image_input(size=WIDE))
    return root


@pytest.fixture(scope="module")
def server(models: Path) -> Iterator[Server]:
    """A service for a few connections, as patient as it is."""
    with started(models, "--max-connections", str(CONNECTIONS)) as running:
        yield running


@pytest.fixture(scope="module")
def impatient(models: Path) -> Iterator[Server]:
    """A service that gives nobody much time."""
    flags = ["--head-timeout-seconds", "1", "--send-timeout-seconds", "2", "--keep-alive-seconds", "2"]
    with started(models, *flags) as running:
        yield running


def connect(server: Server) -> socket.socket:
    """A connection on which nothing is said yet."""
    return socket.create_connection(("127.0.0.1", server.port), timeout=30)


def rest(connection: socket.socket) -> bytes:
    """What comes until the service closes."""
    found = bytearray()
    while more := connection.recv(65_536):
        found += more
    return bytes(found)


def said(server: Server, request: bytes) -> http.client.HTTPResponse:
    """The answer to what is sent."""
    with connect(server) as connection:
        connection.sendall(request)
        answer = http.client.HTTPResponse(connection)
        answer.begin()
        return answer


@pytest.fixture(autouse=True)
def others_are_served(request: pytest.FixtureRequest) -> Iterator[None]:
    """After each test as before."""
    server: Server = request.getfixturevalue("impatient" if "impatient" in request.fixturenames else "server")
    yield
    assert httpx2.post(server.url + CLASSIFY, content=PICTURE, timeout=60).status_code == 200


CHUNKED = b"Transfer-Encoding: chunked\r\n\r\n"


@pytest.mark.parametrize(
    ("request_", "status"),
    [
        pytest.param(b"GET http://x/v2/health/live HTTP/1.1\r\nHost: x\r\n\r\n", 200, id="absolute"),
        pytest.param(b"GET http://x HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="absolute without a path"),
        pytest.param(b"OPTIONS * HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="asterisk"),
        pytest.param(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="connect"),
        pytest.param(b"BREW / HTTP/1.1\r\nHost: x\r\n\r\n", 400, id="method that is none"),
        pytest.param(b"PROPFIND / HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="method of others"),
        pytest.param(b"TRACE / HTTP/1.1\r\nHost: x\r\n\r\n", 405, id="trace"),
        pytest.param(f"GET {LIVE} HTTP/1.0\r\n\r\n".encode(), 200, id="HTTP/1.0"),
        pytest.param(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n", 400, id="HTTP/2"),
        pytest.param(b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", 400, id="TLS"),
        pytest.param(POST + b"Content-Length: 5\r\n" + CHUNKED + b"0\r\n\r\n", 400, id="length and chunks"),
        pytest.param(POST + CHUNKED[:-2] + b"Content-Length: 5\r\n\r\n0\r\n\r\n", 400, id="chunks and length"),
        pytest.param(POST + b"Content-Length: 5\r\nContent-Length: 6\r\n\r\nabcdef", 400, id="two lengths"),
        pytest.param(POST + b"Content-Length: -5\r\n\r\n", 400, id="negative length"),
        pytest.param(POST + b"Content-Length: +5\r\n\r\nabcde", 400, id="signed length"),
        pytest.param(POST + b"Content-Length: 99999999999999999999999\r\n\r\n", 400, id="absurd length"),
        pytest.param(POST + b"Transfer-Encoding: gzip\r\n\r\nabc", 400, id="no chunks"),
        pytest.param(POST + b"Transfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n", 400, id="chunks not last"),
        pytest.param(POST + CHUNKED + b"zz\r\nabc\r\n", 400, id="no chunk size"),
        pytest.param(POST + CHUNKED + b"-1\r\nabc\r\n", 400, id="negative chunk size"),
        pytest.param(POST + CHUNKED + b"fffffffffffffffffff\r\nabc\r\n", 400, id="absurd chunk size"),
        pytest.param(POST + CHUNKED + b"3\r\nabcdef\r\n", 400, id="chunk longer than its size"),
        pytest.param(GET.replace(b"Host:", b"Host :") + END, 400, id="space before the colon"),
        pytest.param(GET + b"A: b\r\n c\r\n\r\n", 400, id="folded header"),
        pytest.param(GET + b"A: b\x00c\r\n\r\n", 400, id="zero byte in a header"),
        pytest.param(GET.replace(b"\r\n", b"\n") + b"\n", 400, id="bare line feeds"),
        pytest.param("GET /é HTTP/1.1\r\nHost: x\r\n\r\n".encode(), 400, id="target that is no ASCII"),
        pytest.param(b"GET /%00%ff%2e%2e/%zz HTTP/1.1\r\nHost: x\r\n\r\n", 404, id="odd percents"),
        pytest.param(GET + b"Host: [::1\r\n\r\n", 200, id="odd host"),
        pytest.param(b"GET /" + b"a" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", 414, id="long target"),
        pytest.param(GET + b"A: " + b"a" * 40_000 + b"\r\n\r\n", 431, id="long header"),
        pytest.param(GET + b"A: " + b"a" * 2_000_000, 431, id="header without end"),
        pytest.param(GET + b"a: b\r\n" * 101 + b"\r\n", 431, id="many headers"),
        pytest.param(GET + b"a: b\r\n" * 100_000, 431, id="headers without end"),
    ],
)
def test_what_is_no_request_is_refused(server: Server, request_: bytes, status: int) -> None:
    """With a status that says so: never 500, and never silence."""
    assert said(server, request_).status == status


@pytest.mark.parametrize(
    ("request_", "limit"),
    [
        (b"GET /v2/" + b"a" * 8192 + b" HTTP/1.1\r\nHost: x\r\n\r\n", "max_url_bytes"),
        (GET + b"A: " + b"a" * 40_000 + b"\r\n\r\n", "max_head_bytes"),
        (GET + b"a: b\r\n" * 101 + b"\r\n", "max_headers"),
    ],
)
def test_a_refusal_names_the_setting(server: Server, request_: bytes, limit: str) -> None:
    """In the form that the path demands; and the connection ends."""
    answer = said(server, request_)
    assert f"(setting {limit})" in str(answer.read())
    assert (answer.headers["content-type"], answer.headers["connection"]) == ("application/json", "close")


def test_an_offer_of_another_protocol_is_ignored(server: Server) -> None:
    """As of `curl --http2 --data-binary`: the request is answered, body and all, and so is the next."""
    upgrade = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n"
    first = POST + upgrade + b"Content-Length: %d\r\n\r\n" % len(PICTURE) + PICTURE
    with connect(server) as connection:
        connection.sendall(first + GET + b"Connection: close\r\n\r\n")
        answers = rest(connection)
    assert answers.count(b"HTTP/1.1 200 OK") == 2
    assert b'"label":"bright"' in answers


def test_a_body_is_asked_for(server: Server) -> None:
    """Expect: 100-continue; where the body is not wanted, the answer comes instead."""
    expecting = POST + b"Expect: 100-continue\r\nContent-Length: %d\r\n\r\n"
    with connect(server) as connection:
        connection.sendall(expecting % len(PICTURE))
        assert connection.recv(25) == b"HTTP/1.1 100 Continue\r\n\r\n"
        connection.sendall(PICTURE)
        assert connection.recv(15) == b"HTTP/1.1 200 OK"
    assert said(server, expecting % 10**9).status == 413


def test_requests_may_follow_each_other_without_waiting(server: Server) -> None:
    """They are answered in their order."""
    ready = GET.replace(b"live", b"ready")
    with connect(server) as connection:
        connection.sendall((GET + END + ready + END) * 4 + GET + b"Connection: close\r\n\r\n")
        bodies = [part.rpartition(b"\r\n\r\n")[2] for part in rest(connection).split(b"HTTP/1.1 200 OK")[1:]]
    assert bodies == [b'{"live":true}', b'{"ready":true,"live":true}'] * 4 + [b'{"live":true}']


def test_so_many_requests_may_wait_and_no_more(server: Server) -> None:
    """Ten thousand in one packet: some are answered, then the connection closes; the others took no room."""
    with connect(server) as connection:
        connection.sendall((GET + END) * 10_000)
        answers = rest(connection)
    assert answers.count(b"HTTP/1.1 ") == answers.count(b"HTTP/1.1 200 OK") == MOST_PIPELINED + 1


@pytest.mark.parametrize("noise", [b"noise\x00\r\n\r\n", POST + CHUNKED + b"zz\r\n"])
def test_noise_behind_a_request_is_not_its_answer(server: Server, noise: bytes) -> None:
    """The request gets its own answer, and the connection ends."""
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: %d\r\n\r\n" % len(PICTURE) + PICTURE + noise)
        answers = rest(connection)
    assert answers.count(b"HTTP/1.1 ") == 1
    assert b'"label":"bright"' in answers


@pytest.mark.parametrize("piece", [b"a", b"a: b\r\n"])
def test_a_head_that_drips_is_given_up(impatient: Server, piece: bytes) -> None:
    """However steadily: it has so long in all."""
    with connect(impatient) as connection:
        connection.sendall(GET)
        while not select.select([connection], [], [], 0.1)[0]:
            connection.sendall(piece)
        assert b"did not arrive within 1 s (setting head_timeout_seconds)" in rest(connection)


def test_who_says_nothing_is_not_waited_for(impatient: Server) -> None:
    """Neither on a new connection nor on one that had its answer, nor behind half of a body that nobody wants."""
    with connect(impatient) as silent, connect(impatient) as idle, connect(impatient) as half:
        idle.sendall(GET + END)
        half.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\nhalf")
        assert rest(silent) == b""
        assert rest(idle).endswith(b'{"live":true}')
        assert rest(half).startswith(b"HTTP/1.1 404")


def test_a_refusal_is_seen_by_who_is_still_sending(server: Server) -> None:
    """Closing at once would reset the connection, and take the answer along."""
    with connect(server) as connection:
        connection.sendall(POST + b"Content-Length: 30000000\r\n\r\n")
        connection.sendall(bytes(5_000_000))
        answer = rest(connection)
    assert answer.startswith(b"HTTP/1.1 413")
    assert b"connection: close" in answer


@pytest.mark.parametrize("length", [4, 2**20])
def test_a_body_that_came_too_late_to_matter_keeps_the_connection(server: Server, length: int) -> None:
    """One of up to 1 MiB is read though nobody wanted it; the next request is answered."""
    with connect(server) as connection:
        connection.sendall(b"POST /nowhere HTTP/1.1\r\nHost: x\r\nContent-Length: %d\r\n\r\n" % length)
        assert connection.recv(12) == b"HTTP/1.1 404"
        connection.sendall(bytes(length) + GET + b"Connection: close\r\n\r\n")
        assert rest(connection).endswith(b'{"live":true}')


def test_an_answer_that_is_not_taken_is_dropped(impatient: Server) -> None:
    """A caller who stops reading is cut off; its connection and the answer are free again."""
    picture = images.plain(7)
    with connect(impatient) as connection:
        connection.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        head = f"POST {MAPS} HTTP/1.1\r\nHost: x\r\nContent-Length: {len(picture)}\r\n\r\n"
        connection.sendall(head.encode() + picture)
        connection.recv(1000)
        others = httpx2.post(impatient.url + MAPS, content=picture, timeout=60)
        assert np.load(io.BytesIO(others.content)).shape == (1, 1, WIDE, WIDE)
        impatient.log.until("takes its answer too slowly, and is cut off")


def test_beyond_the_limit_only_health_is_answered(server: Server) -> None:
    """However many say nothing: a question about health is answered, and all else is refused, and both are over."""
    with ExitStack() as stack:
        for _ in range(CONNECTIONS):
            held = stack.enter_context(closing(connect(server)))
            held.sendall(POST + b"Content-Length: 100\r\n\r\nhalf")
        silent = [stack.enter_context(closing(connect(server))) for _ in range(200)]
        live, ready = said(server, GET + END), said(server, GET.replace(b"live", b"ready") + END)
        assert [(one.status, one.headers["connection"]) for one in (live, ready)] == [(200, "close")] * 2
        hung_up, _, _ = select.select(silent, [], [], 0)
        assert len(hung_up) >= len(silent) - MOST_GUESTS
        refused = said(server, POST + b"Content-Length: 10000000\r\n\r\n")
        assert (refused.status, refused.headers["connection"]) == (503, "close")
        assert refused.headers["retry-after"]
        assert b"(setting max_connections)" in refused.read()

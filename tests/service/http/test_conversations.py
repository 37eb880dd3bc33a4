"""Promises of service.http.connection: who says what, and when, on connections that are no sockets."""

import gc

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.service.http.line import (
    BODY_SECONDS,
    HIGH_WATER,
    PIECE,
    PIECES,
    Line,
    Server,
    conversation,
    get,
    heard,
    passed,
    post,
)

MIB = 2**20
MOST_PIPELINED = 16
MOST_GUESTS = 64
GUEST_SECONDS = 2
LINGER_SECONDS = 1
NOISE = b"noise\x00\r\n\r\n"
BAD_CHUNK = b"POST / HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n"
CLIENTS = pytest.mark.parametrize(("client", "called"), [(("192.0.2.1", 50_000), "192.0.2.1"), (None, "a caller")])
UPGRADE = b"Connection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: A\r\n"


# Time.


@conversation(head_timeout_seconds=10)
async def test_a_head_has_so_long_in_all(server: Server) -> None:
    """However steadily it drips; and when it is whole, the body has its own time."""
    line, dripping = server.call(), server.call()
    line.say(post()[:20])
    dripping.say(get()[:1])
    for at in range(3):
        await passed(3)
        dripping.say(get()[at + 1 : at + 2])
    line.say(post()[20:])
    line.say(b"ab")
    await passed(1.1)
    assert (heard(dripping), server.refused) == (["408"], ["slow-request"])
    await passed(100)
    line.say(b"cd")
    await passed()
    assert heard(line) == ["/ 4"]


@conversation(head_timeout_seconds=10)
async def test_who_says_next_to_nothing_is_told(server: Server) -> None:
    """Before there is a target that the refusal could be written for."""
    line = server.call()
    line.say(b"\r\n")
    await passed(10.1)
    assert (heard(line), server.refused) == (["408"], ["slow-request"])


@conversation(head_timeout_seconds=10)
async def test_who_says_nothing_gets_no_answer(server: Server) -> None:
    """The connection ends, in time and not before."""
    line = server.call()
    await passed(9)
    assert line.is_open
    await passed(1.1)
    assert (line.end, line.answers, server.refused) == ("closed", b"", [])


@conversation(head_timeout_seconds=10)
async def test_the_next_head_has_as_long_from_its_beginning(server: Server) -> None:
    """The time before it does not count."""
    line = server.call()
    await passed(9)
    line.say(get())
    await passed(20)
    line.say(get()[:9])
    await passed(9)
    assert line.is_open
    await passed(1.1)
    assert (heard(line), server.refused) == (["/ 0", "408"], ["slow-request"])


@conversation(head_timeout_seconds=2, keep_alive_seconds=10)
@pytest.mark.parametrize(
    "request_",
    [
        pytest.param([get()], id="no body"),
        pytest.param([post() + b"body"], id="a body"),
        pytest.param([post()[:9], post()[9:], b"bo", b"dy"], id="in pieces"),
        pytest.param([post("/unread"), b"bo", b"dy"], id="a body that nobody wanted"),
        pytest.param([get(more=UPGRADE)], id="an offer of another protocol"),
    ],
)
async def test_who_had_an_answer_has_so_long_to_ask_again(server: Server, request_: list[bytes]) -> None:
    """The same time after each answer, and behind each body; then the connection ends without a word."""
    line = server.call()
    for _ in range(2):
        for piece in request_:
            line.say(piece)
            await passed(0.1)
        await passed(9.8)
        assert line.is_open
    await passed(0.3)
    assert (line.end, [*set(heard(line))][1:], server.refused) == ("closed", [], [])


@conversation(keep_alive_seconds=10)
async def test_an_answer_may_take_longer_than_a_connection_may_be_idle(server: Server) -> None:
    """Who asks is not idle."""
    line = server.call()
    line.say(get())
    await passed(9)
    line.say(get("/later"))
    await passed(20)
    server.go_on.set()
    await passed()
    assert heard(line) == ["/ 0", "/later 0"]


@conversation(head_timeout_seconds=10)
async def test_half_of_a_body_that_nobody_wants_is_not_waited_for(server: Server) -> None:
    """No longer than for a head, however steadily it drips."""
    line = server.call()
    line.say(post("/unread"))
    for _ in range(3):
        await passed(3)
        assert line.is_open
        line.say(b"a")
    await passed(5 + LINGER_SECONDS)
    assert not line.is_open
    assert heard(line) == ["/unread 0"]


# Who does not take an answer.


@CLIENTS
@conversation(send_timeout_seconds=10)
async def test_who_takes_an_answer_slowly_gets_it(
    server: Server, caplog: pytest.LogCaptureFixture, client: tuple[str, int] | None, called: str
) -> None:
    """1 KiB a second; whoever takes less is cut off, though it took enough before."""
    line = server.call(client=client)
    line.takes = False
    line.say(get("/large"))
    for _ in range(3):
        await passed(9.9)
        line.take(10 * 1024)
        await passed(0.1)
        assert line.is_open
    line.take(10 * 1024 - 1)
    with caplog.at_level("INFO"):
        await passed(10.1)
    assert (line.end, caplog.messages) == ("aborted", [f"{called} takes its answer too slowly, and is cut off"])


@conversation(send_timeout_seconds=10)
async def test_a_caller_who_takes_all_is_watched_no_more(server: Server) -> None:
    """And again with the next answer."""
    line = server.call()
    line.takes = False
    for _ in range(2):
        line.say(get("/large"))
        await passed()
        while line.untaken:
            line.take(HIGH_WATER)
            await passed(1)
        await passed(30)
        assert line.is_open
    assert server.sent == 2 * PIECES
    line.say(get("/large"))
    await passed(10.1)
    assert line.end == "aborted"


@conversation()
async def test_no_more_is_sent_than_a_caller_takes(server: Server) -> None:
    """The application waits meanwhile."""
    line = server.call()
    line.takes = False
    line.say(get("/large"))
    await passed(1)
    assert server.sent * len(PIECE) <= HIGH_WATER + 2 * len(PIECE)
    assert server.sent < PIECES


@conversation(send_timeout_seconds=10)
@pytest.mark.parametrize("half_closes", [True, False], ids=["TCP", "TLS"])
async def test_an_end_waits_for_what_was_written(server: Server, half_closes: bool) -> None:  # noqa: FBT001
    """Whoever takes nothing of it has so long."""
    slow, deaf = server.call(half_closes=half_closes), server.call(half_closes=half_closes)
    for line in (slow, deaf):
        line.takes = False
        line.say(NOISE)
    await passed(9)
    assert (slow.is_open, deaf.is_open) == (True, True)
    slow.take(HIGH_WATER)
    await passed(1.1)
    assert (slow.is_open, deaf.end) == (False, "aborted")


# Refusals.


@CLIENTS
@conversation()
async def test_a_refusal_is_an_answer_like_others(
    server: Server, caplog: pytest.LogCaptureFixture, client: tuple[str, int] | None, called: str
) -> None:
    """It says what every answer says, and each thing once, though the service is ending; and the log says to whom."""
    server.state.default_headers.append((b"connection", b"close"))
    line = server.call(client=client)
    with caplog.at_level("INFO"):
        line.say(NOISE)
    (told,) = caplog.messages
    assert told.startswith(f"{called}: 400, this is no HTTP/1.1 request (request ")
    head, _, body = line.answers.partition(b"\r\n\r\n")
    names = [header.partition(b":")[0] for header in head.split(b"\r\n")[1:]]
    assert sorted(names) == [
        b"connection",
        b"content-length",
        b"content-type",
        b"x-content-type-options",
        b"x-request-id",
    ]
    assert b"\r\ncontent-length: %d" % len(body) in head
    assert server.refused == ["malformed-request"]


@conversation()
async def test_nothing_is_heard_behind_a_refusal(server: Server) -> None:
    """Noise, or what would be a request: it is read and dropped for a moment, and then the connection ends."""
    line = server.call()
    line.say(NOISE, NOISE, get(), NOISE)
    await passed(LINGER_SECONDS / 2)
    line.say(get())
    assert (line.end, heard(line), server.refused, server.asked) == ("stopped", ["400"], ["malformed-request"], [])
    for connection in server.state.connections:
        connection.shutdown()
    await passed(LINGER_SECONDS / 2 + 0.1)
    assert (line.end, line.misused) == ("aborted", [])


@conversation(head_timeout_seconds=10)
async def test_who_is_refused_is_not_late_as_well(server: Server) -> None:
    """Though the time for its head is over a moment later."""
    line = server.call()
    line.say(get()[:9])
    await passed(9.5)
    line.say(NOISE)
    await passed(LINGER_SECONDS + 0.1)
    assert (heard(line), server.refused, line.misused) == (["400"], ["malformed-request"], [])


@conversation(max_head_bytes=1024, max_url_bytes=256)
@pytest.mark.parametrize(
    ("text", "code"),
    [
        pytest.param(get("/" + "a" * 256), "url-too-long", id="a long target"),
        pytest.param(get(more=b"A: %s\r\n" % (b"a" * 1024)), "head-too-large", id="a long header"),
        pytest.param(get(more=b"A: %s" % (b"a" * 1024))[:-2], "head-too-large", id="a header without end"),
        pytest.param(get(more=b"a: b\r\n" * 100), "head-too-large", id="many headers"),
    ],
)
async def test_a_head_that_is_too_large_is_refused(server: Server, text: bytes, code: str) -> None:
    """At once, and nobody is asked."""
    line = server.call()
    line.say(text)
    assert (len(heard(line)), server.refused) == (1, [code])
    await passed()
    assert server.asked == []


@conversation()
async def test_an_end_that_cannot_be_half_is_whole(server: Server) -> None:
    """TLS ends both sides at once."""
    line = server.call(half_closes=False)
    line.say(NOISE)
    await passed()
    assert (line.end, heard(line)) == ("closed", ["400"])


@conversation()
@pytest.mark.parametrize("noise", [NOISE, BAD_CHUNK])
async def test_all_that_was_asked_before_noise_is_answered(server: Server, noise: bytes) -> None:
    """In order, and nothing else; then the connection ends."""
    line = server.call()
    line.say(get("/later") + get("/1") + get("/2") + noise, noise, noise)
    await passed(1)
    assert heard(line) == []
    server.go_on.set()
    await passed(LINGER_SECONDS + 0.1)
    assert heard(line) == ["/later 0", "/1 0", "/2 0"]
    assert (line.end, server.refused) == ("aborted", [])
    assert line.answers.count(b"connection: close") == (noise == NOISE)  # behind half a request it comes too late


@conversation()
@pytest.mark.parametrize("noise", [NOISE, BAD_CHUNK])
async def test_noise_does_not_break_into_an_answer(server: Server, noise: bytes) -> None:
    """One whose head was sent is sent to its end."""
    line = server.call()
    line.say(get("/begun") + get("/1"))
    await passed()
    line.say(noise)
    server.go_on.set()
    await passed(LINGER_SECONDS + 0.1)
    assert (heard(line), line.end) == (["/begun 0", "/1 0"], "aborted")


@conversation()
async def test_noise_in_a_body_is_told_where_nothing_was_answered(server: Server) -> None:
    """Where the answer has begun, the connection ends."""
    told, begun, over = server.call(), server.call(), server.call()
    told.say(BAD_CHUNK)
    begun.say(BAD_CHUNK.replace(b"/ ", b"/begun ", 1)[:-4])
    over.say(BAD_CHUNK.replace(b"/ ", b"/unread ", 1)[:-4])
    await passed()
    begun.say(b"zz\r\n")
    over.say(b"zz\r\n")
    await passed(LINGER_SECONDS + 0.1)
    assert (heard(told), told.end) == (["400"], "aborted")
    assert (begun.answers.count(b"HTTP/1.1 200"), begun.end) == (1, "aborted")
    assert (heard(over), over.end) == (["/unread 0"], "aborted")
    assert server.refused == ["malformed-request"]


@conversation()
async def test_so_many_requests_may_wait_for_an_answer(server: Server) -> None:
    """Those are answered, and no more is heard."""
    line = server.call()
    line.say(get("/later") + get("/1") * 100)
    await passed()
    server.go_on.set()
    await passed(LINGER_SECONDS + 0.1)
    assert heard(line) == ["/later 0", *["/1 0"] * MOST_PIPELINED]
    assert line.end == "aborted"


@conversation(max_head_bytes=1024)
async def test_each_head_is_counted_anew(server: Server) -> None:
    """Not the one before it, nor its body, nor what follows it in the same packet."""
    line = server.call()
    for _ in range(10):
        line.say(get(more=b"A: %s\r\n" % bytes(b"a" * 900)), post(length=2000) + bytes(2000) + post(length=1)[:20])
        await passed()
        line.say(post(length=1)[20:] + b"a")
        await passed()
    assert heard(line) == ["/ 0", "/ 2000", "/ 1"] * 10
    line.say(get(more=b"A: %s\r\n" % bytes(b"a" * 1100)))
    await passed()
    assert heard(line)[-1:] == ["431"]


@conversation()
async def test_an_offer_of_another_protocol_changes_nothing(server: Server) -> None:
    """The answers are those to the same requests without it, for callers of HTTP/1.0 too; and limits hold."""
    plain, offered = server.call(), server.call()
    for line, more in (plain, b""), (offered, UPGRADE):
        line.say(post("/1", more=more) + b"body" + get("/2"), post("/3", more=more), b"bo", b"dy")
        await passed()
        line.say(get(more=more).replace(b"HTTP/1.1", b"HTTP/1.0"))
        await passed()
    assert heard(offered) == heard(plain) == ["/1 4", "/2 0", "/3 4", "/ 0"]
    assert offered.end == plain.end == "closed"
    many = server.call()
    many.say(get(more=UPGRADE + b"a: b\r\n" * 100))
    assert heard(many) == ["431"]


@conversation()
async def test_a_caller_who_wants_a_tunnel_is_told_so(server: Server) -> None:
    """This is no proxy."""
    line = server.call()
    line.say(b"CONNECT x:80 HTTP/1.1\r\nHost: x\r\n\r\n")
    assert (heard(line), server.refused, server.asked) == (["405"], ["method-not-allowed"], [])


# Bodies.


@conversation()
@pytest.mark.parametrize(
    ("head", "body", "kept"),
    [
        pytest.param(post(length=4), b"body", True, id="small"),
        pytest.param(post(length=MIB), bytes(MIB), True, id="no larger than is read in any case"),
        pytest.param(post(length=MIB + 1), bytes(MIB + 1), False, id="large"),
        pytest.param(get(method="POST", more=b"Transfer-Encoding: chunked\r\n"), b"0\r\n\r\n", False, id="chunks"),
        pytest.param(
            post(length=4, more=b"Expect: 100-continue\r\n"), b"body", False, id="one that was to be asked for"
        ),
    ],
)
async def test_a_body_that_is_large_or_was_not_asked_for_ends_the_connection(
    server: Server,
    head: bytes,
    body: bytes,
    kept: bool,  # noqa: FBT001
) -> None:
    """Where the answer came before it; where it is whole first, the connection stays."""
    early, late = server.call(), server.call()
    early.say(head.replace(b" / ", b" /unread "))
    late.say(head)
    await passed()
    late.say(body)
    await passed()
    early.say(body, get("/next"))
    late.say(get("/next"))
    await passed()
    assert [one.rpartition(" ")[0] for one in heard(early)] == ["/unread", *["/next"][:kept]]
    assert [one.rpartition(" ")[0] for one in heard(late)][-1:] == ["/next"]
    assert (b"connection: close" in early.answers, early.is_open and not early.end) == (not kept, kept)
    assert early.misused == late.misused == []


@conversation()
@pytest.mark.parametrize("length", [4, 2 * MIB])
async def test_a_connection_ends_where_its_caller_wants_it(server: Server, length: int) -> None:
    """However large the body was, and those before it."""
    first, second = server.call(), server.call()
    first.say(post(length=2 * MIB))
    await passed()
    first.say(bytes(2 * MIB))
    await passed()
    for line in (first, second):
        line.say(post(length=length, more=b"Connection: close\r\n"))
        await passed()
        line.say(bytes(length))
        await passed()
    assert [(line.answers.count(b"connection: close"), line.end) for line in (first, second)] == [(1, "closed")] * 2


@conversation()
async def test_an_answer_that_says_it_is_the_last_is_the_last(server: Server) -> None:
    """Though the body of its request arrives before it is complete."""
    line = server.call()
    line.say(post("/begun", length=2 * MIB))
    await passed()
    line.say(bytes(2 * MIB))
    server.go_on.set()
    await passed()
    assert b"connection: close" in line.answers
    assert line.end == "closed"


@conversation()
@pytest.mark.parametrize("length", [4, 2 * MIB])
async def test_a_body_that_arrives_late_does_not_keep_the_connection_of_a_service_that_ends(
    server: Server, length: int
) -> None:
    """Its answer is the last; and a connection on which nothing was asked ends at once."""
    line, idle = server.call(), server.call()
    line.say(post(length=length))
    await passed()
    for connection in server.state.connections:
        connection.shutdown()
    line.say(bytes(length))
    await passed()
    assert heard(line) == [f"/ {length}"]
    assert (line.answers.count(b"connection: close"), line.end, idle.end) == (1, "closed", "closed")


@conversation()
async def test_nothing_is_done_for_who_cannot_be_answered(server: Server) -> None:
    """What comes behind the last answer of a connection is read, and dropped."""
    line = server.call()
    line.say(post("/unread", length=2 * MIB), bytes(MIB), bytes(MIB) + get("/next"), get("/next"))
    await passed()
    assert (server.asked, line.unheard, line.misused) == (["/unread"], [], [])


@conversation()
async def test_an_answer_without_a_body_is_sent(server: Server) -> None:
    """Its head is all there is, and the connection stays."""
    line = server.call()
    line.say(get(method="HEAD"))
    await passed()
    assert line.answers.startswith(b"HTTP/1.1 200 OK\r\n")
    assert line.answers.endswith(b"\r\n\r\n")
    assert not line.end


# Those who are too many.


@conversation(max_connections=2, head_timeout_seconds=10)
async def test_who_is_one_too_many_may_ask_about_health(server: Server) -> None:
    """Once; all else is refused."""
    served = [server.call(), server.call()]
    asks, wants = server.call(), server.call()
    asks.say(get("/v2/health/ready?a=b"))
    wants.say(get("/v2/health"))
    for line in served:
        line.say(get())
    await passed(1)
    assert [heard(line) for line in (*served, asks, wants)] == [["/ 0"], ["/ 0"], ["/v2/health/ready 0"], ["503"]]
    assert [line.is_open for line in (*served, asks, wants)] == [True, True, False, False]
    assert b"connection: close" in asks.answers
    assert (b"retry-after: " in wants.answers.lower(), server.refused) == (True, ["crowded"])


@conversation(max_connections=1, head_timeout_seconds=10)
async def test_who_is_one_too_many_has_little_time(server: Server) -> None:
    """Room is for those who ask."""
    served, guest = server.call(), server.call()
    served.say(get(), get()[:9])
    await passed(GUEST_SECONDS - 0.1)
    assert guest.is_open
    await passed(0.2)
    assert (served.end, guest.end) == ("", "closed")


@conversation(max_connections=1, head_timeout_seconds=1)
async def test_who_is_one_too_many_has_no_more_time_than_others(server: Server) -> None:
    """Where those have less."""
    _, guest = server.call(), server.call()
    await passed(1.1)
    assert guest.end == "closed"


@conversation(max_connections=1)
async def test_of_those_who_are_too_many_the_oldest_goes(server: Server) -> None:
    """When there are more than there is room for."""
    server.call()
    guests = [server.call() for _ in range(MOST_GUESTS + 2)]
    await passed()
    assert [line.end for line in guests] == ["aborted"] * 2 + [""] * MOST_GUESTS


@conversation(max_connections=1)
async def test_room_is_for_the_next_when_one_has_gone(server: Server) -> None:
    """Guests who have gone count no more, and take nobody's place."""
    served = server.call()
    for _ in range(3):
        server.call().hang_up()
        guest = server.call()
        guest.say(get())
        await passed()
        assert heard(guest) == ["503"]
        guest.hang_up()
    served.hang_up()
    line = server.call()
    line.say(get())
    await passed()
    assert heard(line) == ["/ 0"]


# Those who have gone.


@conversation(max_connections=2)
@pytest.mark.parametrize(
    ("texts", "takes"),
    [
        pytest.param([], True, id="silent"),
        pytest.param([get()[:9]], True, id="half a head"),
        pytest.param([get()], True, id="idle"),
        pytest.param([post()], True, id="half a request"),
        pytest.param([post("/unread"), b"b"], True, id="half of what nobody wants"),
        pytest.param([NOISE], True, id="refused"),
        pytest.param([NOISE], False, id="takes no refusal"),
        pytest.param([get("/large")], False, id="takes no answer"),
        pytest.param([get("/large") + get() + NOISE], False, id="takes none of several"),
    ],
)
@pytest.mark.parametrize("crowd", [0, 2], ids=["served", "too many"])
@pytest.mark.parametrize("why", [None, ConnectionResetError()], ids=["in order", "reset"])
async def test_nothing_is_kept_for_who_has_gone(
    server: Server,
    texts: list[bytes],
    takes: bool,  # noqa: FBT001
    crowd: int,
    why: Exception | None,
) -> None:
    """Neither what was to be sent nor a clock that would tell of it later."""
    lines = [server.call() for _ in range(crowd)]
    gc.freeze()  # to look for garbage takes long where there is much else
    line = server.call()
    line.takes = takes
    for text in texts:
        line.say(text)
        await passed()
    refused = list(server.refused)
    other = line.hang_up(why)
    await passed()
    gc.collect()
    gc.unfreeze()
    assert other() is None
    await passed(1)
    assert (line.misused, server.refused, len(server.state.connections)) == ([], refused, len(lines))


@conversation()
@pytest.mark.parametrize("behind", [b"", get(), get() + NOISE, BAD_CHUNK], ids=["nothing", "one", "noise", "half"])
async def test_what_is_done_for_who_has_gone_is_told(server: Server, behind: bytes) -> None:
    """Also where more was asked behind it, which is not even begun."""
    line = server.call()
    line.say(get("/never") + behind)
    await passed()
    line.hang_up()
    await passed()
    assert (server.gone, server.asked) == (1, ["/never"])


# Whatever is said, and when.

TEXTS = (
    *(get(path) for path in ("/", "/later", "/begun", "/large", "/unread", "/v2/health/live", "/" + "a" * 9000)),
    *(get(method="HEAD"), get(more=UPGRADE), get(more=b"Connection: close\r\n"), get()[:9], get()[9:]),
    *(get().replace(b"1.1", b"1.0"), get(more=UPGRADE).replace(b"1.1", b"1.0")),
    *(post(path, length=length) for path in ("/", "/unread", "/begun") for length in (4, 2 * MIB)),
    *(post(more=UPGRADE), post(more=b"Expect: 100-continue\r\n"), b"body", bytes(HIGH_WATER + 1), bytes(2 * MIB)),
    *(get(method="POST", more=b"Transfer-Encoding: chunked\r\n"), b"4\r\nbody\r\n", b"0\r\n\r\n", BAD_CHUNK, NOISE),
)


async def act(act: object, server: Server, line: Line) -> None:
    """Do one thing: say a text, let some time pass, take so many bytes, or what has a name."""
    if isinstance(act, bytes) and line.is_open:
        line.say(act)
    elif isinstance(act, float):
        await passed(act)
    elif isinstance(act, int):
        line.take(act)
    elif act == "go on":
        server.go_on.set()
    elif act == "end":
        for connection in server.state.connections:
            connection.shutdown()
    elif act == "hang up" and line.is_open:
        line.hang_up()


@given(
    acts=st.lists(
        st.lists(st.sampled_from(TEXTS), min_size=1, max_size=3).map(b"".join)
        | st.sampled_from(TEXTS)
        | st.sampled_from([0.01, 0.3, 1.1, 5.0, 1, HIGH_WATER, 100 * MIB, "go on", "end", "hang up"]),
        max_size=15,
    ),
    takes=st.booleans(),
    half_closes=st.booleans(),
    crowd=st.sampled_from([0, 0, 1]),
)
@settings(max_examples=100)
def test_no_conversation_goes_wrong(acts: list[object], *, takes: bool, half_closes: bool, crowd: int) -> None:
    """It ends, nothing is left of it, and nobody finds a fault."""

    @conversation(max_connections=1, head_timeout_seconds=2, send_timeout_seconds=3, keep_alive_seconds=4)
    async def play(server: Server) -> None:
        for _ in range(crowd):
            server.call()
        line = server.call(half_closes=half_closes)
        line.takes = takes
        for one in [*acts, "go on", 0.01, 100 * MIB]:
            await act(one, server, line)
        line.takes = True
        await passed(2 * BODY_SECONDS)
        assert (line.is_open, line.misused, server.faults) == (False, [], [])
        assert (len(server.state.connections), len(server.state.tasks)) == (0, 0)

    play()

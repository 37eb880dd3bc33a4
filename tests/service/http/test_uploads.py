"""Promises of service.http.uploads."""

import base64
import contextlib
import json
import sys
import time

import pytest
from fastapi import Request
from hypothesis import given
from hypothesis import strategies as st
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.errors import (
    ImageTypeError,
    MalformedRequestError,
    ParameterError,
    RequestError,
    RequestTooLargeError,
    SlowRequestError,
)
from service.http.observation import Observed
from service.http.uploads import encoded_images, read_body
from service.room import Room
from tests import images
from tests.service.http.line import in_no_time, passed

PICTURE = images.plain(7)
BASE64 = base64.b64encode(PICTURE).decode()
BOUNDARY = "multipart/form-data; boundary=XX"


def part(name: str, content: bytes = PICTURE) -> bytes:
    """One field of a form."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
    return head.encode() + content + b"\r\n"


def take(body: bytes, content_type: str = "", *, values: int = sys.maxsize) -> list[bytes]:
    """At most three images."""
    return encoded_images(body, content_type, max_images=3, max_json_values=values)


@pytest.mark.parametrize("content_type", ["", "image/png", "application/x-www-form-urlencoded", "text/plain", "???"])
def test_a_plain_body_is_an_image_whatever_its_type_says(content_type: str) -> None:
    """`curl --data-binary` calls everything a form."""
    assert take(PICTURE, content_type) == [PICTURE]


def test_a_form_holds_one_or_several_images() -> None:
    """In their order."""
    body = part("image") + part("image", b"second") + b"--XX--\r\n"
    assert take(body, BOUNDARY) == [PICTURE, b"second"]


@pytest.mark.parametrize("text", [BASE64, f"data:image/png;base64,{BASE64}", f" {BASE64[:20]}\n{BASE64[20:]}\n"])
@pytest.mark.parametrize("content_type", ["application/json", "application/json; charset=utf-8", ""])
def test_json_holds_base64_or_data_urls(text: str, content_type: str) -> None:
    """JSON is known by its first byte too, since `curl -d` calls it a form."""
    assert take(json.dumps({"images": [text]}).encode(), content_type) == [PICTURE]


@pytest.mark.parametrize(
    ("body", "content_type", "error", "message"),
    [
        pytest.param(part("imag") + b"--XX--", BOUNDARY, ParameterError, "a field 'imag'; accepted: image", id="field"),
        pytest.param(part("image"), BOUNDARY, MalformedRequestError, "cut short", id="form cut short"),
        pytest.param(b"", BOUNDARY, MalformedRequestError, "cut short", id="empty form"),
        pytest.param(b"--XX--\r\n", BOUNDARY, MalformedRequestError, "malformed|no field", id="no fields"),
        pytest.param(b"noise", BOUNDARY, MalformedRequestError, "the multipart body is malformed", id="no form"),
        pytest.param(b"x", "multipart/form-data", MalformedRequestError, "no boundary", id="no boundary"),
        pytest.param(
            b"x", BOUNDARY + "X" * 300, MalformedRequestError, "multipart body is malformed", id="long boundary"
        ),
        pytest.param(b'{"image": ["x"]}', "", ParameterError, "there is no field 'image'; accepted: images", id="key"),
        pytest.param(
            b'{"images": ["eA=="], "other": 1}', "", ParameterError, "there is no field 'other'", id="a key too many"
        ),
        pytest.param(b'{"images": []}', "", MalformedRequestError, "at least 1 item", id="no images"),
        pytest.param(b'{"images": "x"}', "", MalformedRequestError, "images: .*array", id="no list"),
        pytest.param(b'{"images": [1]}', "", MalformedRequestError, "images.0: .*string", id="no text"),
        pytest.param(b'{"images": [', "", MalformedRequestError, "body: Invalid JSON", id="json cut short"),
        pytest.param(b'{"images": ["%"]}', "", MalformedRequestError, "images.0 is no base64", id="no base64"),
        pytest.param(b'{"images": ["eA==", "%"]}', "", MalformedRequestError, "images.1 is no base64", id="second"),
        pytest.param(b'{"images": ["http://a/b"]}', "", ImageTypeError, "fetches nothing", id="link"),
        pytest.param(b"[" * 100_000, "application/json", MalformedRequestError, "the JSON is not", id="deep json"),
        pytest.param(
            json.dumps({"images": ["x" * 4] * 4}).encode(), "", RequestTooLargeError, "4 images; at most 3", id="many"
        ),
    ],
)
def test_a_wrong_body_is_told_what_would_be_right(
    body: bytes, content_type: str, error: type[RequestError], message: str
) -> None:
    """Each in its own words."""
    with pytest.raises(error, match=message):
        take(body, content_type)


@pytest.mark.parametrize(("texts", "index"), [(["http://a/b"], None), (["eA==", "HTTPS://a/b"], 1)])
def test_a_link_is_named_among_others(texts: list[str], index: int | None) -> None:
    """By its index; where it is alone, there is none."""
    with pytest.raises(ImageTypeError) as raised:
        take(json.dumps({"images": texts}).encode())
    assert raised.value.index == index


@given(
    body=st.binary(max_size=300),
    content_type=st.sampled_from(["", "application/json", BOUNDARY])
    | st.text(st.characters(max_codepoint=255), max_size=30),
)
def test_no_body_escapes(body: bytes, content_type: str) -> None:
    """Whatever is sent: images, or an error of ours."""
    with contextlib.suppress(RequestError):
        assert take(body, content_type)


@given(noise=st.binary(max_size=40), at=st.integers(0, 300))
def test_no_damaged_form_escapes(noise: bytes, at: int) -> None:
    """A form that is overwritten anywhere: images, or an error of ours."""
    body = bytearray(part("image") + b"--XX--\r\n")
    body[at : at + len(noise)] = noise
    with contextlib.suppress(RequestError):
        assert take(bytes(body), BOUNDARY)


@given(
    pictures=st.lists(st.binary(min_size=1, max_size=50), min_size=1, max_size=3),
    prefix=st.sampled_from(["", "data:image/png;base64,", "DATA:;base64,", " \ndata:x,"]),
    gaps=st.booleans(),
)
def test_what_is_sent_arrives(pictures: list[bytes], prefix: str, gaps: bool) -> None:  # noqa: FBT001
    """Whatever the bytes: in base64 and data URLs, broken into lines or not, and in a form."""
    texts = [base64.b64encode(picture).decode() for picture in pictures]
    lines = ["\n".join(text[i : i + 7] for i in range(0, len(text), 7)) if gaps else text for text in texts]
    assert take(json.dumps({"images": [prefix + text for text in lines]}).encode()) == pictures
    if not any(b"--XX" in picture for picture in pictures):
        assert take(b"".join(part("image", picture) for picture in pictures) + b"--XX--\r\n", BOUNDARY) == pictures


def test_nested_encodings_are_not_followed() -> None:
    """A data URL of a data URL, and base64 of base64, are what they are: text, and no image."""
    nested = BASE64
    for _ in range(5):
        nested = base64.b64encode(f"data:image/png;base64,{nested}".encode()).decode()
    (found,) = take(json.dumps({"images": [nested]}).encode())
    assert found.startswith(b"data:image/png;base64,")
    with pytest.raises(MalformedRequestError, match="is no base64"):
        take(json.dumps({"images": [f"data:,data:,{BASE64}"]}).encode())


LONG = 2_000_000


@pytest.mark.parametrize(
    ("body", "error"),
    [
        pytest.param(b'{"images": ["' + b" " * LONG + b'x"]}', MalformedRequestError, id="spaces"),
        pytest.param(b'{"images": ["x' + b" " * LONG + b'y"]}', MalformedRequestError, id="spaces inside"),
        pytest.param(b'{"images": ["' + b"data:" * LONG + b'"]}', MalformedRequestError, id="data URLs"),
        pytest.param(b'{"images": ["' + b"data:," * LONG + b'"]}', MalformedRequestError, id="empty data URLs"),
        pytest.param(b'{"images": [' + b"1," * LONG + b"1]}", MalformedRequestError, id="numbers"),
        pytest.param(b'{"images": ["", {' + b'"a":1,' * LONG + b'"a":1}]}', MalformedRequestError, id="an object"),
        pytest.param(
            b'{"images": [""],' + b",".join(b'"%d":1' % i for i in range(LONG // 10)) + b"}", ParameterError, id="keys"
        ),
    ],
)
def test_a_long_text_takes_no_longer_than_it_is(body: bytes, error: type[RequestError]) -> None:
    """Whatever it repeats: nothing is looked at twice, and what is wrong with it is told once."""
    start = time.process_time()
    with pytest.raises(error) as raised:
        take(body)
    assert time.process_time() - start < 3
    assert len(str(raised.value)) < 500


def test_a_form_of_many_parts_is_refused() -> None:
    """Parts without a byte in them cost more than their bytes."""
    start = time.process_time()
    with pytest.raises(RequestTooLargeError, match="more than 3 images; at most 3"):
        take(part("image", b"") * 200_000 + b"--XX--\r\n", BOUNDARY)
    with pytest.raises(RequestTooLargeError, match="1000000 images; at most 3"):
        take(b'{"images": [' + b'"",' * 999_999 + b'""]}')
    assert time.process_time() - start < 1.5


@pytest.mark.parametrize("unit", [b"-", b"\r", b"\r\n--", b"\r\n--X", b"\r\n-XX", b"abc\r\n"])
def test_a_large_form_is_read_in_pieces(unit: bytes) -> None:
    """Also where it is full of what looks like a boundary."""
    content = unit * (600_000 // len(unit))
    assert take(part("image", content) + part("image") + b"--XX--", BOUNDARY) == [content, PICTURE]


def test_a_boundary_may_lie_across_pieces() -> None:
    """At each of its bytes, and of the head behind it."""
    for before in range(2**18 - 240, 2**18):
        body = part("image", b"x" * before) + part("image") + b"--XX--"
        assert [len(image) for image in take(body, BOUNDARY)] == [before, len(PICTURE)]


@pytest.mark.parametrize("unit", [b"1", b"[]", b"{}", b'""'])
@pytest.mark.parametrize("key", ["images", "other"])
def test_long_json_has_no_more_values_than_accepted(unit: bytes, key: str) -> None:
    """To read millions of them stops everything else for a second."""
    with pytest.raises(RequestTooLargeError, match=r"at most 100,000 are accepted \(setting max_json_values\)"):
        take(b'{"%s":[' % key.encode() + b",".join([unit] * 100_000) + b"]}", values=100_000)


def test_what_stands_before_a_data_url_is_short() -> None:
    """To look for one in millions of spaces would take long; they are base64 of nothing."""
    spaces = " " * 2_000_000
    assert take(json.dumps({"images": [spaces + BASE64]}).encode()) == [PICTURE]
    with pytest.raises(MalformedRequestError, match="is no base64"):
        take(json.dumps({"images": [f"{spaces}data:,{BASE64}"]}).encode())


class Sender:
    """Sends a body, some time after each piece.

    Args:
        pieces: Of the body.
        seconds: How long it waits after each.
        length: What it says of all of it; None where it says nothing.
        hangs_up: Whether it goes then, and does not say that this is all.
    """

    def __init__(self, *pieces: bytes, seconds: float = 0, length: int | None = None, hangs_up: bool = False) -> None:
        self.observed = Observed("")
        self.room = Room(max_bytes=1000)
        self._pieces = list(pieces)
        self._seconds = seconds
        self._headers = [] if length is None else [(b"content-length", b"%d" % length)]
        self._hangs_up = hangs_up

    async def read(self, *, before: bytes = b"") -> bytes:
        """What is read of it: at most ten bytes, in at most ten seconds."""
        scope = {"type": "http", "headers": self._headers, "state": {"observed": self.observed}}
        request = Request(scope, self._receive)
        return await read_body(request, self.room, max_bytes=10, timeout_seconds=10, before=before)

    async def _receive(self) -> Message:
        if not self._pieces:
            return {"type": "http.disconnect"}
        piece = self._pieces.pop(0)
        await passed(self._seconds)
        return {"type": "http.request", "body": piece, "more_body": bool(self._pieces) or self._hangs_up}


@in_no_time
async def test_a_body_is_put_together() -> None:
    """Behind what stands before it, which does not count."""
    sender = Sender(b"0123", b"", b"456789", seconds=3)
    assert await sender.read(before=b"before") == b"before0123456789"
    assert (sender.observed.received, sender.room.held) == (10, 10)


@in_no_time
async def test_a_body_has_so_long_to_arrive() -> None:
    """However steadily it does."""
    with pytest.raises(SlowRequestError, match=r"only 3 bytes of the body arrived within 10 s \(setting body_timeout"):
        await Sender(b"0", b"1", b"2", b"3", seconds=3).read()


@in_no_time
@pytest.mark.parametrize("length", [None, 4, 11])
async def test_a_body_is_counted_whatever_it_says_of_itself(length: int | None) -> None:
    """What says that it is too large is not read."""
    sender = Sender(b"01234567", b"89a", b"more", length=length)
    with pytest.raises(RequestTooLargeError, match="the body is larger than the 10 bytes accepted"):
        await sender.read()
    assert sender.room.held == (0 if length == 11 else 8)


@in_no_time
async def test_half_a_body_is_none() -> None:
    """Its caller hung up."""
    with pytest.raises(ClientDisconnect):
        await Sender(b"half", hangs_up=True).read()

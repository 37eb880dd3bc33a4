"""Promises of service.http.uploads."""

import base64
import contextlib
import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import ImageTypeError, MalformedRequestError, ParameterError, RequestError, RequestTooLargeError
from service.http.uploads import encoded_images
from tests import images

PICTURE = images.plain(7)
BASE64 = base64.b64encode(PICTURE).decode()
BOUNDARY = "multipart/form-data; boundary=XX"


def part(name: str, content: bytes = PICTURE) -> bytes:
    """One field of a form."""
    head = f'--XX\r\nContent-Disposition: form-data; name="{name}"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
    return head.encode() + content + b"\r\n"


def take(body: bytes, content_type: str = "") -> list[bytes]:
    """At most three images."""
    return encoded_images(body, content_type, max_images=3)


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
        pytest.param(b'{"image": ["x"]}', "", ParameterError, "image: Extra inputs", id="key"),
        pytest.param(b'{"images": []}', "", MalformedRequestError, "at least 1 item", id="no images"),
        pytest.param(b'{"images": "x"}', "", MalformedRequestError, "images: .*array", id="no list"),
        pytest.param(b'{"images": [1]}', "", MalformedRequestError, "images.0: .*string", id="no text"),
        pytest.param(b'{"images": [', "", MalformedRequestError, "Invalid JSON", id="json cut short"),
        pytest.param(b'{"images": ["%"]}', "", MalformedRequestError, "images.0 is no base64", id="no base64"),
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

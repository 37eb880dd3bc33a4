"""Promises of service.protocol.compression."""

import contextlib
import gzip
import tracemalloc
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service.errors import MalformedRequestError, RequestError, RequestTooLargeError
from service.protocol.compression import CODINGS, Coding, choose, compress, decompress

TEXT = b"striate cortex " * 200


@pytest.mark.parametrize("coding", CODINGS)
def test_there_and_back(coding: Coding) -> None:
    """What is compressed comes out as it was, and is smaller in between."""
    packed = bytes(compress(TEXT, coding))
    assert len(packed) < len(TEXT) / 10
    assert decompress(packed, coding, max_bytes=len(TEXT)) == TEXT


def test_deflate_without_its_header_is_read_too() -> None:
    """Some clients leave it out."""
    for level in (0, 1, 9):
        for end in range(100):
            packer = zlib.compressobj(level, wbits=-zlib.MAX_WBITS)
            packed = packer.compress(TEXT[end:]) + packer.flush()
            assert decompress(packed, "deflate", max_bytes=len(TEXT)) == TEXT[end:]


@pytest.mark.parametrize("coding", ["", "identity", " Identity "])
def test_what_is_not_compressed_is_left_as_it_is(coding: str) -> None:
    """Also where the header says so."""
    assert decompress(TEXT, coding, max_bytes=1) is TEXT


def test_what_comes_out_is_limited() -> None:
    """A small body that becomes a huge one is refused, and the rest of it is not made."""
    bomb = gzip.compress(bytes(10_000_000))
    assert len(bomb) < 20_000
    tracemalloc.start()
    try:
        with pytest.raises(RequestTooLargeError, match="1,000 bytes accepted when it is decompressed"):
            decompress(bomb, "gzip", max_bytes=1000)
        _, most = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert most < 1_000_000


@pytest.mark.parametrize(
    ("body", "coding", "said"),
    [
        pytest.param(b"plain", "gzip", "the body is no gzip", id="no gzip"),
        pytest.param(b"plain", "deflate", "the body is no deflate", id="no deflate"),
        pytest.param(gzip.compress(TEXT)[:-9], "gzip", "cut short", id="cut short"),
        pytest.param(b"", "gzip", "cut short", id="empty"),
        pytest.param(gzip.compress(TEXT) + b"x", "gzip", "goes on behind its end", id="more behind"),
        pytest.param(TEXT, "br", "accepted: gzip, deflate, identity", id="unknown"),
    ],
)
def test_what_is_not_compressed_that_way_is_refused(body: bytes, coding: str, said: str) -> None:
    """With the reason."""
    with pytest.raises(MalformedRequestError, match=said):
        decompress(body, coding, max_bytes=10_000)


@pytest.mark.parametrize(
    ("accept", "binary", "size", "chosen"),
    [
        pytest.param("gzip", True, 5000, "gzip", id="asked for, binary"),
        pytest.param("deflate", True, 5000, "deflate", id="asked for, deflate"),
        pytest.param("gzip, deflate, br", False, 5000, "gzip", id="a library, JSON"),
        pytest.param("gzip, deflate", True, 5000, None, id="a library, binary"),
        pytest.param("gzip;q=0, deflate;q=0.5", False, 5000, "deflate", id="one refused"),
        pytest.param("gzip;q=0, deflate", True, 5000, "deflate", id="one refused, binary"),
        pytest.param("gzip", False, 1024, "gzip", id="the smallest"),
        pytest.param("gzip", False, 1023, None, id="small"),
        pytest.param("", False, 5000, None, id="not accepted"),
        pytest.param("br", False, 5000, None, id="unknown"),
    ],
)
def test_the_coding_of_an_answer(accept: str, binary: bool, size: int, chosen: str | None) -> None:  # noqa: FBT001
    """Only what the caller accepts, and only where it gains something."""
    assert choose(accept, binary=binary, size=size) == chosen


@given(
    body=st.binary(max_size=300), coding=st.sampled_from(CODINGS), cut=st.integers(0, 20), noise=st.binary(max_size=4)
)
def test_what_was_damaged_is_refused_or_limited(body: bytes, coding: Coding, cut: int, noise: bytes) -> None:
    """Whatever is cut off or overwritten: at most what is accepted comes out, or an error of ours."""
    packed = bytes(compress(body, coding))
    damaged = packed[: len(packed) - cut - len(noise)] + noise
    with contextlib.suppress(RequestError):
        assert len(decompress(damaged, coding, max_bytes=100)) <= 100


@given(body=st.binary(max_size=100), coding=st.sampled_from(CODINGS) | st.text(max_size=10))
def test_no_body_escapes(body: bytes, coding: str) -> None:
    """Bytes that were never compressed, and codings that do not exist."""
    with contextlib.suppress(RequestError):
        assert decompress(body, coding, max_bytes=1_000) is not None


@given(accept=st.text(max_size=30) | st.text("gzipdefate,;q=0.1* ", max_size=40), binary=st.booleans())
def test_any_header_chooses_a_coding_or_none(accept: str, binary: bool) -> None:  # noqa: FBT001
    """Whatever a caller accepts."""
    assert choose(accept, binary=binary, size=5_000) in (None, *CODINGS)

"""gzip and deflate, for bodies of requests and answers."""

import zlib
from collections.abc import Iterator
from typing import Final, Literal

from service.buffer import Content
from service.errors import MalformedRequestError, RequestTooLargeError
from service.text import joined

Coding = Literal["gzip", "deflate"]

CODINGS: Final[tuple[Coding, ...]] = ("gzip", "deflate")
SMALLEST: Final = 1024  # bytes; below it, compressing gains nothing

_LEVEL: Final = 1
_PIECE: Final = 2**20  # bytes that are compressed at once
_GZIP: Final = 16 + zlib.MAX_WBITS
_ZLIB: Final = zlib.MAX_WBITS
_PLAIN: Final = -zlib.MAX_WBITS


def decompress(body: bytes, coding: str, *, max_bytes: int) -> bytes:
    """Undo the `Content-Encoding` of a body.

    Args:
        body: As it arrived.
        coding: The header: `gzip`, `deflate` or `identity`.
        max_bytes: How many bytes may come out.

    Raises:
        MalformedRequestError: It is another coding, or the body is not in it.
        RequestTooLargeError: More bytes would come out; they are not made.
    """
    name = coding.strip().lower()
    if name in ("", "identity"):
        return body
    if name not in CODINGS:
        raise MalformedRequestError(f"Content-Encoding is {coding!r}; accepted: {', '.join(CODINGS)}, identity")
    try:
        return _inflate(body, name, max_bytes=max_bytes)
    except zlib.error as error:
        raise MalformedRequestError(f"the body is no {name}, which its Content-Encoding says: {error}") from error


def compress(body: Content, coding: Coding) -> Content:
    """Compress a body, quickly rather than well; others run meanwhile.

    >>> decompress(bytes(compress(b"1234" * 9, "deflate")), "deflate", max_bytes=36) == b"1234" * 9
    True
    """
    return joined(_deflated(memoryview(body), _GZIP if coding == "gzip" else _ZLIB))


def choose(accept: str, *, binary: bool, size: int) -> Coding | None:
    """The coding of an answer; None for none.

    Tensors in binary hardly shrink, and most HTTP libraries accept every coding that they know unasked: they are
    compressed only where the caller accepts one coding and no other, as a client does that was told to.

    Args:
        accept: The header `Accept-Encoding`.
        binary: Whether the answer holds binary tensors.
        size: Of the answer, in bytes.

    >>> choose("gzip, deflate", binary=False, size=5000), choose("gzip, deflate", binary=True, size=5000)
    ('gzip', None)
    """
    offered = [name for name in map(_offered, accept.lower().split(",")) if name]
    if size < SMALLEST or (binary and len(offered) != 1):
        return None
    return next((coding for coding in CODINGS if coding in offered), None)


def _offered(item: str) -> str:
    """The coding that an item of the header accepts; empty where it refuses one."""
    name, _, quality = item.partition(";")
    refused = quality.strip().removeprefix("q=").strip() in ("0", "0.0", "0.00", "0.000")
    return "" if refused else name.strip()


def _deflated(body: memoryview, window: int) -> Iterator[bytes]:
    stream = zlib.compressobj(_LEVEL, wbits=window)
    for start in range(0, len(body), _PIECE):
        yield stream.compress(body[start : start + _PIECE])
    yield stream.flush()


def _inflate(body: bytes, name: str, *, max_bytes: int) -> bytes:
    window = _GZIP if name == "gzip" else (_ZLIB if _has_zlib_header(body) else _PLAIN)
    stream = zlib.decompressobj(window)
    out = stream.decompress(body, max_bytes + 1)
    if len(out) > max_bytes:
        raise RequestTooLargeError(
            f"the body is larger than the {max_bytes:,} bytes accepted when it is decompressed (setting max_body_bytes)"
        )
    if not stream.eof or stream.unused_data:
        found = "goes on behind its end" if stream.eof else "is cut short"
        raise MalformedRequestError(f"the {name} of the body {found}")
    return out


def _has_zlib_header(body: bytes) -> bool:
    """Some clients leave out the header that deflate has in HTTP (RFC 9110, 8.4.1.2); no block begins so."""
    return bool(body) and body[0] & 0x0F == zlib.DEFLATED

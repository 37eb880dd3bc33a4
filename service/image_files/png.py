"""PNG: the decoder gets the chunks that make the picture, and none of the text, profiles and frames beside it."""

from typing import Final

from service.image_files.limits import Limits

# Each is read in Python; the smallest that encoders write hold 8 KiB.
MOST_CHUNKS: Final = 20_000

_SIGNATURE_BYTES: Final = 8
_AROUND_BYTES: Final = 12  # length, kind and checksum
_END: Final = b"IEND"
_KEPT: Final = frozenset((b"IHDR", b"PLTE", b"tRNS", b"IDAT", b"eXIf", _END))


def inspect(data: bytes, limits: Limits) -> bytes:
    """Walk from chunk to chunk, and leave out those that make no pixel and turn none.

    Of an animation that leaves the picture which viewers show that know no animations.

    Raises:
        ImageDecodeError: It has more chunks than any encoder writes.
    """
    kept: list[bytes] = []
    start = place = _SIGNATURE_BYTES
    for _ in range(MOST_CHUNKS):
        kind = data[place + 4 : place + 8]
        end = place + _AROUND_BYTES + int.from_bytes(data[place : place + 4])
        if kind not in _KEPT:
            kept.append(data[start:place])
            start = end
        if kind == _END or end >= len(data):
            return b"".join((data[:_SIGNATURE_BYTES], *kept, data[start:])) if kept else data
        place = end
    raise limits.damaged(f"the PNG has more than {MOST_CHUNKS:,} chunks")

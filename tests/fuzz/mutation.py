"""Good bytes become nearly good ones."""

import zlib
from collections.abc import Callable, Sequence
from random import Random
from typing import Final

# What counters overflow at, and what is negative where it should not be.
_TELLING: Final = (0, 1, 2, 0x7F, 0x80, 0xFF, 0x7FFF, 0x8000, 0xFFFF, 0x7FFF_FFFF, 0x8000_0000, 0xFFFF_FFFF)
_PNG: Final = b"\x89PNG\r\n\x1a\n"
_MOST_BYTES: Final = 200_000

Change = Callable[[bytearray, Random, Sequence[bytes]], None]


def mutate(seed: bytes, random: Random, others: Sequence[bytes]) -> bytes:
    """Change some bytes: one change in half of all cases, few in most.

    Args:
        seed: What is changed.
        random: Decides; the same state gives the same bytes.
        others: Pieces of them may get into it.
    """
    data = bytearray(seed)
    changes = 1
    while random.random() < 0.5 and changes < 12:
        changes += 1
    for _ in range(changes):
        random.choice(_CHANGES)(data, random, others)
    del data[_MOST_BYTES:]
    return _with_checksums(bytes(data)) if data.startswith(_PNG) and random.random() < 0.7 else bytes(data)


def _place(data: bytearray, random: Random) -> int:
    """Headers are in front, and are more telling."""
    end = len(data) if random.random() < 0.5 else min(len(data), 64)
    return random.randrange(end + 1)


def _flip(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    if data:
        data[min(_place(data, random), len(data) - 1)] ^= 1 << random.randrange(8)


def _set(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    if data:
        data[min(_place(data, random), len(data) - 1)] = random.randrange(256)


def _number(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    size, place = random.choice((1, 2, 4, 8)), _place(data, random)
    value = random.choice(_TELLING) if random.random() < 0.7 else random.getrandbits(8 * size)
    data[place : place + size] = (value % 256**size).to_bytes(size, random.choice(("little", "big")))


def _insert(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    place = _place(data, random)
    data[place:place] = random.randbytes(random.choice((1, 2, 4, 16)))


def _remove(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    place = _place(data, random)
    del data[place : place + random.choice((1, 2, 4, 16, 64))]


def _cut(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    del data[_place(data, random) :]


def _repeat(data: bytearray, random: Random, _others: Sequence[bytes]) -> None:
    place = _place(data, random)
    piece = data[place : place + random.choice((1, 4, 12, 40))]
    data[place:place] = piece * random.choice((1, 2, 10, 300))


def _splice(data: bytearray, random: Random, others: Sequence[bytes]) -> None:
    other = random.choice(others)
    start, place = random.randrange(len(other) + 1), _place(data, random)
    data[place : place + random.choice((0, 8, 60))] = other[start : start + random.choice((4, 16, 60, 1_000))]


_CHANGES: Final[Sequence[Change]] = (
    _flip,
    _flip,
    _set,
    _number,
    _number,
    _number,
    _insert,
    _remove,
    _cut,
    _repeat,
    _splice,
)


def _with_checksums(data: bytes) -> bytes:
    """A PNG whose chunks say that they are whole: else the decoder would look no further."""
    parts, place = [_PNG], len(_PNG)
    while place + 12 <= len(data):
        end = place + 8 + int.from_bytes(data[place : place + 4])
        if end + 4 > len(data):
            break
        parts += [data[place:end], zlib.crc32(data[place + 4 : end]).to_bytes(4)]
        place = end + 4
    return b"".join(parts) + data[place:]

"""What it costs to have the service at all: memory, and time from start to the first answer.

Compared with a bare FastAPI process with the same two networks.  Nothing heavy is imported here: a library that the
benchmark had in memory too would count for half only.
"""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from benchmarks.client import Client, request
from benchmarks.figures import Figure, Goal, Section, figure, in_turn
from benchmarks.processes import Command, bare, started

PHOTO: Final = Path(__file__).resolve().parents[1] / "tests" / "photos" / "chelsea.jpg"

_MIB: Final = 2**20


@dataclass(frozen=True)
class Footprint:
    """What one start gives.

    Args:
        seconds: From the start of the process to its first answer.
        bytes: Proportional memory, after both networks have answered.
    """

    seconds: float
    bytes: int


def footprint(service: Command, models: Sequence[str], *, rounds: int) -> Section:
    """Start both again and again.

    Args:
        service: With the same networks as the bare process.
        models: Their names.
        rounds: How often.
    """
    photo = PHOTO.read_bytes()
    ours = [request(f"/v1/models/{model}/classify", photo) for model in models]
    theirs = [request(f"/{model}", photo) for model in models]
    starts: Mapping[str, Callable[[], Footprint]] = {
        "service": lambda: _start(service, ours),
        "bare process": lambda: _start(bare("classifier"), theirs),
    }
    for start in starts.values():
        start()  # the first one finds no bytecode, and files that are on the disk only
    found = in_turn(starts, rounds, title="start and memory")
    sides = found["service"], found["bare process"]
    return Section([_memory(*sides), _time(*sides)])


def _start(command: Command, requests: Sequence[bytes]) -> Footprint:
    with started(command, requests[0]) as server:
        with Client(server.url) as client:
            for each in requests:
                client.send(each)
        return Footprint(server.seconds, server.memory())


def _memory(service: Sequence[Footprint], other: Sequence[Footprint]) -> Figure:
    of = " / ".join(f"{statistics.median(start.bytes for start in side) / _MIB:.0f}" for side in (service, other))
    ratios = [mine.bytes / bare.bytes for mine, bare in zip(service, other, strict=True)]
    return figure("memory: over a bare FastAPI process", ratios, Goal("at most", 1.5), of=f"{of} MiB")


def _time(service: Sequence[Footprint], other: Sequence[Footprint]) -> Figure:
    of = " / ".join(f"{statistics.median(start.seconds for start in side):.2f}" for side in (service, other))
    ratios = [mine.seconds / bare.seconds for mine, bare in zip(service, other, strict=True)]
    return figure("start to first answer: over the same process", ratios, Goal("at most", 1.5), of=f"{of} s")

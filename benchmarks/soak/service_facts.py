"""What the service takes while it runs: memory, threads and open files of all its processes (Linux)."""

from dataclasses import dataclass
from pathlib import Path

from benchmarks.processes import family, proportional_memory


@dataclass(frozen=True)
class Facts:
    """At one moment.

    Args:
        seconds: Since the load began.
        bytes: Proportional memory.
        threads: How many.
        files: How many open files that are no sockets.
        sockets: How many sockets, connections among them.
    """

    seconds: float
    bytes: int
    threads: int
    files: int
    sockets: int


def facts(pid: int, *, seconds: float) -> Facts:
    """Look at a process and all below it.

    Raises:
        OSError: It has ended.
    """
    pids = list(family(pid))
    targets = [target for each in pids for target in _targets(each)]
    sockets = sum(target.startswith("socket:") for target in targets)
    return Facts(
        seconds=seconds,
        bytes=sum(proportional_memory(each) for each in pids),
        threads=sum(len(list(Path(f"/proc/{each}/task").iterdir())) for each in pids),
        files=len(targets) - sockets,
        sockets=sockets,
    )


def _targets(pid: int) -> list[str]:
    """What the open files of a process are; one may be closed while we look."""
    found = []
    for file in Path(f"/proc/{pid}/fd").iterdir():
        try:
            found.append(str(file.readlink()))
        except FileNotFoundError:
            continue
    return found

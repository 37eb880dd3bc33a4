"""Where the time of the cores goes while the service answers: a profile of what lies between a load and its bound."""

import statistics
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import bounds, workloads
from benchmarks.client import Client
from benchmarks.figures import Measured, Section, in_turn
from benchmarks.load import closed_loop
from benchmarks.processes import Server, started
from benchmarks.sections import MODEL, SMALL_MODEL, Plan, class_of
from benchmarks.workloads import Workload

_NANOSECONDS: Final = 1e9
_ALONE: Final = 100
"""Requests of one caller, one after the other."""


@dataclass(frozen=True)
class CoreTime:
    """Milliseconds of one core for each answer; together they are what the cores had.

    Args:
        loop: The thread of the event loop.
        threads: All others of the service: decoding, the network.
        generator: Whoever asked.
        rest: The kernel where it works for nobody in particular, other programs, and nothing at all.
    """

    loop: float
    threads: float
    generator: float
    rest: float


def core_time(server: Server, load: Callable[[], Measured], *, cores: int, seconds: float) -> CoreTime:
    """Load a service that is one process (Linux).

    Args:
        server: The service.
        load: Asks it.
        cores: How many the service, and whoever asks, have together.
        seconds: How long it asks.
    """
    before = _threads(server.pid)
    measured = load()
    after = _threads(server.pid)
    answers = measured.rate * seconds
    busy = {thread: after[thread] - before.get(thread, 0.0) for thread in after}
    loop = busy.pop(server.pid)
    spent = [loop, sum(busy.values()), measured.client * seconds]
    spent.append(cores * seconds - sum(spent))
    return CoreTime(*(1000 * value / answers for value in spent))


def section(plan: Plan) -> Section:
    """The core time of requests of each kind, beside that of the work alone; and the stages of one that is alone."""
    photo, large, small = workloads.PHOTO.read_bytes(), workloads.large_photo(), workloads.small_picture()
    values = bounds.tensor_of(MODEL, photo)
    hardware, seconds = plan.hardware, max(plan.seconds, 2)
    asked = (
        (workloads.classification("photo", MODEL, photo, class_of(MODEL, photo)), 8),
        (workloads.classification("12 megapixels", MODEL, large, class_of(MODEL, large)), 8),
        (workloads.tensor(MODEL, "images", values, bounds.logits_of(MODEL, photo)), 8),
        (workloads.classification("lenet5", SMALL_MODEL, small, class_of(SMALL_MODEL, small)), 32),
    )
    work: dict[str, Callable[[], Measured]] = {
        "photo": lambda: bounds.own_loop(hardware, MODEL, photo, seconds=seconds),
        "12 megapixels": lambda: bounds.own_loop(hardware, MODEL, large, seconds=seconds),
        "tensor": lambda: bounds.raw(hardware, MODEL, values, seconds=seconds),
    }
    with started(plan.service(), asked[0][0].request) as server:
        loads = {
            workload.name: partial(_core_time, server, workload, connections, cores=hardware.cores, seconds=seconds)
            for workload, connections in asked
        }
        taken = in_turn(loads, plan.rounds, title="core time")
        alone = in_turn(work, plan.rounds, title="the work alone")
        stages = _stages(server, asked[0][0])
    facts: dict[str, float] = {}
    for workload, connections in asked:
        facts |= _told(f"{workload.name}, {connections} connections", taken[workload.name])
        if workload.name in alone:
            rate = statistics.median(one.rate for one in alone[workload.name])
            facts[f"{workload.name}: the work in a loop without HTTP, ms of a core"] = 1000 * hardware.cores / rate
    return Section(facts=facts | {f"photo, 1 connection: {name}, ms": value for name, value in stages.items()})


def _core_time(server: Server, workload: Workload, connections: int, *, cores: int, seconds: int) -> CoreTime:
    workload.check(server.url)
    load = partial(closed_loop, [server.url], workload, connections=connections, seconds=seconds)
    return core_time(server, load, cores=cores, seconds=seconds)


def _told(what: str, rounds: list[CoreTime]) -> Mapping[str, float]:
    names = {
        "loop": "the event loop",
        "threads": "the other threads",
        "generator": "the load generator",
        "rest": "kernel, others, idle",
    }
    medians = {name: statistics.median(getattr(one, name) for one in rounds) for name in names}
    return {f"{what}: {names[name]}, ms of a core": value for name, value in medians.items()}


def _stages(server: Server, workload: Workload) -> Mapping[str, float]:
    """The medians of the stages of requests that come one after the other, as their answers tell them."""
    with Client(server.url) as client:
        answers = [client.send(workload.request) for _ in range(_ALONE)]
    stages = {stage: statistics.median(answer.stages[stage] for answer in answers) for stage in answers[0].stages}
    whole = statistics.median(answer.milliseconds for answer in answers)
    return stages | {"whole": whole, "not in a stage": whole - sum(stages.values())}


def _threads(pid: int) -> dict[int, float]:
    """The seconds that each thread of a process had a core; that of the event loop has the number of the process."""
    return {
        int(task.name): int((task / "schedstat").read_text().split()[0]) / _NANOSECONDS
        for task in Path(f"/proc/{pid}/task").iterdir()
    }

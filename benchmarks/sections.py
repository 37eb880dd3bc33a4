"""What is measured: a section for each thing that the service is asked for, each beside its bounds."""

from collections.abc import Callable, Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from benchmarks import bounds, workloads
from benchmarks.bounds import Hardware
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Goal, Measured, Section, Series, figure, in_turn, p50_over, rate_over, tail
from benchmarks.load import closed_loop
from benchmarks.open_loop import Flood, open_loop
from benchmarks.processes import Command, Server, bare, serve, started
from benchmarks.workloads import Workload

MODEL: Final = "efficientnet-lite0"
SMALL_MODEL: Final = "lenet5"

_OVERLOAD: Final = 2.0
"""Requests a second over what can be answered."""
_FULL: Final = 4.0
"""Seconds after which the queue of an overloaded service is full."""


@dataclass(frozen=True)
class Plan:
    """How long to measure, and where.

    Args:
        models: The repository that is served.
        hardware: For the service and for the bounds.
        rounds: How often each measurement is taken.
        seconds: Of those that goals speak of; others take one.
        flood: Seconds of overload that count.
    """

    models: Path
    hardware: Hardware
    rounds: int
    seconds: int
    flood: float

    def service(self, *flags: str) -> Command:
        """The command that is measured."""
        return serve(self.models, "--device", self.hardware.device, "--threads", str(self.hardware.cores), *flags)


def quick_plan(models: Path, hardware: Hardware) -> Plan:
    """About a minute."""
    return Plan(models, hardware, rounds=2, seconds=1, flood=3)


def full_plan(models: Path, hardware: Hardware) -> Plan:
    """About five minutes."""
    return Plan(models, hardware, rounds=5, seconds=2, flood=10)


def photo(plan: Plan) -> Section:
    """A photo, from one caller to hundreds, and to more than can be answered."""
    image = workloads.PHOTO.read_bytes()
    asked = workloads.classification("photo", MODEL, image, class_of(MODEL, image))
    hardware, seconds = plan.hardware, plan.seconds
    with started(plan.service(), asked.request) as server:
        load = partial(_load, [server], asked)
        found = _rounds(
            plan,
            asked,
            {
                "rivals' loop": lambda: bounds.rivals_loop(hardware, MODEL, image, seconds=seconds),
                8: load(8, seconds),
                "own loop": lambda: bounds.own_loop(hardware, MODEL, image, seconds=seconds),
                32: load(32, seconds),
                "decode + run": lambda: bounds.own_work_alone(hardware, MODEL, image, seconds=1),
                1: load(1, 1),
                128: load(128, seconds + 1),
                "rivals' decoding": lambda: bounds.rivals_decoding(MODEL, image, seconds=0.3),
                "own decoding": lambda: bounds.own_decoding(MODEL, image, seconds=0.3),
            },
        )
        figures = [
            rate_over(f"photo, {n} connections: over the rivals' loop", found[n], found["rivals' loop"], _least(1.03))
            for n in (8, 32)
        ]
        figures += [
            rate_over(f"photo, {n} connections: over our own loop", found[n], found["own loop"], _least(0.95))
            for n in (8, 32)
        ]
        alone = p50_over("photo, 1 connection: p50 over decode + run", found[1], found["decode + run"], _most(1.12))
        flood, usual = _flood(plan, server, asked, max((8, 32, 128), key=lambda n: found[n].median.rate))
    return Section(
        figures=[
            *figures,
            alone,
            tail("photo, 32 connections: p99 over p50", found[32], _most(2)),
            *_overload(flood, usual),
        ],
        series=list(found.values()),
        facts={f"overload: {name}": float(value) for name, value in vars(flood).items()},
    )


def large_photo(plan: Plan) -> Section:
    """A photo of twelve megapixels, most of whose pixels a network never sees."""
    image = workloads.large_photo()
    asked = workloads.classification("12-megapixel photo", MODEL, image, class_of(MODEL, image))
    hardware, seconds = plan.hardware, plan.seconds
    with started(plan.service(), asked.request) as server:
        load = partial(_load, [server], asked)
        found = _rounds(
            plan,
            asked,
            {
                "rivals' loop": lambda: bounds.rivals_loop(hardware, MODEL, image, seconds=seconds),
                8: load(8, seconds),
                "own loop": lambda: bounds.own_loop(hardware, MODEL, image, seconds=1),
                **{n: load(n, seconds) for n in (1, 32, 128)},
            },
        )
    name = "12-megapixel photo, 8 connections: over full decoding in the rivals' loop"
    return Section([rate_over(name, found[8], found["rivals' loop"], _least(4))], list(found.values()))


def small_network(plan: Plan) -> Section:
    """LeNet-5, where the network is next to nothing and HTTP nearly all.

    The empty route runs as uvicorn does by default, with a line of log for each request, as the service has.  With two
    processes it has two ports, and half of the connections go to each: on one socket they would be divided badly.
    """
    image = workloads.small_picture()
    asked = workloads.classification("lenet5", SMALL_MODEL, image, class_of(SMALL_MODEL, image))
    nothing = Workload("empty route", "/", image, text="bytes")
    hardware, seconds = plan.hardware, plan.seconds
    with ExitStack() as stack:
        one = stack.enter_context(started(plan.service(), asked.request))
        two = stack.enter_context(started(plan.service("--workers", "2"), asked.request))
        empty = [stack.enter_context(started(bare("empty"), nothing.request)) for _ in range(2)]
        silent = stack.enter_context(started(bare("empty", "--no-access-log"), nothing.request))
        found = _rounds(
            plan,
            asked,
            {
                "empty route": _load(empty[:1], nothing, 32, seconds),
                32: _load([one], asked, 32, seconds),
                "two processes": _load([two], asked, 32, seconds),
                "empty route, two processes": _load(empty, nothing, 32, seconds),
                "empty route, no log": _load([silent], nothing, 32, 1),
                "own loop": lambda: bounds.own_loop(hardware, SMALL_MODEL, image, seconds=1),
                **{n: _load([one], asked, n, 1) for n in (1, 8, 128)},
            },
        )
    route = found["empty route"]
    return Section(
        [
            rate_over("lenet5, 32 connections: over an empty FastAPI route", found[32], route, _least(0.6)),
            rate_over(
                "the same with two processes, over the same route in one", found["two processes"], route, _least(0.9)
            ),
            rate_over(
                "the same with two processes, over the same route in two",
                found["two processes"],
                found["empty route, two processes"],
            ),
            rate_over("lenet5, 32 connections: over the route without a log", found[32], found["empty route, no log"]),
        ],
        list(found.values()),
    )


def tensor(plan: Plan) -> Section:
    """A tensor as the Open Inference Protocol has it, in binary."""
    image = workloads.PHOTO.read_bytes()
    values = bounds.tensor_of(MODEL, image)
    asked = workloads.tensor(MODEL, "images", values, bounds.logits_of(MODEL, image))
    hardware, seconds = plan.hardware, plan.seconds
    with started(plan.service(), asked.request) as server:
        load = partial(_load, [server], asked)
        found = _rounds(
            plan,
            asked,
            {
                "one run a core": lambda: bounds.raw(hardware, MODEL, values, seconds=seconds),
                8: load(8, seconds),
                "one run with all threads": lambda: bounds.raw_alone(hardware, MODEL, values, seconds=1),
                **{n: load(n, 1) for n in (1, 32)},
                128: load(128, seconds + 1),
            },
        )
    return Section(
        [
            rate_over(
                "tensor, 8 connections: over ONNX Runtime, one run a core",
                found[8],
                found["one run a core"],
                _least(0.93),
            ),
            rate_over(
                "tensor, 1 connection: over ONNX Runtime, one run with all threads",
                found[1],
                found["one run with all threads"],
            ),
        ],
        list(found.values()),
    )


def feature_map(plan: Plan) -> Section:
    """The map of a layer; `benchmarks/feature_maps.py` looks at maps more closely."""
    image = workloads.PHOTO.read_bytes()
    asked = workloads.feature_map(MODEL, image, bounds.map_of(MODEL, image, workloads.LAYER))
    hardware = plan.hardware
    with started(plan.service(), asked.request) as server:
        load = partial(_load, [server], asked)
        found = _rounds(
            plan,
            asked,
            {
                "own loop": lambda: bounds.own_loop(hardware, MODEL, image, seconds=1, layer=workloads.LAYER),
                **{n: load(n, 1) for n in (1, 8, 32, 128)},
            },
        )
    name = "feature map, 8 connections: over our own loop"
    return Section([rate_over(name, found[8], found["own loop"])], list(found.values()))


SECTIONS: Final[Mapping[str, Callable[[Plan], Section]]] = {
    "photo": photo,
    "large-photo": large_photo,
    "lenet5": small_network,
    "tensor": tensor,
    "feature-map": feature_map,
}
"""By the name that the command line has for them."""


def class_of(model: str, image: bytes) -> int:
    """The class that ONNX Runtime alone finds."""
    return int(bounds.logits_of(model, image).argmax())


def _least(value: float) -> Goal:
    return Goal("at least", value)


def _most(value: float) -> Goal:
    return Goal("at most", value)


def _load(servers: list[Server], asked: Workload, connections: int, seconds: int) -> Callable[[], Measured]:
    """A closed loop against servers that are idle before."""
    urls = [server.url for server in servers]

    def run() -> Measured:
        for url in urls:
            asked.check(url)
        return closed_loop(urls, asked, connections=connections, seconds=seconds)

    return run


def _rounds(
    plan: Plan, asked: Workload, measurements: Mapping[int | str, Callable[[], Measured]]
) -> dict[int | str, Series]:
    """Take every measurement in turn.  Numbers are connections to the service, words are bounds."""
    found = in_turn(measurements, plan.rounds, title=asked.name)
    return {name: Series(asked.name, name, rounds) for name, rounds in found.items()}


def _flood(plan: Plan, server: Server, asked: Workload, connections: int) -> tuple[Flood, Sequence[Measured]]:
    """Twice of what a service can do, and what it does in a closed loop right before and after."""
    usual = _load([server], asked, connections, plan.seconds)
    before = usual()
    flood = open_loop(server.url, asked.request, rate=_OVERLOAD * before.rate, warm_up=_FULL, seconds=plan.flood)
    return flood, (before, usual())


def _overload(flood: Flood, usual: Sequence[Measured]) -> list[Figure]:
    if flood.failed:
        raise BenchmarkError(f"{flood.failed} requests got neither an answer nor a refusal when too many were sent")
    best = [measured.rate for measured in usual]
    delays = f"p50 {flood.refusal_p50:.1f}, p99 {flood.refusal_p99:.1f}, slowest {flood.refusal_slowest:.1f} ms"
    return [
        figure(
            f"photo, {_OVERLOAD:g} times as many as can be answered: answers over the best",
            [flood.answered / rate for rate in best],
            _least(0.95),
            of=f"{flood.answered:.1f} / {sum(best) / len(best):.1f} a second",
        ),
        figure("the rest: part refused with 503 within 100 ms", [flood.refused_in_time], _least(1), of=delays),
    ]

"""What stands between a caller and the engine: the same load on one process, on two workers, and through Ray Serve.

    make ray-bench

It takes the environment of `make ray-test`.  Every layer has two cores for its networks; with Ray, its own processes
take what they need from the same two.  What a request costs of the cores is about the same on a busy machine; rates
and times are not.
"""

import os
import statistics
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import astuple, dataclass
from typing import Annotated, Final

# Before Ray is imported: everything stays on the loopback interface, and nothing is reported to its makers.
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}

import ray
import typer
from ray import serve as ray_serve
from rich.console import Console
from rich.table import Table

from benchmarks.errors import BenchmarkError
from benchmarks.load import closed_loop
from benchmarks.preprocessing import ROOT
from benchmarks.processes import READY, family, processor_seconds, serve, started
from benchmarks.workloads import PHOTO, Workload, classification, small_picture
from deploy.ray.application import Arguments, app

CORES: Final = 2
MANY: Final = 16
PORT: Final = 8590  # of Ray's proxy; below those that Ray takes for its own processes
MODELS: Final = ROOT / "models"


@dataclass(frozen=True)
class Serving:
    """A layer that answers.

    Args:
        url: Where.
        pid: Of the process that is above all others of the layer.
        whole: Whether that process is one of them.
    """

    url: str
    pid: int
    whole: bool = True

    def processor_seconds(self) -> float:
        """How long it has kept cores busy, all its processes together."""
        return processor_seconds(pid for pid in family(self.pid) if self.whole or pid != self.pid)


_IDLE_SECONDS: Final = 3

Layer = Callable[[], AbstractContextManager[Serving]]
"""Serves as long as it is entered."""


@dataclass(frozen=True)
class Found:
    """What one layer gave for one workload.

    Args:
        rate: Answers a second, to many callers.
        alone: The median time of a request that is alone, in milliseconds.
        cost: The time of cores that a request of many takes, in milliseconds, beyond what is busy anyway.
        idle: How many cores are busy when nobody asks.
    """

    rate: float
    alone: float
    cost: float
    idle: float


def process(*flags: str) -> Layer:
    """`striate serve`."""

    @contextmanager
    def layer() -> Iterator[Serving]:
        with started(serve(MODELS, f"--threads={CORES}", *flags), READY) as server:
            yield Serving(server.url, server.pid)

    return layer


def cluster(**arguments: float) -> Layer:
    """Ray Serve with one proxy, on one node."""

    @contextmanager
    def layer() -> Iterator[Serving]:
        environment = {"env_vars": {"PYTHONPATH": str(ROOT)}}
        ray.init(
            num_cpus=CORES,
            _node_ip_address="127.0.0.1",
            include_dashboard=False,
            log_to_driver=False,
            runtime_env=environment,
        )
        try:
            ray_serve.start(proxy_location="HeadOnly", http_options={"host": "127.0.0.1", "port": PORT})
            ray_serve.run(app(Arguments(models=str(MODELS), **arguments)), name="striate")
            yield Serving(f"http://127.0.0.1:{PORT}", os.getpid(), whole=False)
        finally:
            ray_serve.shutdown()
            ray.shutdown()

    return layer


def layers() -> Mapping[str, Layer]:
    """By their names; the first one is what the others are compared with, and comes again at the end."""
    two = {"cpus": 1, "min_replicas": 2, "max_replicas": 2}
    return {
        "one process": process(),
        "two workers": process("--workers=2"),
        "Ray Serve, one replica": cluster(cpus=CORES, max_replicas=1),
        "Ray Serve, two replicas": cluster(**two),
        "Ray Serve, a router and two replicas": cluster(models_per_replica=2, **two),
        "one process, again": process(),
    }


def workloads() -> tuple[Workload, ...]:
    """A small request, which is nearly all HTTP, and one that is nearly all computing."""
    return (
        classification("LeNet-5", "lenet5", small_picture(), 8),
        classification("photo", "efficientnet-lite0", PHOTO.read_bytes(), 285),
    )


def measure(layer: Layer, asked: tuple[Workload, ...], seconds: int) -> dict[str, Found]:
    """Load one layer: one caller, and many."""
    found = {}
    with layer() as serving:
        for workload in asked:
            for _ in range(MANY):
                workload.check(serving.url)
            idle = _idle(serving)
            alone = closed_loop([serving.url], workload, connections=1, seconds=seconds)
            before = serving.processor_seconds()
            many = closed_loop([serving.url], workload, connections=MANY, seconds=seconds)
            busy = serving.processor_seconds() - before
            cost = 1000 * (busy / seconds - idle) / many.rate
            found[workload.name] = Found(many.rate, alone.p50, cost, idle)
    return found


def _idle(serving: Serving) -> float:
    before = serving.processor_seconds()
    time.sleep(_IDLE_SECONDS)
    return (serving.processor_seconds() - before) / _IDLE_SECONDS


def table(name: str, found: Mapping[str, Found]) -> Table:
    """Each layer beside the first."""
    made = Table(title=name, title_justify="left")
    made.add_column("", no_wrap=True)
    for column in (
        "cores, ms a request",
        "over one process",
        "cores, idle",
        f"{MANY} callers, a second",
        "alone, p50 in ms",
    ):
        made.add_column(column, justify="right")
    first = next(iter(found.values()))
    for layer, one in found.items():
        made.add_row(
            layer,
            f"{one.cost:.2f}",
            f"{one.cost / first.cost:.2f}",
            f"{one.idle:.2f}",
            f"{one.rate:,.0f}",
            f"{one.alone:.2f}",
        )
    return made


def main(
    seconds: Annotated[int, typer.Option(min=1, help="How long each load takes.")] = 5,
    rounds: Annotated[int, typer.Option(min=1, help="How often; medians are shown.")] = 1,
    *,
    throughput: Annotated[bool, typer.Option(help="Have Ray Serve run for throughput, as it calls it.")] = False,
) -> None:
    """Measure what each layer costs."""
    if throughput:
        os.environ["RAY_SERVE_THROUGHPUT_OPTIMIZED"] = "1"
    asked = workloads()
    try:
        runs = [{name: measure(layer, asked, seconds) for name, layer in layers().items()} for _ in range(rounds)]
    except BenchmarkError as error:
        raise SystemExit(f"error: {error}") from error
    console = Console()
    for workload in asked:
        found = {name: _median([run[name][workload.name] for run in runs]) for name in layers()}
        console.print(table(workload.name, found))


def _median(found: Sequence[Found]) -> Found:
    return Found(*(statistics.median(values) for values in zip(*map(astuple, found), strict=True)))


if __name__ == "__main__":
    typer.run(main)

"""What a feature map costs over HTTP, against the whole forward pass and against raw ONNX Runtime.

The service is started as a user starts it, with ResNet-50 (random weights) and EfficientNet-Lite0, and is sent a
photo.  In each round every measurement is taken once, those that are compared right after each other and in turning
order, so that what else the machine does meets all of them alike; a figure is the median over all rounds.

    whole     compute of a classification, as Server-Timing tells it: the whole forward pass
    compute   compute of a request for the map of one layer, as Server-Timing tells it
    encode    writing the map as npy, as Server-Timing tells it
    request   such a request from end to end
    decode    decoding the photo, in this process
    raw       ONNX Runtime on the same cut graph with as many threads, in this process
    adds      what a request adds to decode + raw, as a part of both
    reduced   what a request for the means of the channels (reduce=mean) adds to decode + raw
"""

import io
import json
import platform
import subprocess
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final

import numpy as np
import onnxruntime as ort
import typer
from numpy.typing import NDArray
from onnx import ModelProto
from rich.console import Console
from rich.progress import track
from rich.table import Table

from benchmarks.client import Client
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Figure, Goal, Section, figure, turned
from benchmarks.preprocessing import open_session
from benchmarks.processes import READY, serve, started, striate
from service import graph, layers, metadata
from service.cores import available_cores
from service.image import decode_all
from service.layers import Layer, LayerTable
from service.metadata import ImageInput

ROOT: Final = Path(__file__).resolve().parents[1]
PHOTO: Final = ROOT / "tests" / "photos" / "chelsea.jpg"
SHIPPED: Final = ROOT / "models" / "efficientnet-lite0"
RESNET50: Final = "resnet50-random"

PERCENTS: Final = (2, 10, 25, 50, 100)
"""The depths at which a layer is taken: its share of the multiply-adds of the network."""

COMPUTE_GOALS: Final[Mapping[int, float]] = {2: 0.10, 25: 0.40}
"""By percent, for ResNet-50: compute over the whole forward pass."""
ADDS_GOAL: Final = 0.15
"""For ResNet-50 from 25 % on."""
REDUCED_GOAL: Final = 1.5
"""Milliseconds, anywhere."""

_WARM_UP: Final = 5

app = typer.Typer(add_completion=False, rich_markup_mode="markdown")


@dataclass(frozen=True)
class Network:
    """A published model.

    Args:
        name: As the service calls it.
        graph: Its file.
        input: How an image becomes its input.
        layers: Its table.
    """

    name: str
    graph: ModelProto
    input: ImageInput
    layers: LayerTable


@dataclass(frozen=True)
class Case:
    """One layer that is measured.

    Args:
        network: What it belongs to.
        layer: The largest map that takes about `percent` of the multiply-adds.
        percent: What was looked for.
        raw: The graph cut at the layer.
    """

    network: Network
    layer: Layer
    percent: int
    raw: ort.InferenceSession

    @property
    def share(self) -> float:
        """The part of the network's multiply-adds that the layer takes, with all before it."""
        return _share(self.network, self.layer)


@dataclass(frozen=True)
class Sample:
    """What one round gives for a case, in milliseconds; see the top of the file."""

    whole: float
    compute: float
    encode: float
    request: float
    reduced: float
    decode: float
    raw: float


@dataclass(frozen=True)
class Result:
    """A line of the answer.

    Args:
        model: Its name.
        layer: The path of the layer.
        percent: The share of the multiply-adds that was looked for.
        share: The share that it has, 0 to 1.
        shape: Of the map.
        rounds: How many samples there are.
        milliseconds: The figures of each `Sample` field.
        compute_over_whole: compute / whole.
        adds: (request - decode - raw) / (decode + raw).
        adds_reduced: reduced - decode - raw, in milliseconds.
    """

    model: str
    layer: str
    percent: int
    share: float
    shape: tuple[int | None, ...]
    rounds: int
    milliseconds: Mapping[str, Figure]
    compute_over_whole: Figure
    adds: Figure
    adds_reduced: Figure

    @property
    def goals(self) -> list[Figure]:
        """The figures that have one."""
        return [each for each in (self.compute_over_whole, self.adds, self.adds_reduced) if each.goal]


@app.command()
def main(
    *,
    rounds: Annotated[int, typer.Option(min=10, help="How often each measurement is taken.")] = 100,
    resnet50: Annotated[
        Path | None,
        typer.Option(
            help=f"A published {RESNET50}, the folder with its versions.", show_default="made in a temporary folder"
        ),
    ] = None,
    threads: Annotated[
        int, typer.Option(min=0, help="Cores for the service and for raw ONNX Runtime; 0 takes all.")
    ] = 0,
    json_: Annotated[Path | None, typer.Option("--json", help="Write all figures to this file too.")] = None,
) -> None:
    """Measure what feature maps cost over HTTP, layer by layer, and compare with the goals.

    Layers are taken at about 2, 10, 25, 50 and 100 % of the multiply-adds of ResNet-50 and EfficientNet-Lite0.  What is
    compared is measured in the same rounds, in turn; figures are medians.

    **Example**: `python -m benchmarks.feature_maps --rounds 200 --json figures.json`
    """
    threads = threads or available_cores()
    results = measure_all(resnet50, rounds=rounds, threads=threads)
    show(results)
    if json_ is not None:
        json_.write_text(to_json(results, threads=threads))


def section(*, rounds: int, threads: int) -> Section:
    """What `python -m benchmarks` takes from here; the tables are printed."""
    results = measure_all(None, rounds=rounds, threads=threads)
    show(results)
    return Section([each for result in results for each in result.goals])


def measure_all(resnet50: Path | None, *, rounds: int, threads: int) -> list[Result]:
    """Measure both networks.

    Args:
        resnet50: A published ResNet-50 with random weights; None to make one.
        rounds: How often each measurement is taken.
        threads: How many cores the service and ONNX Runtime may use.
    """
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch)
        _fill(models, resnet50)
        return measure(models, PHOTO.read_bytes(), rounds=rounds, threads=threads)


def measure(models: Path, photo: bytes, *, rounds: int, threads: int) -> list[Result]:
    """Measure every model of a repository.

    Args:
        models: The model repository.
        photo: An encoded image.
        rounds: How often each measurement is taken.
        threads: How many cores the service and ONNX Runtime may use.
    """
    networks = [read(models / name) for name in (RESNET50, SHIPPED.name)]
    cases = [case for network in networks for case in choose(network, threads)]
    command = serve(models, "--device", "cpu", "--threads", str(threads))
    with started(command, READY) as server, Client(server.url) as client:
        for case in cases:
            _check(client, case, photo)
        samples: dict[int, list[Sample]] = {i: [] for i in range(len(cases))}
        for turn in track(range(-_WARM_UP, rounds), "feature maps", console=Console(stderr=True), transient=True):
            for i, sample in enumerate(_round(client, cases, photo, turn)):
                if turn >= 0:
                    samples[i].append(sample)
    return [summarise(case, samples[i]) for i, case in enumerate(cases)]


def read(folder: Path) -> Network:
    """The newest version of a published model."""
    newest = max((each for each in folder.iterdir() if each.name.isdigit()), key=lambda each: int(each.name))
    known = metadata.read(newest / metadata.FILE_NAME)
    parsed = graph.parse(newest.joinpath("model.onnx").read_bytes(), name=folder.name)
    return Network(folder.name, parsed, known.input, layers.table(parsed, known.layers, image=known.input))


def choose(network: Network, threads: int) -> list[Case]:
    """The layers of a network that are measured: of those next to a share, the one with the largest map."""
    maps = [layer for layer in network.layers if len(layer.shape or ()) == 3 and layer.operator != "Pad"]
    cases = []
    for percent in PERCENTS:
        layer = min(
            maps, key=lambda layer: (round(abs(_share(network, layer) - percent / 100), 6), -(layer.values or 0))
        )
        cut = graph.with_pixels(graph.cut(network.graph, [layer.tensor]), network.input)
        cases.append(Case(network, layer, percent, open_session(cut.SerializeToString(), threads=threads)))
    return cases


def summarise(case: Case, samples: Sequence[Sample]) -> Result:
    """The medians of a case.  What is compared is compared within each round."""
    goals = case.network.name == RESNET50
    columns = {name: np.array([getattr(s, name) for s in samples]) for name in Sample.__dataclass_fields__}
    own = columns["decode"] + columns["raw"]
    least = COMPUTE_GOALS.get(case.percent) if goals else None
    where = f"{case.network.name}, {case.percent} % deep"
    return Result(
        model=case.network.name,
        layer=case.layer.path,
        percent=case.percent,
        share=case.share,
        shape=case.layer.shape or (),
        rounds=len(samples),
        milliseconds={name: figure(name, list(values)) for name, values in columns.items()},
        compute_over_whole=figure(
            f"{where}: compute over the whole network", list(columns["compute"] / columns["whole"]), _most(least)
        ),
        adds=figure(
            f"{where}: what a map adds to decode + raw",
            list(columns["request"] / own - 1),
            _most(ADDS_GOAL if goals and case.percent >= 25 else None),
        ),
        adds_reduced=figure(f"{where}: what reduced adds, ms", list(columns["reduced"] - own), _most(REDUCED_GOAL)),
    )


def show(results: Sequence[Result]) -> None:
    """Print a table for each network."""
    for name in dict.fromkeys(result.model for result in results):
        Console(width=150).print(table([result for result in results if result.model == name]))


def table(results: Sequence[Result]) -> Table:
    """The results of one model, for people."""
    first = results[0]
    whole = first.milliseconds["whole"].median
    shown = Table(
        title=f"{first.model}: milliseconds, medians of n = {first.rounds}; the whole forward pass takes {whole:.1f}"
    )
    shown.add_column("share", justify="right")
    shown.add_column("layer", overflow="fold")
    for name in ("map", "compute", "/ whole", "encode", "request", "decode", "raw", "adds", "reduced adds, ms"):
        shown.add_column(name, justify="right", no_wrap=True)
    for result in results:
        medians = {name: f"{found.median:.2f}" for name, found in result.milliseconds.items()}
        shown.add_row(
            f"{100 * result.share:.1f} %",
            result.layer,
            "x".join(map(str, result.shape)),
            medians["compute"],
            _shown(result.compute_over_whole, "{:.2f}"),
            *(medians[name] for name in ("encode", "request", "decode", "raw")),
            _shown(result.adds, "{:.0%}"),
            _shown(result.adds_reduced, "{:.2f}"),
        )
    return shown


def to_json(results: Sequence[Result], *, threads: int) -> str:
    """All figures, and what they were measured with."""
    verdicts = [figure for r in results for figure in (r.compute_over_whole, r.adds, r.adds_reduced)]
    facts = {
        "machine": platform.machine(),
        "threads": threads,
        "python": platform.python_version(),
        **{name: version(name) for name in ("striate", "numpy", "pillow")},
        "missed": sum(figure.verdict == "missed" for figure in verdicts),
        "results": [asdict(result) for result in results],
    }
    return json.dumps(facts, indent=2) + "\n"


def _fill(models: Path, resnet50: Path | None) -> None:
    """Put both models into a repository."""
    (models / SHIPPED.name).symlink_to(SHIPPED)
    if resnet50 is not None:
        (models / RESNET50).symlink_to(resnet50.resolve())
        return
    command = striate("export", "random", "resnet50", "--name", RESNET50, "--models", str(models))
    subprocess.run(command, check=True)  # noqa: S603  (it is ours)


def _check(client: Client, case: Case, photo: bytes) -> None:
    """Both sides must give the same map, or comparing their times means nothing."""
    served_map = np.load(io.BytesIO(client.post(_maps(case), photo, layer=case.layer.path, format="npy").body))
    (raw,) = case.raw.run(None, {graph.PIXELS: _decoded(case, photo)})
    np.testing.assert_allclose(served_map, raw, rtol=0, atol=1e-4 * float(np.abs(raw).max()))


def _round(client: Client, cases: Sequence[Case], photo: bytes, turn: int) -> list[Sample]:
    """Each measurement once."""
    names = dict.fromkeys(case.network.name for case in cases)
    whole = {name: client.post(f"/v1/models/{name}/classify", photo).stages["compute"] for name in names}
    return [_sample(client, case, photo, whole[case.network.name], turn) for case in cases]


def _sample(client: Client, case: Case, photo: bytes, whole: float, turn: int) -> Sample:
    pixels = _decoded(case, photo)
    query = {"layer": case.layer.path, "format": "npy"}
    measurements: dict[str, Callable[[], object]] = {
        "map": lambda: client.post(_maps(case), photo, **query),
        "reduced": lambda: client.post(_maps(case), photo, **query, reduce="mean").milliseconds,
        "decode": lambda: _milliseconds(lambda: _decoded(case, photo)),
        "raw": lambda: _milliseconds(lambda: case.raw.run(None, {graph.PIXELS: pixels})),
    }
    found: dict[str, Any] = {}
    for name in turned(list(measurements), turn):
        found[name] = measurements[name]()
    answer = found.pop("map")
    return Sample(
        whole=whole,
        compute=answer.stages["compute"],
        encode=answer.stages["encode"],
        request=answer.milliseconds,
        **found,
    )


def _maps(case: Case) -> str:
    return f"/v1/models/{case.network.name}/feature-maps"


def _decoded(case: Case, photo: bytes) -> NDArray[np.uint8]:
    return decode_all([photo], case.network.input, max_pixels=10**7)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _share(network: Network, layer: Layer) -> float:
    own = layer.cost.cumulative.multiply_adds if layer.cost else None
    if own is None or not network.layers.multiply_adds:
        raise BenchmarkError(f"the multiply-adds of {network.name}, {layer.path} are unknown")
    return own / network.layers.multiply_adds


def _most(goal: float | None) -> Goal | None:
    return None if goal is None else Goal("at most", goal)


def _shown(found: Figure, form: str) -> str:
    if found.goal is None:
        return form.format(found.median)
    return f"{form.format(found.median)} ≤ {form.format(found.goal.value)} {found.verdict}"


if __name__ == "__main__":
    app()

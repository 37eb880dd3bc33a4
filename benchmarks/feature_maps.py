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
import re
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager
from dataclasses import asdict, dataclass
from importlib.metadata import version
from pathlib import Path
from typing import Annotated, Any, Final
from urllib.parse import urlencode

import numpy as np
import typer
from numpy.typing import NDArray
from rich.console import Console
from rich.progress import track
from rich.table import Table

from service import graph
from service.cores import available_cores
from service.engine import open_engine
from service.image import decode_all
from service.layers import Layer
from service.model import Model
from service.runtime import Session
from service.settings import Settings

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
class Case:
    """One layer that is measured.

    Args:
        model: What it belongs to.
        layer: The largest map that takes about `percent` of the multiply-adds.
        percent: What was looked for.
        raw: The graph cut at the layer.
    """

    model: Model
    layer: Layer
    percent: int
    raw: Session

    @property
    def share(self) -> float:
        """The part of the network's multiply-adds that the layer takes, with all before it."""
        return _share(self.model, self.layer)


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
class Figure:
    """A figure over all rounds, and what it should be at most; None where there is no goal."""

    median: float
    quartiles: tuple[float, float]
    goal: float | None = None

    @property
    def verdict(self) -> str:
        """`ok`, `missed`, or nothing."""
        if self.goal is None:
            return ""
        return "ok" if self.median <= self.goal else "missed"


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


class Client:
    """One connection that stays open, and costs next to nothing: what is measured is the service.

    Args:
        url: Of the server.
        photo: The encoded image that every request carries.
    """

    def __init__(self, url: str, photo: bytes) -> None:
        host, port = url.removeprefix("http://").split(":")
        self._socket = socket.create_connection((host, int(port)))
        self._socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        self._photo = photo

    def close(self) -> None:
        """Close the connection."""
        self._socket.close()

    def post(self, path: str, **query: str) -> tuple[bytearray, dict[str, float]]:
        """Send the photo.

        Returns:
            The answer; and the milliseconds of each stage, as Server-Timing tells, and of the whole `request`.

        Raises:
            RuntimeError: The answer is an error, or none.
        """
        line = f"POST {path}?{urlencode(query)} HTTP/1.1"
        request = f"{line}\r\nHost: localhost\r\nContent-Length: {len(self._photo)}\r\n\r\n".encode() + self._photo
        start = time.perf_counter()
        self._socket.sendall(request)
        head, body = self._receive()
        milliseconds = 1000 * (time.perf_counter() - start)
        if not head.startswith("HTTP/1.1 200"):
            raise RuntimeError(f"{path} answers {head.splitlines()[0]}: {body[:300].decode()}")
        stages = re.findall(r"(\w+);dur=([\d.]+)", head)
        return body, {stage: float(duration) for stage, duration in stages} | {"request": milliseconds}

    def _receive(self) -> tuple[str, bytearray]:
        """The head and the body of an answer; a large body is written where it stays."""
        received = bytearray()
        while (end := received.find(b"\r\n\r\n")) < 0:
            chunk = self._socket.recv(2**16)
            _refuse_end(len(chunk))
            received += chunk
        head = received[:end].decode("latin-1")
        length = re.search(r"^content-length: (\d+)", head, re.MULTILINE)
        if length is None:
            raise RuntimeError(f"the answer has no length: {head}")
        first = received[end + 4 :]
        body, have = bytearray(int(length[1])), len(first)
        body[:have] = first
        with memoryview(body) as view:
            while have < len(body):
                got = self._socket.recv_into(view[have:])
                _refuse_end(got)
                have += got
        return head, body


def _refuse_end(received: int) -> None:
    if not received:
        raise RuntimeError("the service closed the connection")


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

    **Example**: `python benchmarks/feature_maps.py --rounds 200 --json figures.json`
    """
    threads = threads or available_cores()
    with tempfile.TemporaryDirectory() as scratch:
        models = Path(scratch)
        _fill(models, resnet50)
        results = measure(models, PHOTO.read_bytes(), rounds=rounds, threads=threads)
    for name in dict.fromkeys(result.model for result in results):
        Console(width=150).print(table([result for result in results if result.model == name]))
    if json_ is not None:
        json_.write_text(to_json(results, threads=threads))


def measure(models: Path, photo: bytes, *, rounds: int, threads: int) -> list[Result]:
    """Measure every model of a repository.

    Args:
        models: The model repository.
        photo: An encoded image.
        rounds: How often each measurement is taken.
        threads: How many cores the service and ONNX Runtime may use.
    """
    cases = [case for model in _load(models, threads) for case in choose(model, threads)]
    with served(models, threads) as url, closing(Client(url, photo)) as client:
        for case in cases:
            _check(client, case, photo)
        samples: dict[int, list[Sample]] = {i: [] for i in range(len(cases))}
        for turn in track(range(-_WARM_UP, rounds), "measuring", console=Console(stderr=True), transient=True):
            for i, sample in enumerate(_round(client, cases, photo, turn)):
                if turn >= 0:
                    samples[i].append(sample)
    return [summarise(case, samples[i]) for i, case in enumerate(cases)]


def choose(model: Model, threads: int) -> list[Case]:
    """The layers of a model that are measured: of those next to a share, the one with the largest map."""
    maps = [layer for layer in model.layers if len(layer.shape or ()) == 3 and layer.operator != "Pad"]
    parsed = graph.parse(model.folder.read_model(model.metadata), name=model.name)
    cases = []
    for percent in PERCENTS:
        layer = min(maps, key=lambda layer: (round(abs(_share(model, layer) - percent / 100), 6), -(layer.values or 0)))
        cut = graph.with_pixels(graph.cut(parsed, [layer.tensor]), model.image_input)
        cases.append(Case(model, layer, percent, Session(cut, device=model.device, threads=threads)))
    return cases


@contextmanager
def served(models: Path, threads: int) -> Iterator[str]:
    """Start the service as a user does, wait until its models are ready, and stop it in the end.

    Yields:
        Its URL.

    Raises:
        RuntimeError: It does not start.
    """
    command = ["serve", "--port", "0", "--device", "cpu", "--models", str(models), "--threads", str(threads)]
    with subprocess.Popen(_striate(*command), stderr=subprocess.PIPE, text=True) as process:  # noqa: S603  (it is ours)
        assert process.stderr  # noqa: S101  (for the type checker)
        # Read to its end: a full pipe would stop the service.
        rest = threading.Thread(target=deque, args=(process.stderr, 0))
        try:
            url = _url(process.stderr)
            rest.start()
            yield url
        finally:
            process.terminate()
            if rest.ident:
                rest.join()


def summarise(case: Case, samples: Sequence[Sample]) -> Result:
    """The medians of a case.  What is compared is compared within each round."""
    resnet50 = case.model.name == RESNET50
    columns = {name: np.array([getattr(s, name) for s in samples]) for name in Sample.__dataclass_fields__}
    own = columns["decode"] + columns["raw"]
    return Result(
        model=case.model.name,
        layer=case.layer.path,
        percent=case.percent,
        share=case.share,
        shape=case.layer.shape or (),
        rounds=len(samples),
        milliseconds={name: _figure(values) for name, values in columns.items()},
        compute_over_whole=_figure(
            columns["compute"] / columns["whole"], COMPUTE_GOALS.get(case.percent) if resnet50 else None
        ),
        adds=_figure(columns["request"] / own - 1, ADDS_GOAL if resnet50 and case.percent >= 25 else None),
        adds_reduced=_figure(columns["reduced"] - own, REDUCED_GOAL),
    )


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
        medians = {name: f"{figure.median:.2f}" for name, figure in result.milliseconds.items()}
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
    command = _striate("export", "random", "resnet50", "--name", RESNET50, "--models", str(models))
    subprocess.run(command, check=True)  # noqa: S603  (it is ours)


def _load(models: Path, threads: int) -> list[Model]:
    engine = open_engine(Settings(models=models, device="cpu", threads=threads))
    engine.close()
    return [engine.registry.load(name) for name in (RESNET50, SHIPPED.name)]


def _check(client: Client, case: Case, photo: bytes) -> None:
    """Both sides must give the same map, or comparing their times means nothing."""
    body, _ = client.post(_maps(case), layer=case.layer.path, format="npy")
    served_map = np.load(io.BytesIO(body))
    (raw,) = case.raw.run({graph.PIXELS: _decoded(case, photo)}).values()
    np.testing.assert_allclose(served_map, raw, rtol=0, atol=1e-4 * float(np.abs(raw).max()))


def _round(client: Client, cases: Sequence[Case], photo: bytes, turn: int) -> list[Sample]:
    """Each measurement once."""
    names = dict.fromkeys(case.model.name for case in cases)
    whole = {name: client.post(f"/v1/models/{name}/classify")[1]["compute"] for name in names}
    return [_sample(client, case, photo, whole[case.model.name], turn) for case in cases]


def _sample(client: Client, case: Case, photo: bytes, whole: float, turn: int) -> Sample:
    pixels = _decoded(case, photo)
    query = {"layer": case.layer.path, "format": "npy"}
    measurements: dict[str, Callable[[], object]] = {
        "map": lambda: client.post(_maps(case), **query)[1],
        "reduced": lambda: client.post(_maps(case), **query, reduce="mean")[1]["request"],
        "decode": lambda: _milliseconds(lambda: _decoded(case, photo)),
        "raw": lambda: _milliseconds(lambda: case.raw.run({graph.PIXELS: pixels})),
    }
    found: dict[str, Any] = {}
    for name in _turned(list(measurements), turn):
        found[name] = measurements[name]()
    stages = found.pop("map")
    return Sample(whole, stages["compute"], stages["encode"], stages["request"], **found)


def _turned(names: list[str], turn: int) -> list[str]:
    """The same names, another one first at each turn."""
    first = turn % len(names)
    return [*names[first:], *names[:first]]


def _maps(case: Case) -> str:
    return f"/v1/models/{case.model.name}/feature-maps"


def _decoded(case: Case, photo: bytes) -> NDArray[np.uint8]:
    return decode_all([photo], case.model.image_input, max_pixels=10**7)


def _milliseconds(work: Callable[[], object]) -> float:
    start = time.perf_counter()
    work()
    return 1000 * (time.perf_counter() - start)


def _share(model: Model, layer: Layer) -> float:
    own = layer.cost.cumulative.multiply_adds if layer.cost else None
    if own is None or not model.layers.multiply_adds:
        raise RuntimeError(f"the multiply-adds of {model.name}, {layer.path} are unknown")
    return own / model.layers.multiply_adds


def _figure(values: NDArray[np.float64], goal: float | None = None) -> Figure:
    low, median, high = (float(value) for value in np.percentile(values, (25, 50, 75)))
    return Figure(median, (low, high), goal)


def _shown(figure: Figure, form: str) -> str:
    if figure.goal is None:
        return form.format(figure.median)
    return f"{form.format(figure.median)} ≤ {form.format(figure.goal)} {figure.verdict}"


def _striate(*arguments: str) -> list[str]:
    return [sys.executable, "-m", "service", *arguments]


def _url(log: Iterator[str]) -> str:
    """Read the log until the models are ready."""
    read = ""
    for line in log:
        read += line
        if "models ready" in line:
            break
    running = re.search(r"running on (http://\S+:\d+)", read)
    if running is None:
        raise RuntimeError(f"the service does not start:\n{read}")
    return running[1]


if __name__ == "__main__":
    app()

"""The command `python -m benchmarks`."""

import sys
import tempfile
from collections.abc import Collection, Iterator, Mapping
from enum import StrEnum
from pathlib import Path
from typing import Annotated, Final, Literal

import typer
from rich.console import Console
from rich.markup import escape

from benchmarks import report
from benchmarks.errors import BenchmarkError
from benchmarks.figures import Section
from benchmarks.footprint import footprint
from benchmarks.processes import serve
from benchmarks.report import Circumstances
from service.cores import available_cores


class Name(StrEnum):
    """What can be measured."""

    FOOTPRINT = "footprint"
    PHOTO = "photo"
    LARGE_PHOTO = "large-photo"
    LENET5 = "lenet5"
    TENSOR = "tensor"
    FEATURE_MAP = "feature-map"
    LAYERS = "layers"
    CORES = "cores"


MODELS: Final = ("efficientnet-lite0", "lenet5")
"""Those that are served: the bare process has no others."""

_FOLDER: Final = Path("build/benchmarks")
_SHIPPED: Final = Path(__file__).resolve().parents[1] / "models"
_HISTORY: Final = Path(__file__).with_name("history.jsonl")

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)


@app.command()
def main(
    *,
    only: Annotated[
        list[Name] | None,
        typer.Option(help="Measure this only; may be given several times.", show_default="everything"),
    ] = None,
    quick: Annotated[bool, typer.Option("--quick", help="A minute instead of six: fewer and shorter rounds.")] = False,
    device: Annotated[Literal["cpu", "cuda"], typer.Option(help="Where the service and the bounds compute.")] = "cpu",
    folder: Annotated[Path, typer.Option(help="Where figures.json and figures.png are written.")] = _FOLDER,
    history: Annotated[Path, typer.Option(help="A line is appended to this file.")] = _HISTORY,
) -> None:
    """Measure the service under load, each figure beside the bound that it is compared with.

    The service is started as a user starts it, and loaded with `wrk` at 1, 8, 32 and 128 connections.  Each round takes
    every measurement once, in turning order, and ratios are taken within a round: on a noisy machine the times are
    worse, and the ratios hold.  A wrong answer ends it with an error; a goal that is missed does not.

    - *footprint*: memory, and the time from start to the first answer, against a bare FastAPI process
    - *photo*: a JPEG of 451x300 and EfficientNet-Lite0, against the same work without HTTP; and twice what it can do
    - *large-photo*: a JPEG of twelve megapixels
    - *lenet5*: a PNG of 28x28, against an empty FastAPI route
    - *tensor*: a tensor in the binary form of the Open Inference Protocol, against ONNX Runtime alone
    - *feature-map*: the map of one layer
    - *layers*: feature maps layer by layer, as `python -m benchmarks.feature_maps` measures them
    - *cores*: where the time of the cores goes, for a photo, a tensor and LeNet-5: a profile, without a goal

    **Example**: `make bench ARGS="--quick --only photo --only tensor"`
    """
    wanted = only or list(Name)
    where = report.circumstances(cores=available_cores(), device=device, quick=quick)
    try:
        sections = dict(_measured(wanted, where))
    except BenchmarkError as error:
        Console(stderr=True, highlight=False).print(f"[bold red]error:[/] {escape(str(error))}", soft_wrap=True)
        sys.exit(1)
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("figures.json").write_text(report.to_json(sections, where))
    report.remember(history, sections, where)
    _draw(sections, folder / "figures.png")
    console = Console(width=max(150, Console().width))
    for table in (report.loads(sections), report.facts(sections), report.goals(sections)):
        console.print(table)
    console.print(f"written to {folder}/figures.json and figures.png; a line added to {history}")


def _measured(wanted: Collection[Name], where: Circumstances) -> Iterator[tuple[str, Section]]:
    with tempfile.TemporaryDirectory() as folder:
        models = Path(folder)
        for name in MODELS:
            models.joinpath(name).symlink_to(_SHIPPED / name)
        if Name.FOOTPRINT in wanted:
            service = serve(models, "--device", where.device, "--threads", str(where.cores))
            yield Name.FOOTPRINT, footprint(service, MODELS, rounds=2 if where.quick else 4)
        yield from _under_load(models, wanted, where)


def _under_load(models: Path, wanted: Collection[Name], where: Circumstances) -> Iterator[tuple[str, Section]]:
    # Only now: what the benchmark has in memory too would count for half.
    from benchmarks import core_time, feature_maps, sections  # noqa: PLC0415
    from benchmarks.bounds import Hardware  # noqa: PLC0415

    make = sections.quick_plan if where.quick else sections.full_plan
    plan = make(models, Hardware(where.device, where.cores))
    for name, measure in sections.SECTIONS.items():
        if name in wanted:
            yield name, measure(plan)
    if Name.LAYERS in wanted:
        yield Name.LAYERS, feature_maps.section(rounds=10 if where.quick else 30, threads=where.cores)
    if Name.CORES in wanted:
        yield Name.CORES, core_time.section(plan)


def _draw(sections: Mapping[str, Section], path: Path) -> None:
    from benchmarks import plot  # noqa: PLC0415  (after memory was measured)

    plot.draw(sections, path)

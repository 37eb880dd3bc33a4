"""The command `python -m benchmarks.soak`."""

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated, Final

import numpy as np
import typer
from rich.console import Console
from rich.table import Table

from benchmarks.errors import BenchmarkError
from benchmarks.soak.run import Plan, Soak, Verdict, judged, soak

_FOLDER: Final = Path("build/benchmarks")

app = typer.Typer(add_completion=False, rich_markup_mode="markdown", pretty_exceptions_show_locals=False)


@app.command()
def main(
    *,
    minutes: Annotated[float, typer.Option(help="How long the load lasts.", min=0.1)] = 20.0,
    workers: Annotated[int, typer.Option(help="Processes that serve.", min=1)] = 1,
    share: Annotated[float, typer.Option(help="Of what the service can do, from 0 to 1.", min=0.01, max=2)] = 0.8,
    reload_seconds: Annotated[float, typer.Option(help="From one reload of a model to the next.", min=0.5)] = 30.0,
    folder: Annotated[Path, typer.Option(help="Where soak.json is written.")] = _FOLDER,
) -> None:
    """Load the service for a long time, and look at every answer.

    The service is started as a user starts it.  It gets photos, small pictures, feature maps, embeddings, tensors and
    batches, at 80 % of what it can do: 5 % are bad and must be refused, 5 % hang up in the middle, and every 30 s a
    model is loaded again.  Each answer is compared with one that the engine gave before.  At the end nothing may have
    been wrong, and memory, threads and open files may not have grown since the first two minutes.

    **Example**: `make soak ARGS="--minutes 20"`
    """
    seconds = 60 * minutes
    plan = Plan(
        seconds=seconds,
        settle_seconds=min(120.0, seconds / 4),
        share=share,
        reload_seconds=min(reload_seconds, seconds / 5),
        look_seconds=min(5.0, seconds / 30),
        flags=["--workers", str(workers)],
    )
    console = Console(highlight=False)
    try:
        found = soak(plan, lambda line: console.print(line, soft_wrap=True))
    except BenchmarkError as error:
        console.print(f"error: {error}", markup=False, soft_wrap=True)
        sys.exit(1)
    verdicts = judged(found, plan)
    for table in (_requests(found), _promises(verdicts)):
        console.print(table)
    for line in found.tally.told:
        console.print(line, markup=False, soft_wrap=True)
    folder.mkdir(parents=True, exist_ok=True)
    folder.joinpath("soak.json").write_text(to_json(found, verdicts))
    console.print(f"written to {folder}/soak.json")
    sys.exit(0 if all(verdict.kept for verdict in verdicts) else 1)


def to_json(found: Soak, verdicts: list[Verdict]) -> str:
    """All that was found."""
    counts = [{"request": name, "became": kind, "count": n} for (name, kind), n in sorted(found.tally.counts.items())]
    facts = {
        "capacity": found.capacity,
        "rate": found.rate,
        "requests": counts,
        "milliseconds": {f"p{q}": _delay(found, q) for q in (50, 99, 100)},
        "reloads": found.reloads,
        "before": asdict(found.before),
        "during": [asdict(one) for one in found.during],
        "after": asdict(found.after) if found.after else None,
        "wrong": found.tally.told,
        "verdicts": [asdict(verdict) for verdict in verdicts],
    }
    return json.dumps(facts, indent=1) + "\n"


def _requests(found: Soak) -> Table:
    table = Table("request", "right or rightly refused", "hung up", "overloaded", "wrong", "errors", box=None)
    for name in sorted({name for name, _ in found.tally.counts}):
        counts = found.tally.counts
        right = counts[name, "right"] + counts[name, "refused"]
        table.add_row(
            name, f"{right:,}", *(str(counts[name, kind]) for kind in ("cancelled", "overloaded", "wrong", "error"))
        )
    table.caption = (
        f"p50 {_delay(found, 50):.0f} ms, p99 {_delay(found, 99):.0f} ms, slowest {_delay(found, 100):.0f} ms"
    )
    return table


def _promises(verdicts: list[Verdict]) -> Table:
    table = Table("promise", "found", "kept", box=None)
    for verdict in verdicts:
        table.add_row(verdict.promise, verdict.found, "yes" if verdict.kept else "[bold red]NO[/]")
    return table


def _delay(found: Soak, percent: float) -> float:
    return 1000 * float(np.percentile(found.tally.delays, percent)) if found.tally.delays else 0.0

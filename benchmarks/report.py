"""What was measured, for people and for programs: tables, a file of figures, a line of history, a plot."""

import json
import os
import platform
import subprocess
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from importlib.metadata import version
from pathlib import Path
from typing import Final, Literal

from rich.table import Table

from benchmarks.figures import Figure, Section

_PACKAGES: Final = ("striate", "onnxruntime", "numpy", "pillow", "fastapi", "uvicorn")


@dataclass(frozen=True)
class Circumstances:
    """Where and how it was measured.

    Args:
        date: In UTC, ISO 8601.
        commit: The one that was measured; `+` behind it where files were changed since.
        processor: Its name.
        cores: How many the service and the bounds had.
        device: `cpu` or `cuda`.
        quick: Whether few and short rounds were taken.
    """

    date: str
    commit: str
    processor: str
    cores: int
    device: Literal["cpu", "cuda"]
    quick: bool


def circumstances(*, cores: int, device: Literal["cpu", "cuda"], quick: bool) -> Circumstances:
    """Those of now."""
    date = datetime.now(UTC).isoformat(timespec="seconds")
    return Circumstances(date, _commit(), _processor(Path("/proc/cpuinfo")), cores, device, quick)


def goals(sections: Mapping[str, Section]) -> Table:
    """Every ratio, and what it should be."""
    table = Table(title="medians over the rounds, with quartiles", title_justify="left", show_lines=False)
    table.add_column("figure")
    table.add_column("goal", justify="right", no_wrap=True)
    table.add_column("measured", justify="right", no_wrap=True)
    table.add_column("", no_wrap=True)
    table.add_column("of", no_wrap=True)
    for figure in _figures(sections):
        low, high = figure.quartiles
        table.add_row(
            figure.name,
            str(figure.goal or ""),
            f"{figure.median:.3f} ({low:.3f} to {high:.3f})",
            {"ok": "[green]ok", "missed": "[red]missed"}.get(figure.verdict, ""),
            figure.of,
        )
    return table


def loads(sections: Mapping[str, Section]) -> Table:
    """Every load and every bound."""
    table = Table(title="medians over the rounds", title_justify="left")
    table.add_column("asked")
    table.add_column("connections, or what else")
    for name in ("answers a second", "p50, ms", "p99, ms", "cores of the client"):
        table.add_column(name, justify="right", no_wrap=True)
    for section in sections.values():
        for series in section.series:
            median = series.median
            client = f"{median.client:.2f}" if median.client else ""
            table.add_row(
                series.workload,
                str(series.load),
                f"{median.rate:,.1f}",
                f"{median.p50:.2f}",
                f"{median.p99:.2f}",
                client,
                end_section=series is section.series[-1],
            )
    return table


def facts(sections: Mapping[str, Section]) -> Table:
    """Whatever else was measured."""
    table = Table(show_header=False)
    for section in sections.values():
        for name, value in section.facts.items():
            table.add_row(name, f"{value:,.3g}")
    return table


def to_json(sections: Mapping[str, Section], where: Circumstances) -> str:
    """All that was measured, and what with."""
    content = {
        **asdict(where),
        "python": platform.python_version(),
        **{name: version(name) for name in _PACKAGES},
        "missed": [figure.name for figure in _figures(sections) if figure.verdict == "missed"],
        "sections": {
            name: {
                "figures": [{**asdict(figure), "verdict": figure.verdict} for figure in section.figures],
                "loads": [{**asdict(series), "median": asdict(series.median)} for series in section.series],
                "facts": section.facts,
            }
            for name, section in sections.items()
        },
    }
    return json.dumps(content, indent=2) + "\n"


def remember(history: Path, sections: Mapping[str, Section], where: Circumstances) -> None:
    """Append a line to the history: the circumstances, and the medians of all figures."""
    medians = {figure.name: round(figure.median, 4) for figure in _figures(sections)}
    with history.open("a") as file:
        file.write(json.dumps({**asdict(where), "figures": medians}) + "\n")


def _figures(sections: Mapping[str, Section]) -> Sequence[Figure]:
    return [figure for section in sections.values() for figure in section.figures]


def _commit() -> str:
    """As `git` tells; `unknown` where it does not."""
    command = ["git", "-C", os.fspath(Path(__file__).parent), "describe", "--always", "--exclude=*", "--dirty=+"]
    try:
        return subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()  # noqa: S603  (it is ours)
    except (OSError, subprocess.CalledProcessError):
        return "unknown"


def _processor(table: Path) -> str:
    """The name that Linux gives; what Python knows elsewhere."""
    if table.exists():
        for line in table.read_text().splitlines():
            name, _, value = line.partition(":")
            if name.strip() == "model name":
                return value.strip()
    return platform.processor() or platform.machine()

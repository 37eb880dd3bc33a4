"""Answers a second and response times by the number of connections, for each thing that is asked, beside the bounds."""

from collections.abc import Mapping, Sequence
from pathlib import Path

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from benchmarks.figures import Section, Series


def draw(sections: Mapping[str, Section], path: Path) -> None:
    """Write the picture; nothing where no load was measured."""
    loaded = [section.series for section in sections.values() if section.series]
    if not loaded:
        return
    picture = Figure(figsize=(4.2 * len(loaded), 7), layout="constrained")
    FigureCanvasAgg(picture)
    panels = picture.subplots(2, len(loaded), squeeze=False)
    for column, series in enumerate(loaded):
        _rates(panels[0][column], series)
        _times(panels[1][column], series)
    picture.savefig(path, dpi=110)


def _rates(panel: Axes, series: Sequence[Series]) -> None:
    served = _served(series)
    panel.set_title(series[0].workload)
    panel.plot(range(len(served)), [each.median.rate for each in served], "o-", label="service")
    bounds = [each for each in series if isinstance(each.load, str) and each.median.rate < 2 * _highest(served)]
    for i, each in enumerate(bounds, start=1):
        panel.axhline(each.median.rate, color=f"C{i}", linestyle="--", label=each.load)
    panel.set_ylim(bottom=0)
    panel.set_ylabel("answers a second")
    _by_connections(panel, served)
    panel.legend(fontsize="small")


def _times(panel: Axes, series: Sequence[Series]) -> None:
    served = _served(series)
    panel.plot(range(len(served)), [each.median.p50 for each in served], "o-", label="p50")
    panel.plot(range(len(served)), [each.median.p99 for each in served], "o-", label="p99")
    panel.set_yscale("log")
    panel.set_ylabel("milliseconds to the answer")
    _by_connections(panel, served)
    panel.legend(fontsize="small")


def _by_connections(panel: Axes, served: Sequence[Series]) -> None:
    panel.set_xticks(range(len(served)), [str(each.load) for each in served])
    panel.set_xlabel("connections")
    panel.grid(visible=True, alpha=0.3)


def _served(series: Sequence[Series]) -> list[Series]:
    return sorted((each for each in series if isinstance(each.load, int)), key=lambda each: int(each.load))


def _highest(served: Sequence[Series]) -> float:
    return max(each.median.rate for each in served)

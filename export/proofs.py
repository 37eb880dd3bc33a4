"""Everything proven in a row: each published version, and each architecture with random weights."""

import gc
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from rich.box import SIMPLE_HEAD
from rich.table import Table

from export import publishing, stages
from export.recipes import FIXED, UNTRAINED, Fixed, Untrained
from export.stages import Step
from export.verification import Parity

ARCHITECTURES: Final[Mapping[str, Untrained | Fixed]] = {
    **UNTRAINED,
    **{fixed.architecture: fixed for fixed in FIXED.values()},
}
"""Each with random weights, or with those that are written down."""


@dataclass(frozen=True)
class Subject:
    """What is proven.

    Args:
        name: For people: `lenet5/1` is a published version, `lenet5` an architecture.
        prove: Gives the number of parameters and the parity of each layer.
    """

    name: str
    prove: Callable[[Step], tuple[int, tuple[Parity, ...]]]


@dataclass(frozen=True)
class Verdict:
    """How it went.

    Args:
        name: Of the subject.
        seconds: How long it took.
        parameters: How many numbers of the network are trained; None where it failed before they were counted.
        parity: Of each layer; empty where it failed.
        failure: What was wrong; None where nothing was.
    """

    name: str
    seconds: float
    parameters: int | None
    parity: tuple[Parity, ...]
    failure: str | None

    @property
    def difference(self) -> float:
        """The largest one of all layers."""
        return max((each.difference for each in self.parity), default=0.0)


def subjects(versions: Sequence[Path]) -> list[Subject]:
    """The given published versions, and all architectures.

    Args:
        versions: The folder of each.
    """
    return [
        *(Subject(f"{folder.parent.name}/{folder.name}", _of_version(folder)) for folder in versions),
        *(Subject(name, _of_architecture(ARCHITECTURES[name])) for name in sorted(ARCHITECTURES)),
    ]


def prove(subject: Subject, step: Step) -> Verdict:
    """Prove one; that it fails, in whatever way, is a verdict too."""
    # What one network leaves behind is as large as the next.
    gc.collect()
    start = time.perf_counter()
    try:
        parameters, parity = subject.prove(step)
    except Exception as error:  # noqa: BLE001  (the others shall be proven all the same)
        return Verdict(subject.name, time.perf_counter() - start, None, (), str(error) or type(error).__name__)
    return Verdict(subject.name, time.perf_counter() - start, parameters, parity, None)


def table(verdicts: Sequence[Verdict]) -> Table:
    """A row for each, and the sums."""
    found = Table(box=SIMPLE_HEAD, padding=(0, 1, 0, 0))  # narrow enough for the 80 columns of a file
    for title in ("name", "parameters", "layers", "largest\ndifference", "seconds", "verdict"):
        found.add_column(title, justify="left" if title in ("name", "verdict") else "right", no_wrap=True)
    for verdict in verdicts:
        found.add_row(*_row(verdict))
    seconds = sum(verdict.seconds for verdict in verdicts)
    passed = sum(verdict.failure is None for verdict in verdicts)
    layers = sum(len(verdict.parity) for verdict in verdicts)
    found.add_section()
    found.add_row(f"{len(verdicts)} in all", "", f"{layers:,}", "", f"{seconds:.1f}", f"{passed} passed")
    return found


def _row(verdict: Verdict) -> tuple[str, ...]:
    if verdict.failure is not None:
        return verdict.name, "", "", "", f"{verdict.seconds:.1f}", "[bold red]failed[/]"
    return (
        verdict.name,
        f"{verdict.parameters:,}",
        f"{len(verdict.parity):,}",
        f"{verdict.difference:.1e}",
        f"{verdict.seconds:.1f}",
        "[green]passed[/]",
    )


def _of_version(folder: Path) -> Callable[[Step], tuple[int, tuple[Parity, ...]]]:
    def prove(step: Step) -> tuple[int, tuple[Parity, ...]]:
        parity = stages.verify(folder, step=step)
        return publishing.read(folder).metadata.source.parameters, parity

    return prove


def _of_architecture(made_from: Untrained | Fixed) -> Callable[[Step], tuple[int, tuple[Parity, ...]]]:
    return lambda step: stages.prove(made_from, step=step)

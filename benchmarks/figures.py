"""Measurements, what they come to, and what they should come to."""

import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, TypeVar

from rich.console import Console
from rich.progress import track

K = TypeVar("K")
T = TypeVar("T")


@dataclass(frozen=True)
class Measured:
    """What one measurement gives, of a service under load or of a loop without HTTP.

    Args:
        rate: Answers a second.
        p50: The median time of one, in milliseconds.
        p99: In milliseconds.
        client: The cores that whoever asked kept busy; 0 where nobody asked.
    """

    rate: float
    p50: float
    p99: float
    client: float = 0.0


@dataclass(frozen=True)
class Goal:
    """What a figure should be."""

    kind: Literal["at least", "at most"]
    value: float

    def met(self, figure: float) -> bool:
        """Whether a figure is good enough.

        >>> Goal("at least", 0.95).met(0.95), Goal("at most", 2).met(2.1)
        (True, False)
        """
        return figure >= self.value if self.kind == "at least" else figure <= self.value

    def __str__(self) -> str:
        return f"{'≥' if self.kind == 'at least' else '≤'} {self.value:g}"


@dataclass(frozen=True)
class Figure:
    """A figure over all rounds.

    Args:
        name: What it says, for people.
        median: Over the rounds.
        quartiles: The first and the third.
        goal: None where there is none.
        of: What it is a ratio of: the medians, for people.
    """

    name: str
    median: float
    quartiles: tuple[float, float]
    goal: Goal | None = None
    of: str = ""

    @property
    def verdict(self) -> Literal["", "ok", "missed"]:
        """Whether the goal is met; nothing where there is none."""
        if self.goal is None:
            return ""
        return "ok" if self.goal.met(self.median) else "missed"


@dataclass(frozen=True)
class Series:
    """What a service did under one load, or a bound, over all rounds.

    Args:
        workload: What was asked.
        load: How many connections to the service were open; the name of a bound.
        rounds: One measurement each.
    """

    workload: str
    load: int | str
    rounds: Sequence[Measured]

    @property
    def median(self) -> Measured:
        """Each quantity's median."""
        return Measured(*(statistics.median(self.all(name)) for name in Measured.__dataclass_fields__))

    def all(self, quantity: str) -> list[float]:
        """One quantity, by round."""
        return [getattr(measured, quantity) for measured in self.rounds]


@dataclass(frozen=True)
class Section:
    """What was measured of one thing.

    Args:
        figures: What it comes to.
        series: Under which loads, and beside which bounds.
        facts: Other quantities, by what they are, in the unit that the name tells.
    """

    figures: Sequence[Figure] = ()
    series: Sequence[Series] = ()
    facts: Mapping[str, float] = field(default_factory=dict)


def figure(name: str, values: Sequence[float], goal: Goal | None = None, *, of: str = "") -> Figure:
    """The median and the quartiles of a figure that was taken once a round.

    >>> figure("twice", [4.0, 2.0, 3.0]).quartiles
    (2.5, 3.5)
    """
    low, median, high = statistics.quantiles([*values, *values[:1]][: max(2, len(values))], method="inclusive")
    return Figure(name, median, (low, high), goal, of)


def ratio(ours: Series, bound: Series, *, quantity: str) -> list[float]:
    """A quantity over a bound's, each round by itself: what else the machine did met both alike."""
    return [mine / other for mine, other in zip(ours.all(quantity), bound.all(quantity), strict=True)]


def rate_over(name: str, ours: Series, bound: Series, goal: Goal | None = None) -> Figure:
    """Answers a second over a bound's."""
    of = f"{ours.median.rate:,.1f} / {bound.median.rate:,.1f} a second"
    return figure(name, ratio(ours, bound, quantity="rate"), goal, of=of)


def p50_over(name: str, ours: Series, bound: Series, goal: Goal | None = None) -> Figure:
    """Median milliseconds over a bound's."""
    of = f"{ours.median.p50:.2f} / {bound.median.p50:.2f} ms"
    return figure(name, ratio(ours, bound, quantity="p50"), goal, of=of)


def tail(name: str, ours: Series, goal: Goal | None = None) -> Figure:
    """The 99th percentile over the median."""
    of = f"{ours.median.p99:.1f} / {ours.median.p50:.1f} ms"
    return figure(name, [measured.p99 / measured.p50 for measured in ours.rounds], goal, of=of)


def in_turn(measurements: Mapping[K, Callable[[], T]], rounds: int, *, title: str = "measuring") -> dict[K, list[T]]:
    """Take every measurement once a round, another one first in each: what the machine does meanwhile meets all.

    Args:
        measurements: What to do, by name.
        rounds: How often.
        title: What the progress bar says.

    >>> in_turn({"a": lambda: 1, "b": lambda: 2}, rounds=2)
    {'a': [1, 1], 'b': [2, 2]}
    """
    found: dict[K, list[T]] = {name: [] for name in measurements}
    steps = [name for turn in range(rounds) for name in turned(list(measurements), turn)]
    # Drawn rarely: it takes its time from what is measured.
    for name in track(steps, title, console=Console(stderr=True), transient=True, refresh_per_second=1):
        found[name].append(measurements[name]())
    return found


def turned(names: Sequence[K], turn: int) -> list[K]:
    """The same names, another one first at each turn.

    >>> turned(["a", "b", "c"], 1)
    ['b', 'c', 'a']
    """
    first = turn % len(names)
    return [*names[first:], *names[:first]]

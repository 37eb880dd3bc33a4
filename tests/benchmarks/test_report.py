"""What is printed and written."""

import json
from pathlib import Path

from rich.console import Console
from rich.table import Table

from benchmarks import plot, report
from benchmarks.figures import Figure, Goal, Measured, Section, Series
from benchmarks.report import Circumstances

WHERE = Circumstances("2026-01-01T00:00:00+00:00", "abc1234", "a processor", 2, "cpu", quick=True)
SECTIONS = {
    "photo": Section(
        [
            Figure("photo over loop", 1.05, (1.04, 1.06), Goal("at least", 1.03), "105.0 / 100.0 a second"),
            Figure("tail", 2.5, (2.4, 2.6), Goal("at most", 2)),
            Figure("something else", 0.5, (0.5, 0.5)),
        ],
        [
            Series("photo", 1, [Measured(80, 12, 15, 0.01)]),
            Series("photo", 8, [Measured(105, 76, 90, 0.02)]),
            Series("photo", "own loop", [Measured(100, 20, 22)]),
        ],
        {"refusal, ms": 1.5},
    )
}


def text(table: Table) -> str:
    """A table as it is printed."""
    console = Console(width=200)
    with console.capture() as capture:
        console.print(table)
    return capture.get()


def test_a_figure_is_shown_with_its_goal_and_verdict() -> None:
    """One line each."""
    lines = {line.split("│")[1].strip(): line for line in text(report.goals(SECTIONS)).splitlines() if "│" in line}
    assert "≥ 1.03" in lines["photo over loop"]
    assert "1.050 (1.040 to 1.060)" in lines["photo over loop"]
    assert "ok" in lines["photo over loop"]
    assert "missed" in lines["tail"]
    assert "≥" not in lines["something else"]


def test_every_load_is_shown_with_what_the_client_cost() -> None:
    """And bounds without."""
    shown = text(report.loads(SECTIONS))
    assert "105.0" in shown
    assert "0.02" in shown
    assert "own loop" in shown


def test_the_file_holds_every_round_and_names_what_was_missed() -> None:
    """For programs."""
    found = json.loads(report.to_json(SECTIONS, WHERE))
    assert found["missed"] == ["tail"]
    assert found["commit"] == "abc1234"
    assert found["sections"]["photo"]["loads"][1]["rounds"] == [{"rate": 105, "p50": 76, "p99": 90, "client": 0.02}]


def test_each_run_adds_a_line_to_the_history(tmp_path: Path) -> None:
    """With the circumstances, and every median."""
    history = tmp_path / "history.jsonl"
    report.remember(history, SECTIONS, WHERE)
    report.remember(history, SECTIONS, WHERE)
    first, second = map(json.loads, history.read_text().splitlines())
    assert first == second
    assert first["cores"] == 2
    assert first["figures"] == {"photo over loop": 1.05, "tail": 2.5, "something else": 0.5}


def test_the_circumstances_are_those_of_this_machine() -> None:
    """Whatever it is called."""
    now = report.circumstances(cores=3, device="cpu", quick=False)
    assert now.cores == 3
    assert now.processor
    assert now.commit
    assert now.date.endswith("+00:00")


def test_a_plot_is_drawn_where_loads_were_measured(tmp_path: Path) -> None:
    """And none where only memory was."""
    plot.draw(SECTIONS, tmp_path / "loads.png")
    plot.draw({"footprint": Section()}, tmp_path / "nothing.png")
    assert [path.name for path in tmp_path.iterdir()] == ["loads.png"]
    assert (tmp_path / "loads.png").read_bytes().startswith(b"\x89PNG")

"""Promises of service.figures."""

import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

from service.counters import Memories, shared_memory
from service.figures import Figures

ROOT = Path(__file__).parents[2]

_OTHER = """
import sys
from service.counters import Memories
from service.figures import Figures
Figures(Memories([int(file) for file in sys.argv[1:]], own=1)).tell({"queue": 3}, {"hits": 2})
"""


def after_another_process(files: Sequence[int]) -> None:
    """Another process tells its figures, and ends."""
    command = [sys.executable, "-c", _OTHER, *map(str, files)]
    subprocess.run(command, pass_fds=files, check=True, cwd=ROOT, env={**os.environ, "PYTHONPATH": str(ROOT)})


def test_gauges_are_those_that_were_told_last() -> None:
    """One that is not named any more is 0."""
    figures = Figures()
    figures.tell({"queue": 3, "pending": 1}, {})
    figures.tell({"queue": 2}, {})
    assert figures.gauges() == {"queue": 2, "pending": 0}
    assert figures.processes() == {1: os.getpid()}


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_gauges_of_a_process_end_with_it_and_counters_do_not() -> None:
    """Whoever lives tells of both."""
    files = [shared_memory(), shared_memory()]
    figures = Figures(Memories(files))
    figures.tell({"queue": 1}, {"hits": 5})
    after_another_process(files)
    assert figures.gauges() == {"queue": 1}
    assert figures.counters() == {"hits": 7}
    assert figures.processes() == {1: os.getpid()}


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_a_process_counts_on_where_the_one_before_it_stopped() -> None:
    """And its gauges begin at 0."""
    file = shared_memory()
    Figures(Memories([file])).tell({"queue": 4}, {"hits": 5})
    after = Figures(Memories([file]))
    assert after.gauges() == {"queue": 0}
    after.tell({"queue": 1}, {"hits": 1})
    after.tell({"queue": 1}, {"hits": 3})
    assert after.counters() == {"hits": 8}

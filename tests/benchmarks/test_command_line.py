"""The command `python -m benchmarks`."""

import subprocess
import sys

from typer.testing import CliRunner

from benchmarks.command_line import Name, app


def test_the_help_tells_what_can_be_measured() -> None:
    """Every section by its name."""
    shown = CliRunner().invoke(app, ["--help"], env={"COLUMNS": "200"}).output
    assert [name for name in Name if name not in shown] == []


def test_what_cannot_be_measured_is_refused_with_what_can() -> None:
    """A name is not guessed."""
    result = CliRunner().invoke(app, ["--only", "photos"], env={"COLUMNS": "200"})
    assert result.exit_code == 2
    assert "'large-photo'" in result.output


def test_memory_is_measured_before_anything_heavy_is_imported() -> None:
    """A library that the benchmark had in memory too would count for half."""
    code = "import sys, benchmarks.command_line; print({'numpy', 'onnxruntime', 'PIL'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", code], check=True, capture_output=True, text=True)
    assert done.stdout == "set()\n"

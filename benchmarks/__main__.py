"""`python -m benchmarks`."""

from benchmarks.command_line import app

app()

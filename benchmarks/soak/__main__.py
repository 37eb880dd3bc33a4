"""`python -m benchmarks.soak` runs the command."""

from benchmarks.soak.command_line import app

app()

"""`striate health` beside a running service, as a container runs it."""

import subprocess
import sys

import pytest

from tests.e2e.conftest import ROOT, Server


@pytest.mark.parametrize("flags", [(), ("--live",)])
def test_it_finds_the_service(server: Server, flags: tuple[str, ...]) -> None:
    """Ready, and alive."""
    command = [sys.executable, "-m", "service", "health", "--port", str(server.port), *flags]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    assert (run.returncode, run.stdout, run.stderr) == (0, "live\n" if flags else "ready\n", "")

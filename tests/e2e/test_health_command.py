"""`striate health` beside a running service, as a container runs it."""

import subprocess
import sys
from pathlib import Path

import pytest

from tests import certificates, tiny_models
from tests.e2e.conftest import ROOT, Server, Start


def health(server: Server, *flags: str) -> tuple[int, str, str]:
    """Its status, and what it prints."""
    command = [sys.executable, "-m", "service", "health", "--port", str(server.port), *flags]
    run = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)
    return run.returncode, run.stdout, run.stderr


@pytest.mark.parametrize("flags", [(), ("--live",)])
def test_it_finds_the_service(server: Server, flags: tuple[str, ...]) -> None:
    """Ready, and alive."""
    assert health(server, *flags) == (0, "live\n" if flags else "ready\n", "")


def test_it_finds_one_that_speaks_https(start: Start, repository: Path, tmp_path: Path) -> None:
    """By the same settings; nobody need vouch for its certificate."""
    tiny_models.publish(repository)
    made = certificates.make(tmp_path)
    flags = ["--tls-certificate", str(made.certificate)]
    with start(repository, *flags, "--tls-key", str(made.key)) as server:
        assert health(server, *flags) == (0, "ready\n", "")
        assert health(server)[0] == 1

"""Promises of `striate serve` about what a start imports: most of its time is that."""

import socket
import subprocess
import sys
from pathlib import Path

import pytest

from tests import tiny_models


def imported(program: str, *arguments: str) -> set[str]:
    """The modules that a process has imported when `program` has run with the arguments of `striate`."""
    told = f"import sys\n{program}\nprint(*sys.modules, sep='\\n')"
    run = subprocess.run([sys.executable, "-c", told, *arguments], capture_output=True, text=True, check=True)
    return set(run.stdout.splitlines())


HELP = """
from service.__main__ import main
try:
    main()
except SystemExit:
    pass
"""

# All of a start, but for the server, which would serve.
START = """
import service.http.server
service.http.server.Server.run = lambda _: None
from service.__main__ import main
try:
    main()
except SystemExit:
    pass
"""


def test_help_imports_nothing_that_serves() -> None:
    """Nor does a supervisor of workers, which begins like it."""
    found = imported(HELP, "serve", "--help")
    assert "service.settings" in found
    assert found.isdisjoint({"fastapi", "numpy", "onnx", "onnxruntime", "service.engine", "service.http"})


@pytest.mark.parametrize("module", ["onnx.reference", "rich.console", "opentelemetry.sdk", "service.http.tracing"])
def test_a_start_imports_nothing_that_few_need(repository: Path, module: str) -> None:
    """The evaluator of shapes, what draws on terminals, and what sends traces are imported when they are needed."""
    tiny_models.publish(repository)
    found = imported(START, "serve", "--models", str(repository), "--device", "cpu", "--port", "0")
    assert {"fastapi", "onnxruntime", "service.http.app"} <= found
    assert module not in found


def test_a_start_that_fails_says_why_while_models_load(repository: Path, tmp_path: Path) -> None:
    """Models are loading when the file of keys turns out to be missing: one line, and the status 1."""
    tiny_models.publish(repository)
    said = refused(
        "--models", str(repository), "--device", "cpu", "--keys-file", str(tmp_path / "missing"), "--port", "0"
    )
    assert "error:" in said
    assert "missing" in said
    assert "Traceback" not in said


def test_an_address_in_use_is_refused_before_models_load(repository: Path) -> None:
    """One line that says which, and the status 1."""
    tiny_models.publish(repository)
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        said = refused("--models", str(repository), "--device", "cpu", "--port", str(port))
    assert said.startswith(f"error: cannot listen on host '127.0.0.1', port {port}: Address already in use")
    assert said.count("\n") == 1


def refused(*arguments: str) -> str:
    """What `striate serve` says that does not start."""
    command = [sys.executable, "-m", "service", "serve", *arguments]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 1
    return run.stderr

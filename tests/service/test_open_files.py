"""Promises of service.open_files."""

import resource
import subprocess
import sys

import pytest

from service import open_files

TRY = """
import logging, resource, sys
from service import open_files
logging.basicConfig(format="%(message)s")
resource.setrlimit(resource.RLIMIT_NOFILE, (int(sys.argv[1]), int(sys.argv[2])))
open_files.allow(1000)
print(resource.getrlimit(resource.RLIMIT_NOFILE)[0])
"""


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "allowed", "said"),
    [(256, 4096, 1512, ""), (256, 900, 900, "the system allows 900 open files"), (2000, 4096, 2000, "")],
)
def test_as_many_files_as_connections_are_allowed(soft: int, hard: int, allowed: int, said: str) -> None:
    """As far as the system lets it; where that is too few, it is told, and what is enough is left as it is."""
    assert resource.getrlimit(resource.RLIMIT_NOFILE)[1] >= 4096
    command = [sys.executable, "-c", TRY, str(soft), str(hard)]
    found = subprocess.run(command, capture_output=True, text=True, check=True)
    assert int(found.stdout) == allowed
    assert said in found.stderr
    assert bool(said) == bool(found.stderr)


@pytest.mark.skipif(sys.platform == "win32", reason="there is no such limit")
@pytest.mark.parametrize(
    ("soft", "hard", "allowed"),
    [
        pytest.param(256, resource.RLIM_INFINITY, [1512], id="up to any number"),
        pytest.param(resource.RLIM_INFINITY, resource.RLIM_INFINITY, [], id="any number"),
        pytest.param(1512, 4096, [], id="just enough"),
    ],
)
def test_a_system_may_set_no_limit(monkeypatch: pytest.MonkeyPatch, soft: int, hard: int, allowed: list[int]) -> None:
    """As macOS does: Linux always has one."""
    asked: list[int] = []
    monkeypatch.setattr(resource, "getrlimit", lambda _: (soft, hard))
    monkeypatch.setattr(resource, "setrlimit", lambda _, limits: asked.append(limits[0]))
    open_files.allow(1000)
    assert asked == allowed


def test_a_system_without_limits_is_left_alone() -> None:
    """Windows has no such module."""
    code = "import sys; sys.modules['resource'] = None; from service import open_files; open_files.allow(1000)"
    subprocess.run([sys.executable, "-c", code], check=True)

"""Runs the command as its entry point does, in this process."""

import sys
from collections.abc import Callable
from dataclasses import dataclass

import pytest

from service import command_line


@dataclass(frozen=True)
class Outcome:
    """What a command printed, and its exit status."""

    status: int
    out: str
    err: str


Striate = Callable[..., Outcome]


@pytest.fixture
def striate(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Striate:
    """The command `striate`, as `striate("models", "list")`."""
    monkeypatch.setenv("COLUMNS", "200")

    def run(*arguments: object) -> Outcome:
        monkeypatch.setattr("sys.argv", ["striate", *map(str, arguments)])
        with pytest.raises(SystemExit) as stopped:
            command_line.run(command_line.build(sys.argv[1:]))
        out, err = capfd.readouterr()
        code = stopped.value.code
        return Outcome(code if isinstance(code, int) else 0, out, err)

    return run

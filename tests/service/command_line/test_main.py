"""Promises of the command as a whole."""

from importlib.metadata import EntryPoint
from pathlib import Path

import pytest

from service import __version__, command_line
from service.command_line import GROUP, OWN
from tests.service.command_line.conftest import Striate


def test_the_version_is_told(striate: Striate) -> None:
    """One line."""
    assert striate("--version").out == f"striate {__version__}\n"


@pytest.mark.parametrize(
    "command", [(), ("serve",), ("health",), ("classify",), ("feature-maps",), ("models", "list"), ("models", "show")]
)
def test_every_help_teaches(striate: Striate, command: tuple[str, ...]) -> None:
    """Each says what it does and shows a call."""
    found = striate(*command, "--help")
    assert found.status == 0
    assert "striate" in found.out.split("Options")[0].replace("Usage: striate", "")


def test_the_help_lists_every_command(striate: Striate) -> None:
    """Those of this package, and those of others."""
    listed = striate("--help").out
    assert all(f" {command.name} " in listed for command in OWN)
    assert " export " in listed


def test_a_command_that_is_left_out_tells_how_to_get_it(striate: Striate, monkeypatch: pytest.MonkeyPatch) -> None:
    """The images have no package `export`; what stands behind the command does not matter."""
    lost = EntryPoint("export", "package_that_is_left_out.command_line:app", GROUP)
    monkeypatch.setattr(command_line, "entry_points", lambda group: [lost] if group == GROUP else [])
    for arguments in [(), ("train", "lenet5", "--epochs", "3"), ("--help",)]:
        found = striate("export", *arguments)
        assert (found.status, found.out) == (1, "")
        assert found.err.startswith("error: `striate export` is not installed here, as there is no package 'package_")
        assert "`make setup`" in found.err
    assert "Not installed here" in striate("--help").out


def test_an_unknown_command_is_told(striate: Striate) -> None:
    """With the nearest."""
    found = striate("modles", "list")
    assert found.status == 2
    assert "models" in found.err


def test_a_wrong_setting_is_one_line(striate: Striate) -> None:
    """No trace; the flag, its value, and what would be accepted."""
    found = striate("serve", "--port", "99999")
    assert (found.status, found.out) == (1, "")
    assert found.err == "error: --port is '99999': Input should be less than or equal to 65535\n"


def test_what_stands_in_brackets_is_printed(striate: Striate, tmp_path: Path) -> None:
    """As `striate[export]` in advice: it is no markup."""
    found = striate("models", "list", "--models", tmp_path / "[bold]")
    assert "[bold] cannot be read" in found.err


def test_a_missing_repository_is_one_line(striate: Striate, tmp_path: Path) -> None:
    """Before anything is served."""
    found = striate("serve", "--models", tmp_path / "missing")
    assert (found.status, found.out) == (1, "")
    assert found.err.endswith("missing cannot be read: No such file or directory\n")

"""Promises of the command as a whole."""

from pathlib import Path

import pytest

from service import __version__
from tests.service.command_line.conftest import Striate


def test_the_version_is_told(striate: Striate) -> None:
    """One line."""
    assert striate("--version").out == f"striate {__version__}\n"


@pytest.mark.parametrize(
    "command", [(), ("serve",), ("classify",), ("feature-maps",), ("models", "list"), ("models", "show")]
)
def test_every_help_teaches(striate: Striate, command: tuple[str, ...]) -> None:
    """Each says what it does and shows a call."""
    found = striate(*command, "--help")
    assert found.status == 0
    assert "striate" in found.out.split("Options")[0].replace("Usage: striate", "")


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

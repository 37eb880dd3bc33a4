"""Promises of `striate keys`."""

from pathlib import Path

import pytest

from service.keys import KeyRing, parse_keys
from tests.service.command_line.conftest import Striate


def test_a_key_and_its_line_come_apart(striate: Striate, tmp_path: Path) -> None:
    """The key for people, the line for the file: what is redirected to it holds no key."""
    made = striate("keys", "new", "web", "--role", "metrics")
    assert made.status == 0
    (tmp_path / "striate.keys").write_text(made.out)
    sent = made.err.split()[-1]
    key = KeyRing(tmp_path / "striate.keys").find(sent.encode())
    assert key
    assert (key.name, key.role) == ("web", "metrics")
    assert sent not in made.out


def test_the_role_is_that_of_a_caller_where_none_is_given(striate: Striate) -> None:
    """The one that may do least that is of use."""
    (key,) = parse_keys(striate("keys", "new", "web").out.encode())
    assert key.role == "caller"


@pytest.mark.parametrize("arguments", [("a b",), ("web", "--role", "root")])
def test_what_is_no_name_or_role_is_refused(striate: Striate, arguments: tuple[str, ...]) -> None:
    """No key is made."""
    made = striate("keys", "new", *arguments)
    assert made.status != 0
    assert made.out == ""
    assert "striate_" not in made.err


def test_the_names_and_roles_are_listed(striate: Striate, tmp_path: Path) -> None:
    """Of a file that the service would take, and of no other."""
    file = tmp_path / "striate.keys"
    file.write_text(striate("keys", "new", "web").out + striate("keys", "new", "boss", "--role", "admin").out)
    listed = [line.split()[:2] for line in striate("keys", "list", "--keys-file", file).out.splitlines()]
    assert listed == [["name", "role"], ["web", "caller"], ["boss", "admin"]]
    file.write_text("nonsense")
    assert "line 1 is no key" in striate("keys", "list", "--keys-file", file).err
    assert "give --keys-file" in striate("keys", "list").err

"""Promises of service.keys."""

import hmac
import logging
import os
from pathlib import Path

import pytest

from service.errors import SettingsError
from service.keys import Key, KeyRing, Role, digest_of, make_key, parse_keys

HASH = "sha256:" + "0" * 64


class Clock:
    """Seconds that pass when a test wants it."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        """The time."""
        return self.now


def written(file: Path, *keys: Key, text: str = "") -> Path:
    """Write a file of keys."""
    file.write_text("".join(f"{key.line()}\n" for key in keys) + text)
    return file


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """Where the file of keys is."""
    return tmp_path / "striate.keys"


def test_a_key_that_was_made_is_found(file: Path) -> None:
    """By its line in the file, among others."""
    sent, key = make_key("web", "caller")
    _, other = make_key("other", "metrics")
    ring = KeyRing(written(file, other, key))
    assert ring.find(sent.encode()) == key


@pytest.mark.parametrize("sent", ["", "striate_", "web", HASH, "\xff"])
def test_nothing_else_is_found(file: Path, sent: str) -> None:
    """Not nothing at all, nor a name, nor a hash."""
    _, key = make_key("web", "caller")
    ring = KeyRing(written(file, key))
    assert ring.find(sent.encode("latin-1")) is None
    assert ring.find(key.digest.hex().encode()) is None
    assert ring.find(key.digest) is None
    assert ring.find(key.line().split()[-1].encode()) is None


def test_a_key_is_compared_in_constant_time(file: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Whatever is sent: one comparison that takes as long for any two hashes decides, and nothing else does."""
    sent, key = make_key("web", "caller")
    ring = KeyRing(written(file, key))
    compared: list[tuple[bytes, bytes]] = []

    def differ(one: bytes, other: bytes) -> bool:
        compared.append((one, other))
        return False

    monkeypatch.setattr(hmac, "compare_digest", differ)
    for each in (sent.encode(), b"wrong", b""):
        assert ring.find(each) is None
        assert digest_of(each) in compared[-1]
    assert [len(one) == len(other) for one, other in compared] == [True] * 3


def test_keys_are_never_the_same() -> None:
    """Each has 256 random bits behind what tells that it is one."""
    made = {make_key("web", "caller")[0] for _ in range(100)}
    assert len(made) == 100
    assert all(sent.startswith("striate_") and len(sent) == len("striate_") + 43 for sent in made)


def test_the_file_does_not_hold_the_key() -> None:
    """Nor any part of it: only its SHA-256."""
    sent, key = make_key("web", "caller")
    assert key.line() == f"web caller sha256:{digest_of(sent.encode()).hex()}"
    assert sent.removeprefix("striate_")[:8] not in key.line()


def test_remarks_and_empty_lines_are_passed_over() -> None:
    """A `#` begins one, also behind a key."""
    keys = parse_keys(f"# ours\n\n  web   caller\t{HASH} # since May\n".encode())
    assert keys == [Key("web", "caller", bytes(32))]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        pytest.param(b"", "there is no key in it", id="empty"),
        pytest.param(b"# web caller\n", "there is no key in it", id="remarks"),
        pytest.param(f"web root {HASH}".encode(), "line 1 is no key; .*caller, metrics, admin", id="role"),
        pytest.param(f"\nw/b caller {HASH}".encode(), "line 2 is no key", id="name"),
        pytest.param(f"{'w' * 65} caller {HASH}".encode(), "line 1 is no key", id="long name"),
        pytest.param(f"web caller {HASH[:-1]}".encode(), "line 1 is no key", id="cut short"),
        pytest.param(f"web caller {HASH} more".encode(), "line 1 is no key", id="more"),
        pytest.param(f"web {HASH}".encode(), "line 1 is no key", id="fewer"),
        pytest.param(f"a caller {HASH}\nb admin {HASH}".encode(), "a key is there twice", id="twice"),
        pytest.param(b"\xff\xfe\0", "it is no text", id="no text"),
    ],
)
def test_what_is_no_file_of_keys_is_refused(content: bytes, message: str) -> None:
    """With the line, and what would be accepted."""
    with pytest.raises(SettingsError, match=message):
        parse_keys(content)


def test_an_error_does_not_repeat_a_key() -> None:
    """One that stands where its hash belongs is not told to whoever reads the log."""
    sent, _ = make_key("web", "caller")
    with pytest.raises(SettingsError, match="line 1 is no key") as raised:
        parse_keys(f"web caller {sent}".encode())
    assert sent not in str(raised.value)


@pytest.mark.parametrize(
    ("role", "good_for"),
    [("caller", {"caller"}), ("metrics", {"metrics"}), ("admin", {"caller", "metrics", "admin"})],
)
def test_what_a_role_is_good_for(role: Role, good_for: set[Role]) -> None:
    """Its own calls; an admin's for all."""
    roles: tuple[Role, ...] = ("caller", "metrics", "admin")
    assert {other for other in roles if Key("web", role, bytes(32)).may(other)} == good_for


def test_the_admin_key_of_the_settings_is_one_more(file: Path) -> None:
    """With the role admin; on its own it guards nothing but what an admin does."""
    _, key = make_key("web", "caller")
    clock = Clock()
    alone = KeyRing(admin_key="a-key", clock=clock)
    both = KeyRing(written(file, key), admin_key="a-key", clock=clock)
    clock.now += 60  # where there is a file, it is looked at again
    for ring in (alone, both):
        found = ring.find(b"a-key")
        assert found
        assert (found.name, found.role, ring.has_admin) == ("admin", "admin", True)
    assert (alone.guards, both.guards) == (False, True)


def test_a_changed_file_is_read_again(file: Path) -> None:
    """Within a second: a new key is good, and one that was taken out is not."""
    (old_sent, old), (new_sent, new) = make_key("web", "caller"), make_key("web", "caller")
    clock = Clock()
    ring = KeyRing(written(file, old), clock=clock)
    written(file, new)
    clock.now += 0.9
    assert ring.find(old_sent.encode()) == old
    clock.now += 0.1
    assert ring.find(old_sent.encode()) is None
    assert ring.find(new_sent.encode()) == new
    written(file, old)
    clock.now += 0.9
    assert ring.find(new_sent.encode()) == new, "it is not read at each request"
    clock.now += 0.1
    assert ring.find(old_sent.encode()) == old


def test_a_file_that_took_its_place_is_read(file: Path, tmp_path: Path) -> None:
    """As where it is replaced in one step, or is a link that leads elsewhere from now on."""
    (_, old), (sent, new) = make_key("web", "caller"), make_key("web", "caller")
    first, second = written(tmp_path / "first", old), written(tmp_path / "second", new)
    file.symlink_to(first)
    clock = Clock()
    ring = KeyRing(file, clock=clock)
    (tmp_path / "link").symlink_to(second)
    (tmp_path / "link").replace(file)
    clock.now += 1
    assert ring.find(sent.encode()) == new


def test_a_broken_file_leaves_the_keys(file: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log tells it, once and not each second; and when it is mended, it counts again."""
    (sent, key), (new_sent, new) = make_key("web", "caller"), make_key("new", "caller")
    clock = Clock()
    ring = KeyRing(written(file, key), clock=clock)
    with caplog.at_level(logging.INFO):
        for _ in range(3):
            written(file, new, text="nonsense\n")
            clock.now += 1
            assert ring.find(sent.encode()) == key
        file.unlink()
        for _ in range(3):
            clock.now += 1
            assert ring.find(sent.encode()) == key
        written(file, new)
        for _ in range(3):
            clock.now += 1
            assert ring.find(new_sent.encode()) == new
    assert [record.levelname for record in caplog.records] == ["ERROR", "ERROR", "INFO"]
    broken, gone, mended = [record.getMessage() for record in caplog.records]
    assert "the keys stay as they were" in broken
    assert "line 2 is no key" in broken
    assert "No such file" in gone
    assert "keys read again: 1 in" in mended


def test_a_file_that_is_broken_at_the_start_ends_it(file: Path) -> None:
    """The error names the setting and the file."""
    with pytest.raises(SettingsError, match="keys_file .*: striate.keys cannot be read: No such file"):
        KeyRing(file)
    file.write_text("nonsense")
    with pytest.raises(SettingsError, match=r"keys_file .*striate.keys: line 1 is no key"):
        KeyRing(file)
    file.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(SettingsError, match="striate.keys has 1,048,577 bytes; accepted: up to 1,048,576"):
        KeyRing(file)
    with pytest.raises(SettingsError, match="cannot be read: it is a folder"):
        KeyRing(file.parent)
    file.unlink()
    os.mkfifo(file)
    with pytest.raises(SettingsError, match="cannot be read: it is a pipe"):  # nobody writes to it
        KeyRing(file)


@pytest.mark.parametrize("name", ["", "a b", "a\n", "ä", "a" * 65])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    """It has to stand in a line of the file."""
    with pytest.raises(SettingsError, match="the name is "):
        make_key(name, "caller")

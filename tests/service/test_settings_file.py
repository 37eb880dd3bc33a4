"""Promises of service.settings_file, and of how its values meet flags and the environment."""

from collections.abc import Callable
from pathlib import Path

import pytest

from service.errors import SettingsError
from service.settings import read_settings

Write = Callable[[str], Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    """Writes the file of settings."""

    def written(text: str) -> Path:
        path = tmp_path / "striate.toml"
        path.write_text(text)
        return path

    return written


def test_flags_go_before_the_environment_before_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each setting is taken from the first of them that has it, else it is the default."""
    path = write('port = 1\nhost = "file"\nmax_queue = 3\n')
    monkeypatch.setenv("STRIATE_PORT", "2")
    monkeypatch.setenv("STRIATE_HOST", "environment")
    found = read_settings(config=path, port=4)
    assert (found.port, found.host, found.max_queue, found.max_images) == (4, "environment", 3, 16)


def test_an_empty_variable_hides_nothing(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """As where it is not set."""
    monkeypatch.setenv("STRIATE_PORT", "")
    assert read_settings(config=write("port = 1")).port == 1


def test_the_environment_may_name_the_file(write: Write, monkeypatch: pytest.MonkeyPatch) -> None:
    """STRIATE_CONFIG does what --config does."""
    monkeypatch.setenv("STRIATE_CONFIG", str(write("gpu_tf32 = true")))
    assert read_settings().gpu_tf32


@pytest.mark.parametrize(
    ("text", "message"),
    [
        pytest.param("port = 99999", "striate.toml: port is '99999': .*less than or equal to 65535", id="range"),
        pytest.param('port = "http"', "striate.toml: port is 'http': .*valid integer", id="type"),
        pytest.param("port = true", "striate.toml: port is true: ", id="on or off"),
        pytest.param("prot = 1", "striate.toml: prot is no setting; did you mean port?", id="misspelt"),
        pytest.param("max-queue = 1", "max-queue is no setting; did you mean max_queue?", id="as a flag"),
        pytest.param("[server]\nport = 1", "striate.toml: server is no setting; `striate serve --help`", id="table"),
        pytest.param('config = "other.toml"', "config is no setting", id="another file"),
        pytest.param("port: 1", r"striate.toml is no TOML file of settings: .*line 1", id="no TOML"),
        pytest.param("port = 1\nport = 2", "is no TOML file of settings", id="twice"),
        pytest.param("a = " + "[" * 100_000, "is no TOML file of settings", id="deep"),
        pytest.param("#" * 2**20 + "\n", "has more than the 1,048,576 bytes", id="huge"),
    ],
)
def test_a_wrong_file_is_named(write: Write, text: str, message: str) -> None:
    """The error says which file, which key, what it holds, and what would be accepted."""
    with pytest.raises(SettingsError, match=message):
        read_settings(config=write(text))


def test_every_wrong_key_is_told_at_once(write: Write) -> None:
    """Two wrong keys are two complaints in one error."""
    with pytest.raises(SettingsError, match="prot is no setting.*; .*hots is no setting"):
        read_settings(config=write("prot = 1\nhots = 1"))


def test_what_is_no_text_is_no_file_of_settings(tmp_path: Path) -> None:
    """Bytes that are no UTF-8."""
    (tmp_path / "striate.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(SettingsError, match="is no TOML file of settings"):
        read_settings(config=tmp_path / "striate.toml")


@pytest.mark.parametrize(("name", "reason"), [("", "Is a directory"), ("missing.toml", "No such file or directory")])
def test_a_file_that_cannot_be_read_is_named(tmp_path: Path, name: str, reason: str) -> None:
    """With the reason: what was named must not be passed over."""
    with pytest.raises(SettingsError, match=f"cannot be read: {reason}"):
        read_settings(config=tmp_path / name)


def test_a_secret_is_not_printed(write: Write) -> None:
    """Where the value of the key is wrong, the error does not tell it."""
    with pytest.raises(SettingsError, match="admin_key: .*valid string") as raised:
        read_settings(config=write("admin_key = 12345"))
    assert "12345" not in str(raised.value)

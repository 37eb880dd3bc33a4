"""Promises of service.settings."""

import pytest

from service.errors import SettingsError
from service.settings import Settings, read_settings


def test_a_flag_goes_before_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """A flag wins over the environment, which wins over the default."""
    monkeypatch.setenv("STRIATE_PORT", "8001")
    monkeypatch.setenv("STRIATE_HOST", "0.0.0.0")
    found = read_settings(port=8002, host=None)
    assert (found.port, found.host, found.device) == (8002, "0.0.0.0", "auto")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        pytest.param("STRIATE_PORT", "99999", "STRIATE_PORT is '99999': .*less than or equal to 65535", id="range"),
        pytest.param("STRIATE_PORT", "http", "STRIATE_PORT is 'http': .*valid integer", id="type"),
        pytest.param("STRIATE_DEVICE", "gpu", "STRIATE_DEVICE is 'gpu': .*'auto', 'cpu' or 'cuda'", id="choice"),
        pytest.param("STRIATE_PROT", "1", "STRIATE_PROT is no setting; did you mean STRIATE_PORT", id="misspelt"),
    ],
)
def test_a_wrong_variable_is_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str, message: str) -> None:
    """The error says which variable is wrong, what it holds, and what would be accepted."""
    monkeypatch.setenv(name, value)
    with pytest.raises(SettingsError, match=message):
        read_settings()


def test_a_wrong_flag_is_named() -> None:
    """The error says which flag is wrong."""
    with pytest.raises(SettingsError, match="--max-images is '0'"):
        read_settings(max_images=0)


def test_every_wrong_setting_is_told_at_once() -> None:
    """Two wrong settings are two complaints in one error."""
    with pytest.raises(SettingsError, match="--port.*; --max-queue"):
        read_settings(port=-1, max_queue=-1)


@pytest.mark.parametrize(
    "name", [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
)
@pytest.mark.parametrize("value", ["-1", "nan", "-inf", "one"])
def test_a_number_is_none_below_zero(name: str, value: str) -> None:
    """Nor what is no number; `docs/settings.md` tells the whole range of each."""
    with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')} is '{value}'"):
        read_settings(**{name: value})


def test_every_setting_says_what_it_means() -> None:
    """Each setting has a description that ends like a sentence."""
    wrong = [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")]
    assert wrong == []

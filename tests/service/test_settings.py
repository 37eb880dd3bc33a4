"""Promises of service.settings."""

import re
from collections.abc import Callable
from pathlib import Path
from typing import Final

import pytest

from service.errors import SettingsError
from service.settings import Settings, read_settings

Give = Callable[[str, object], Settings]


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


def test_a_time_without_end_is_refused_wherever_it_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """TOML has words for infinity and for what is no number, and a variable is text; each is told with its source."""
    file = tmp_path / "settings.toml"
    file.write_text("deadline_seconds = inf\nbody_timeout_seconds = nan")
    monkeypatch.setenv("STRIATE_SEND_TIMEOUT_SECONDS", "inf")
    with pytest.raises(SettingsError) as refusal:
        read_settings(config=file, head_timeout_seconds=float("inf"))
    for source in (
        f"{file}: deadline_seconds is 'inf'",
        f"{file}: body_timeout_seconds is 'nan'",
        "STRIATE_SEND_TIMEOUT_SECONDS is 'inf'",
        "--head-timeout-seconds is 'inf'",
    ):
        assert f"{source}: Input should be a finite number" in str(refusal.value)


# Of each number: what is just below its range, the least and the most that are accepted, and what is just above; None
# where it has no upper end.
RANGES: Final[dict[str, tuple[float, float, float | None, float | None]]] = {
    "watch_seconds": (-0.001, 0, 86_400, 86_400.001),
    "max_model_bytes": (0, 1, None, None),
    "max_run_bytes": (0, 1, None, None),
    "port": (-1, 0, 65_535, 65_536),
    "threads": (-1, 0, 1024, 1025),
    "workers": (0, 1, 128, 129),
    "max_batch": (-1, 0, 1024, 1025),
    "gpu_memory_bytes": (-1, 0, None, None),
    "max_connections": (0, 1, 1_000_000, 1_000_001),
    "head_timeout_seconds": (0, 0.001, None, None),
    "keep_alive_seconds": (0, 1, None, None),
    "send_timeout_seconds": (0, 0.001, None, None),
    "max_head_bytes": (1023, 1024, None, None),
    "max_url_bytes": (255, 256, 65_535, 65_536),
    "max_headers": (0, 1, None, None),
    "max_body_bytes": (0, 1, None, None),
    "max_pixels": (0, 1, 150_000_000, 150_000_001),
    "max_images": (0, 1, 1024, 1025),
    "max_layers": (0, 1, None, None),
    "max_json_depth": (0, 1, 32, 33),
    "max_json_values": (1023, 1024, None, None),
    "max_answer_bytes": (0, 1, None, None),
    "max_held_bytes": (-1, 0, None, None),
    "max_queue": (-1, 0, None, None),
    "deadline_seconds": (0, 0.001, None, None),
    "body_timeout_seconds": (0, 0.001, None, None),
    "session_cache_bytes": (-1, 0, None, None),
    "client_rate": (-0.001, 0, 1_000_000, 1_000_000.001),
    "client_burst": (0, 1, 1_000_000, 1_000_001),
    "shutdown_seconds": (-1, 0, None, None),
}


@pytest.fixture(params=["flag", "environment", "file"])
def give(request: pytest.FixtureRequest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Give:
    """Makes the settings with one given as a flag, in the environment or in a file."""

    def given(name: str, value: object) -> Settings:
        match request.param:
            case "flag":
                return read_settings(**{name: str(value)})
            case "environment":
                monkeypatch.setenv(f"STRIATE_{name.upper()}", str(value))
                return read_settings()
        path = tmp_path / "striate.toml"
        path.write_text(f"{name} = {value}\n")
        return read_settings(config=path)

    return given


def test_the_range_of_every_number_is_written_here() -> None:
    """So that none is left out below."""
    numbers = [name for name, field in Settings.model_fields.items() if field.annotation in (int, float)]
    assert list(RANGES) == numbers


@pytest.mark.parametrize("name", RANGES)
def test_a_number_has_a_range(give: Give, name: str) -> None:
    """Both ends of it are accepted, and nothing beyond them, wherever it is given."""
    too_low, least, most, too_high = RANGES[name]
    anyhow = name.replace("_", "[-_]")
    for good in (least, most):
        assert good is None or getattr(give(name, good), name) == good
    for wrong in (too_low, too_high):
        if wrong is not None:
            with pytest.raises(SettingsError, match=f"(?i){anyhow} is '{re.escape(str(wrong))}'"):
                give(name, wrong)


@pytest.mark.parametrize("name", RANGES)
@pytest.mark.parametrize("value", ["nan", "inf", "-inf", "1e400", "one"])
def test_a_number_is_one_and_finite(name: str, value: str) -> None:
    """What is none, or has no end, is refused."""
    with pytest.raises(SettingsError, match=f"--{name.replace('_', '-')} is '{value}'"):
        read_settings(**{name: value})


def test_models_that_are_required_are_separated_by_commas() -> None:
    """Nothing between two of them is no name."""
    assert Settings(required_models=" a, ,b,").required == ("a", "b")
    assert Settings().required == ()


def test_every_setting_says_what_it_means() -> None:
    """Each setting has a description that ends like a sentence."""
    wrong = [name for name, field in Settings.model_fields.items() if not (field.description or "").endswith(".")]
    assert wrong == []

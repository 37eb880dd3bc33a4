"""What many tests share."""

import os
from importlib.util import find_spec
from pathlib import Path

import pytest
from hypothesis import settings as hypothesis_settings

from service.errors import DeviceError
from service.runtime import open_device
from service.settings import ENVIRONMENT_PREFIX, Settings

# The same examples at each run, and no limit to the time that one takes: whether a test fails is not for chance to say,
# nor for how busy the machine is.  `--hypothesis-profile=default` looks elsewhere each time.
hypothesis_settings.load_profile("ci")


def why_no_gpu() -> str | None:
    """Why CUDA does not come up here; None where it does."""
    try:
        open_device("cuda")
    except DeviceError as error:
        return str(error)
    return None


NO_GPU = why_no_gpu()
# Left out and not skipped: a machine without a GPU, as that of CI, has all that its own tests need.
# The tests of a cluster have an environment of their own (`make ray-test`), and those of images take the rights that
# building them takes (`make image-test`).
collect_ignore = ["container", *(["gpu"] if NO_GPU else []), *([] if find_spec("ray") else ["ray"])]


def pytest_report_header() -> str:
    """Say whether the tests of the GPU are part of the run."""
    return f"tests/gpu: left out, {NO_GPU}" if NO_GPU else "tests/gpu: part of this run"


def pytest_sessionfinish(session: pytest.Session) -> None:
    """In CI a test that was skipped is a failure: CI has what every test needs."""
    reporter = session.config.pluginmanager.get_plugin("terminalreporter")
    if reporter and reporter.stats.get("skipped") and os.environ.get("CI") == "true":
        session.exitstatus = pytest.ExitCode.TESTS_FAILED


PHOTOS = Path(__file__).parent / "photos"


@pytest.fixture(autouse=True)
def clean_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    """No setting of the developer's own reaches a test."""
    for name in list(os.environ):
        if name.startswith(ENVIRONMENT_PREFIX):
            monkeypatch.delenv(name)


@pytest.fixture
def repository(tmp_path: Path) -> Path:
    """The folder of an empty model repository."""
    root = tmp_path / "models"
    root.mkdir()
    return root


@pytest.fixture
def settings(repository: Path) -> Settings:
    """Settings for the empty model repository."""
    return Settings(models=repository, device="cpu", threads=1)


@pytest.fixture
def chelsea() -> bytes:
    """A photo of a cat, 451x300, JPEG."""
    return (PHOTOS / "chelsea.jpg").read_bytes()


@pytest.fixture
def coffee() -> bytes:
    """A photo of a cup of coffee, 600x400, JPEG."""
    return (PHOTOS / "coffee.jpg").read_bytes()

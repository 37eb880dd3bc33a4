"""The image that is tested, built once: `make image-test`, `make image-test-cuda`."""

import os
import socket
import tempfile
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager
from functools import partial
from pathlib import Path

import pytest

from tests.container.building import Image, built
from tests.container.running import Container, running

Tell = Callable[[str], None]
Run = Callable[..., AbstractContextManager[Container]]


def pytest_addoption(parser: pytest.Parser) -> None:
    """Which target, and on which base."""
    parser.addoption("--target", choices=["cpu", "cuda"], default="cpu", help="target of the Dockerfile")
    parser.addoption("--base", help="base image, of a registry; without it, one is made of Debian's packages")


def pytest_ignore_collect(collection_path: Path, config: pytest.Config) -> bool | None:
    """What is promised of one target only is asked of that one."""
    other = {"cpu": "cuda", "cuda": "cpu"}[config.getoption("--target")]
    return True if collection_path.name == f"test_{other}.py" else None


FIGURES = pytest.StashKey[list[str]]()


def pytest_configure(config: pytest.Config) -> None:
    """Begin; without what it takes, rather not."""
    if os.geteuid() != 0:
        pytest.exit("images are built and run here by root only: sudo make image-test", returncode=1)
    config.stash[FIGURES] = []


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter, config: pytest.Config) -> None:
    """Print what was measured."""
    for figure in config.stash[FIGURES]:
        terminalreporter.write_line(figure)


@pytest.fixture
def tell(request: pytest.FixtureRequest) -> Tell:
    """Takes a figure that was measured, to be printed at the end."""
    return request.config.stash[FIGURES].append


@pytest.fixture(scope="session")
def image(request: pytest.FixtureRequest) -> Iterator[Image]:
    """The image."""
    work = Path(tempfile.mkdtemp(prefix="striate-image-", dir="/var/tmp"))
    with built(request.config.getoption("--target"), request.config.getoption("--base"), work) as made:
        yield made


@pytest.fixture
def run(image: Image, tmp_path: Path) -> Run:
    """Runs the image, on a free port."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    return partial(running, image, tmp_path / "container.log", port)


@pytest.fixture(scope="module")
def container(image: Image, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Container]:
    """The image as it is run by default, ready."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = listener.getsockname()[1]
    with running(image, tmp_path_factory.mktemp("run") / "container.log", port) as started:
        started.wait_until_ready()
        yield started

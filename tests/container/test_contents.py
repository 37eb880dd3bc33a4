"""What is in an image, and what is not."""

import re
from pathlib import Path

import pytest

from tests.container.building import ROOT, Image


@pytest.fixture
def packages(image: Image) -> Path:
    """Where Python finds what was installed."""
    (found,) = image.folder.glob("opt/striate/lib/python3*/site-packages")
    return found


def test_how_it_is_run(image: Image) -> None:
    """By the command itself and no shell, so that signals reach it; as a user who is not root, by number."""
    assert image.command == ["striate", "serve"]
    assert image.config["User"] == "10001:10001"
    assert image.config["ExposedPorts"] == {"8000/tcp": {}}
    assert image.config["StopSignal"] == "SIGTERM"
    assert image.config["Healthcheck"]["Test"] == ["CMD", "striate", "health"]


def test_it_says_what_it_is(image: Image) -> None:
    """By the labels of the Open Container Initiative."""
    labels = {name.rpartition(".")[2]: value for name, value in image.config["Labels"].items()}
    assert labels["title"] == "Striate"
    assert labels["licenses"] == "Apache-2.0"
    assert re.fullmatch(r"[0-9a-f]{40}|unknown", labels["revision"])


def test_it_has_what_serving_needs_and_no_more(packages: Path) -> None:
    """Not what trains networks, nor what installs and builds packages."""
    assert (packages / "service" / "page" / "index.html").exists()
    for name in ("export", "torch", "pip", "setuptools", "hatchling", "pluggy", "pytest"):
        assert list(packages.glob(f"{name}*")) == []


@pytest.mark.parametrize("pattern", ["*.pyc", "*.pyi", "*.h", "*.a"])
def test_it_has_nothing_that_is_not_read(packages: Path, pattern: str) -> None:
    """Neither types and headers nor the bytecode of what is never imported: the rest has its own place."""
    assert list(packages.rglob(pattern)) == []


def test_it_has_no_tests(packages: Path) -> None:
    """Those of packages, which come with data."""
    assert [path for path in packages.rglob("*") if path.name in {"test", "tests"}] == []


def test_it_has_no_compiler(image: Image) -> None:
    """None in the base either."""
    found = [name for name in ("gcc", "cc", "g++", "clang", "ld", "make") for _ in image.folder.glob(f"usr/bin/{name}")]
    assert found == []


def test_it_has_the_shipped_models(image: Image) -> None:
    """All files of each."""
    shipped = {path.relative_to(ROOT) for path in (ROOT / "models").rglob("*") if path.is_file()}
    assert {
        path.relative_to(image.folder) for path in (image.folder / "models").rglob("*") if path.is_file()
    } == shipped


def test_its_user_owns_nothing(image: Image) -> None:
    """So that it can change nothing where an engine lets it write: neither the program nor the models."""
    for folder in ("opt", "models"):
        for path in (image.folder / folder, *(image.folder / folder).rglob("*")):
            if path.is_symlink():
                continue
            status = path.stat()
            assert (status.st_uid, status.st_gid) == (0, 0), path
            assert not status.st_mode & 0o002, path
            assert status.st_mode & 0o004, path

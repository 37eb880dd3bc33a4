"""Whoever serves installs what serving needs, and nothing else."""

import re
import tomllib
from importlib.metadata import PackageNotFoundError, files

from tests.contracts.test_safety import ROOT, SOURCES, imported

# What is used without being imported.
UNSEEN = {
    "fastapi-offline": "its files are served",
    "uvloop": "uvicorn takes it where it is there",
}


def provided(package: str) -> set[str] | None:
    """The top-level modules of a package; None where there is none for this platform."""
    try:
        return {file.parts[0].removesuffix(".py") for file in files(package) or ()}
    except PackageNotFoundError:
        return None


def test_the_service_imports_what_it_depends_on() -> None:
    """What export or the tests alone need is in their lists, and in no image."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
    packages = {re.split(r"[^\w.-]", line)[0] for line in project["dependencies"]} - UNSEEN.keys()
    imports = {name.partition(".")[0] for tree in SOURCES.values() for name in imported(tree)}
    assert [name for name in packages if imports.isdisjoint(provided(name) or imports)] == []

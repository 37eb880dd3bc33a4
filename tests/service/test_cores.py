"""Promises of service.cores."""

import os
from pathlib import Path

import pytest

from service.cores import available_cores


@pytest.fixture
def eight_cores(monkeypatch: pytest.MonkeyPatch) -> None:
    """A machine that lets the process run on eight cores."""
    monkeypatch.setattr(os, "sched_getaffinity", lambda _: set(range(8)), raising=False)


def write(path: Path, text: str) -> None:
    """Write a file of a cgroup tree."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(
    ("cpu_max", "cores"),
    [("max 100000\n", 8), ("150000 100000\n", 2), ("50000 100000\n", 1), ("6400000 100000\n", 8)],
)
def test_the_quota_of_a_container_counts(tmp_path: Path, cpu_max: str, cores: int) -> None:
    """Cgroup v2: the quota, rounded up, limits the cores, and never raises them."""
    write(tmp_path / "cpu.max", cpu_max)
    assert available_cores(tmp_path) == cores


@pytest.mark.usefixtures("eight_cores")
@pytest.mark.parametrize(("quota", "cores"), [("-1", 8), ("250000", 3)])
def test_the_older_kind_of_quota_counts_too(tmp_path: Path, quota: str, cores: int) -> None:
    """Cgroup v1: quota over period; -1 is none."""
    write(tmp_path / "cpu" / "cpu.cfs_quota_us", quota)
    write(tmp_path / "cpu" / "cpu.cfs_period_us", "100000")
    assert available_cores(tmp_path) == cores


@pytest.mark.usefixtures("eight_cores")
def test_no_cgroup_is_no_limit(tmp_path: Path) -> None:
    """Where there is no cgroup file system, the affinity alone counts."""
    assert available_cores(tmp_path / "missing") == 8

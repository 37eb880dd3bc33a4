"""How many cores the service may use: the container's share, which ONNX Runtime does not look at."""

import math
import os
from pathlib import Path

_CGROUP = Path("/sys/fs/cgroup")


def available_cores(cgroup: Path = _CGROUP) -> int:
    """The number of cores that this process may keep busy, at least 1.

    It is the smaller of the CPU affinity and the CPU quota of the cgroup, rounded up (cgroup v2 `cpu.max`,
    else v1 `cpu.cfs_quota_us` over `cpu.cfs_period_us`).

    Args:
        cgroup: Where the cgroup file system is mounted.
    """
    # Only Linux knows affinities.
    cores = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    quota = _quota_v2(cgroup / "cpu.max") or _quota_v1(cgroup / "cpu")
    return max(1, min(cores, math.ceil(quota))) if quota else cores


def _quota_v2(path: Path) -> float | None:
    """`max 100000` is no limit; `150000 100000` is one core and a half."""
    match _words(path):
        case [quota, period] if quota != "max":
            return int(quota) / int(period)
    return None


def _quota_v1(folder: Path) -> float | None:
    """A quota of -1 is no limit."""
    match _words(folder / "cpu.cfs_quota_us"), _words(folder / "cpu.cfs_period_us"):
        case [quota], [period] if int(quota) > 0:
            return int(quota) / int(period)
    return None


def _words(path: Path) -> list[str]:
    try:
        return path.read_text().split()
    except OSError:
        return []

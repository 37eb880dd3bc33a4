"""One training on several devices, and on several machines: processes on the CPU stand for both."""

import os
import socket
import subprocess
import sys
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from export import publishing

# Two epochs of eleven steps.
_FEW = ("--epochs", "2", "--batch-size", "8", "--accelerator", "cpu")


def train(dataset: Path, models: Path, *more: str, **environment: str) -> subprocess.Popen[str]:
    """The command as a process of its own, on 96 pictures."""
    command = [sys.executable, "-m", "service", "export", "train", "lenet5", "--data", dataset, "--models", models]
    cache = models.with_name(f"{models.name}-cache")
    return subprocess.Popen(
        [*map(str, command), *_FEW, *more],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache), **environment},
    )


def finished(*processes: subprocess.Popen[str]) -> None:
    """Wait for all of them: none may fail."""
    told = [process.communicate()[1] for process in processes]
    assert [process.returncode for process in processes] == [0] * len(processes), told


def test_several_learn_together_what_one_would(dataset: Path, tmp_path: Path) -> None:
    """Each takes its part of every batch; the first of them publishes, and all end well."""
    alone, devices, nodes = (tmp_path / name for name in ("alone", "devices", "nodes"))
    finished(train(dataset, alone))
    finished(train(dataset, devices, "--devices", "2"))
    with socket.create_server(("127.0.0.1", 0)) as free:
        meeting = {"MASTER_ADDR": "127.0.0.1", "MASTER_PORT": str(free.getsockname()[1])}
    finished(*(train(dataset, nodes, "--nodes", "2", NODE_RANK=rank, **meeting) for rank in ("0", "1")))
    expected = history(alone)
    np.testing.assert_allclose(history(devices), expected, rtol=0.01)
    np.testing.assert_allclose(history(nodes), expected, rtol=0.01)


def history(models: Path) -> NDArray[np.float64]:
    """Losses and accuracy of each epoch, once the files of the published version are found to fit each other."""
    folder = publishing.read(models / "lenet5" / "1").folder
    return np.genfromtxt(folder / "history.csv", delimiter=",", skip_header=1)

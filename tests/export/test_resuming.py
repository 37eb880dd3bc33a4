"""A training that is killed in the middle of an epoch, and the same command once more."""

import os
import signal
import subprocess
import sys
from pathlib import Path

import numpy as np

from export import publishing

_COMMAND = "from export.command_line import app; app()"


def train(dataset: Path, models: Path, cache: Path, *, epochs: int = 4) -> subprocess.Popen[str]:
    """The command as a process of its own, on 96 pictures."""
    arguments = ["train", "lenet5", "--data", dataset, "--models", models, "--epochs", epochs, "--batch-size", 2]
    return subprocess.Popen(
        [sys.executable, "-u", "-c", _COMMAND, *map(str, arguments)],
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "XDG_CACHE_HOME": str(cache)},
    )


def test_a_kill_in_the_middle_of_an_epoch_changes_nothing(dataset: Path, tmp_path: Path) -> None:
    """`kill -9` after the second epoch was told, then the same command: it goes on, and every weight is the same."""
    with train(dataset, tmp_path / "undisturbed", tmp_path / "other") as undisturbed:
        assert undisturbed.wait() == 0
    with train(dataset, tmp_path / "killed", tmp_path / "cache") as process:
        assert process.stderr is not None
        # The third epoch has 44 steps to go when the line of the second one is there.
        assert any(line.startswith("epoch 2 of 4") for line in process.stderr)
        os.kill(process.pid, signal.SIGKILL)
        assert process.wait() == -signal.SIGKILL
    assert not (tmp_path / "killed").exists()
    with train(dataset, tmp_path / "killed", tmp_path / "cache") as again:
        _, told = again.communicate()
    assert "going on after epoch " in told
    assert "epoch 1 of 4" not in told
    first, second = (publishing.read(tmp_path / name / "lenet5" / "1") for name in ("undisturbed", "killed"))
    assert first.metadata.artifact == second.metadata.artifact
    histories = [(each.folder / "history.csv").read_text() for each in (first, second)]
    assert histories[0] == histories[1]
    assert len(np.genfromtxt(second.folder / "history.csv", delimiter=",", skip_header=1)) == 4
    assert list((tmp_path / "cache" / "striate" / "training").iterdir()) == []

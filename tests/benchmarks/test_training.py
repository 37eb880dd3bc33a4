"""Promises of benchmarks.training."""

import dataclasses

import pytest
import torch
import typer

from benchmarks import training
from benchmarks.training import Timed
from export.recipes import RECIPES


def test_images_a_second_are_counted_from_the_first_batch_to_the_last() -> None:
    """Three batches of eight, half a second apart: sixteen images in a second."""
    timed = Timed(torch.zeros(24, 1, 1, 1), torch.zeros(24), times=[1.0, 1.5, 2.0])
    assert timed.per_second(8) == 16


def test_both_loops_are_timed() -> None:
    """In either order."""
    recipe = dataclasses.replace(RECIPES["lenet5"], epochs=1, batch_size=8)
    for ours_first in (False, True):
        assert min(training.measure(recipe, batches=3, ours_first=ours_first)) > 0


def test_it_fails_below_the_goal(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    """By the median of the rounds."""
    monkeypatch.setattr(training, "measure", lambda *_, **__: (100.0, 96.0))
    training.main(rounds=3, names=["lenet5"])
    assert "0.960" in capsys.readouterr().out
    monkeypatch.setattr(training, "measure", lambda *_, **__: (100.0, 94.0))
    with pytest.raises(typer.Exit) as ended:
        training.main(rounds=3, names=["lenet5"])
    assert ended.value.exit_code == 1

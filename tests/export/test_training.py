"""Training on a handful of images."""

import dataclasses
from pathlib import Path

import pytest
import torch

from export import data, training
from export.recipes import RECIPES, Augmentation, Recipe
from export.training import Epoch


@pytest.fixture
def recipe() -> Recipe:
    """Small enough for a test: eight images in a batch, three epochs, nothing left to chance."""
    return dataclasses.replace(
        RECIPES["lenet5"], batch_size=8, epochs=3, learning_rate=0.003, augmentation=Augmentation(flip=True, shift=1)
    )


def test_training_learns_and_tells_of_each_epoch(
    dataset: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The loss falls, the network comes in evaluation mode, and nothing is left in the working directory."""
    monkeypatch.chdir(tmp_path)
    before = sorted(tmp_path.rglob("*"))
    trained = training.fit(recipe, data.load(dataset, recipe), progress=False)
    assert [epoch.epoch for epoch in trained.history] == [1, 2, 3]
    assert trained.history[-1].train_loss < trained.history[0].train_loss
    assert not trained.network.training
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_seed_gives_the_same_network(dataset: Path, recipe: Recipe) -> None:
    """A published model can be made again; another seed makes another one."""
    splits = data.load(dataset, recipe)
    first, again = (training.fit(recipe, splits, progress=False) for _ in range(2))
    assert first.history == again.history
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])
    assert training.fit(dataclasses.replace(recipe, seed=9), splits, progress=False).history != first.history


def test_the_epoch_with_the_best_accuracy_is_taken(dataset: Path, recipe: Recipe) -> None:
    """The network gives, on the held back images, what the history says of its best epoch."""
    splits = data.load(dataset, recipe)
    trained = training.fit(recipe, splits, progress=False)
    with torch.inference_mode():
        answers = trained.network(data.normalise(splits.validation.pixels.unsqueeze(1), recipe.input)).argmax(1)
    accuracy = float((answers == splits.validation.labels).float().mean())
    assert accuracy == pytest.approx(max(epoch.validation_accuracy for epoch in trained.history))


def test_checkpoints_are_kept_where_that_is_asked_for(dataset: Path, recipe: Recipe, tmp_path: Path) -> None:
    """The best and the last epoch."""
    folder = tmp_path / "checkpoints"
    quick = dataclasses.replace(recipe, epochs=1, limit_batches=2)
    training.fit(quick, data.load(dataset, recipe), checkpoints=folder, progress=False)
    assert "last.ckpt" in {path.name for path in folder.iterdir()}


def test_a_history_is_read_as_it_was_written() -> None:
    """The curve of a card can be drawn again."""
    history = (Epoch(1, 0.5, 0.25, 0.875), Epoch(2, 0.125, 0.375, 0.9))
    text = training.write_history(history)
    assert text.splitlines()[0] == "epoch,train_loss,validation_loss,validation_accuracy"
    assert training.read_history(text) == history

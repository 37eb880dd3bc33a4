"""Training on a handful of images."""

import dataclasses
import re
import resource
import shutil
from pathlib import Path

import pytest
import torch

from export import checkpoints, data, history, training
from export.checkpoints import Checkpoints
from export.errors import CheckpointError, RecipeError, SpaceError, TrainingError
from export.images import Splits
from export.recipes import RECIPES, Augmentation, Recipe
from export.training import Hardware, Surroundings

QUIET = Surroundings(progress=False)


def kept_in(folder: Path, recipe: Recipe, splits: Splits, *, restart: bool = False) -> Surroundings:
    """What takes a training up from a folder."""
    run = checkpoints.identity(recipe, splits.digest())
    return Surroundings(Checkpoints(folder, run, restart), progress=False)


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
    trained = training.fit(recipe, data.load(dataset, recipe), QUIET)
    assert [epoch.epoch for epoch in trained.history] == [1, 2, 3]
    assert trained.history[-1].train_loss < trained.history[0].train_loss
    assert not trained.network.training
    assert sorted(tmp_path.rglob("*")) == before


def test_the_same_seed_gives_the_same_network(dataset: Path, recipe: Recipe) -> None:
    """A published model can be made again; another seed makes another one."""
    splits = data.load(dataset, recipe)
    first, again = (training.fit(recipe, splits, QUIET) for _ in range(2))
    assert first.history == again.history
    for name, value in first.network.state_dict().items():
        assert torch.equal(value, again.network.state_dict()[name])
    assert training.fit(dataclasses.replace(recipe, seed=9), splits, QUIET).history != first.history


@pytest.mark.parametrize("steps", [1, 4, 5, 6])
def test_a_training_can_be_as_short_as_one_likes(dataset: Path, recipe: Recipe, steps: int) -> None:
    """Of so few steps, a fifth of which are the way up to the highest learning rate, one or none are left."""
    short = dataclasses.replace(recipe, epochs=1, limit_batches=steps, warm_up=0.2)
    assert len(training.fit(short, data.load(dataset, short), QUIET).history) == 1


def test_the_epoch_with_the_best_accuracy_is_taken(dataset: Path, recipe: Recipe) -> None:
    """The network gives, on the held back images, what the history says of its best epoch."""
    splits = data.load(dataset, recipe)
    trained = training.fit(recipe, splits, QUIET)
    with torch.inference_mode():
        answers = trained.network(data.normalise(splits.validation.pixels.permute(0, 3, 1, 2), recipe.input)).argmax(1)
    accuracy = float((answers == splits.validation.labels).float().mean())
    assert accuracy == pytest.approx(history.best(trained.history).validation_accuracy)


def test_a_training_that_was_stopped_goes_on_to_the_same_network(
    dataset: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """It fails in the middle of the second epoch; weights and history are those of one that never failed."""
    splits = data.load(dataset, recipe)
    undisturbed = training.fit(recipe, splits, QUIET)
    steps = iter(range(15))  # eleven in the first epoch
    draw = data.draw

    def draw_until_it_fails(count: int, how: Augmentation, random: torch.Generator) -> data.Changes:
        if next(steps, None) is None:
            raise InterruptedError
        return draw(count, how, random)

    monkeypatch.setattr(data, "draw", draw_until_it_fails)
    with pytest.raises(InterruptedError):
        training.fit(recipe, splits, kept_in(tmp_path, recipe, splits))
    monkeypatch.setattr(data, "draw", draw)
    resumed = training.fit(recipe, splits, kept_in(tmp_path, recipe, splits))
    assert resumed.history == undisturbed.history
    for name, value in undisturbed.network.state_dict().items():
        assert torch.equal(value, resumed.network.state_dict()[name])


def test_a_training_that_is_over_is_not_run_again(
    dataset: Path, recipe: Recipe, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """Its network is taken from the checkpoint, and that is said."""
    splits = data.load(dataset, recipe)
    first = training.fit(recipe, splits, kept_in(tmp_path, recipe, splits))
    around = dataclasses.replace(kept_in(tmp_path, recipe, splits), progress=True)
    again = training.fit(recipe, splits, around)
    assert again.history == first.history
    assert capsys.readouterr().err.startswith("all epochs are done: found ")


def test_a_checkpoint_of_another_training_is_refused_with_what_differs(
    dataset: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """Another number of epochs has another schedule; it begins again where that is asked for."""
    splits = data.load(dataset, recipe)
    quick = dataclasses.replace(recipe, epochs=1, limit_batches=2)
    training.fit(quick, splits, kept_in(tmp_path, quick, splits))
    other = dataclasses.replace(quick, epochs=2)
    with pytest.raises(CheckpointError, match="another training: epochs is 1 there and 2 here; .* --restart"):
        training.fit(other, splits, kept_in(tmp_path, other, splits))
    assert len(training.fit(other, splits, kept_in(tmp_path, other, splits, restart=True)).history) == 2


def test_a_damaged_checkpoint_is_told(dataset: Path, recipe: Recipe, tmp_path: Path) -> None:
    """It never becomes a network that looks trained."""
    splits = data.load(dataset, recipe)
    quick = dataclasses.replace(recipe, epochs=1, limit_batches=2)
    around = kept_in(tmp_path, quick, splits)
    training.fit(quick, splits, around)
    last = tmp_path / "last.ckpt"
    last.write_bytes(last.read_bytes()[:-100])
    with pytest.raises(CheckpointError, match=r"last\.ckpt is damaged; remove .* to begin again"):
        training.fit(quick, splits, around)


def test_a_disk_that_is_full_is_told_before_training(
    dataset: Path, recipe: Recipe, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Checkpoints of LeNet-5 take two megabytes."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=1_000_000))
    with pytest.raises(SpaceError, match=r"checkpoints take 2\.0 MB, and .* has 1\.0 MB free"):
        training.fit(recipe, data.load(dataset, recipe), QUIET)


def test_a_disk_that_fills_up_is_told_and_the_last_checkpoint_stays(
    dataset: Path, recipe: Recipe, tmp_path: Path
) -> None:
    """Files may not grow beyond a limit, as on a full disk; with more room the same training goes on."""
    splits = data.load(dataset, recipe)
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (100_000, hard))
    try:
        with pytest.raises(SpaceError, match=r"the checkpoint cannot be written to .*: File too large; with more room"):
            training.fit(recipe, splits, kept_in(tmp_path, recipe, splits))
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert [path.name for path in tmp_path.glob("*.ckpt")] == []
    assert len(training.fit(recipe, splits, kept_in(tmp_path, recipe, splits)).history) == 3


def test_patience_ends_a_training_early(dataset: Path, recipe: Recipe) -> None:
    """With a learning rate of nearly nothing no epoch is better than the first one."""
    still = dataclasses.replace(recipe, epochs=9, learning_rate=1e-12, patience=2)
    assert [epoch.epoch for epoch in training.fit(still, data.load(dataset, still), QUIET).history] == [1, 2, 3]


def test_a_loss_that_is_no_number_is_told(dataset: Path, recipe: Recipe) -> None:
    """With what to change."""
    wild = dataclasses.replace(recipe, learning_rate=1e30, optimizer="SGD", schedule="constant")
    with pytest.raises(
        TrainingError, match=r"the loss of epoch 1 is (nan|inf): pass a lower --learning-rate than 1e\+30"
    ):
        training.fit(wild, data.load(dataset, wild), QUIET)


def test_devices_that_are_not_there_are_told(dataset: Path, recipe: Recipe) -> None:
    """In one line."""
    around = Surroundings(hardware=Hardware(accelerator="tpu"), progress=False)
    with pytest.raises(TrainingError, match="the training cannot begin: "):
        training.fit(recipe, data.load(dataset, recipe), around)


def test_sixteen_bits_give_another_network_and_learn_too(dataset: Path, recipe: Recipe) -> None:
    """The arithmetic is mixed; the weights stay in 32 bits."""
    splits = data.load(dataset, recipe)
    mixed = training.fit(dataclasses.replace(recipe, precision="bf16-mixed"), splits, QUIET)
    assert mixed.history != training.fit(recipe, splits, QUIET).history
    assert mixed.history[-1].train_loss < mixed.history[0].train_loss
    assert {value.dtype for value in mixed.network.parameters()} == {torch.float32}


def test_an_autoencoder_learns_to_give_back_what_it_sees(dataset: Path) -> None:
    """The loss falls, and the epoch with the lowest one is taken: nothing is classified."""
    recipe = dataclasses.replace(RECIPES["conv-autoencoder"], batch_size=8, epochs=2)
    trained = training.fit(recipe, data.load(dataset, recipe), QUIET)
    assert {epoch.validation_accuracy for epoch in trained.history} == {None}
    assert trained.history[1].train_loss < trained.history[0].train_loss


def test_weights_from_elsewhere_are_where_training_starts(dataset: Path, recipe: Recipe) -> None:
    """An architecture without any is told."""
    pretrained = dataclasses.replace(recipe, weights="pretrained")
    with pytest.raises(RecipeError, match="no trained weights for 'lenet5' to start from"):
        training.fit(pretrained, data.load(dataset, pretrained), QUIET)


def test_images_of_another_size_are_told_before_training(dataset: Path, recipe: Recipe) -> None:
    """LeNet-5 takes 28x28 pixels only."""
    other = dataclasses.replace(recipe, input=recipe.input.model_copy(update={"height": 32}))
    with pytest.raises(RecipeError, match="lenet5 cannot be trained on these images: .* does not take images of 32x28"):
        training.fit(other, data.load(dataset, other), QUIET)


def test_logs_are_written_for_people_and_for_tensorboard(dataset: Path, recipe: Recipe, tmp_path: Path) -> None:
    """The history as CSV after each epoch, and the events of TensorBoard with losses and learning rate."""
    quick = dataclasses.replace(recipe, epochs=2, limit_batches=2)
    around = Surroundings(logs=tmp_path, progress=False)
    trained = training.fit(quick, data.load(dataset, quick), around)
    folder = tmp_path / "lenet5"
    written = history.read((folder / "history.csv").read_text())
    assert [epoch.epoch for epoch in written] == [epoch.epoch for epoch in trained.history]
    [events] = folder.glob("events.out.tfevents.*")
    for name in (b"train_loss", b"validation_accuracy", b"lr-AdamW"):
        assert name in events.read_bytes()


def test_each_epoch_is_told_with_the_time_that_is_left(
    dataset: Path, recipe: Recipe, capsys: pytest.CaptureFixture[str]
) -> None:
    """One line each, also where no terminal shows the bar."""
    training.fit(dataclasses.replace(recipe, epochs=2, limit_batches=2), data.load(dataset, recipe))
    first, second = capsys.readouterr().err.splitlines()
    assert re.match(
        r"epoch 1 of 2; loss [\d.]+; on held back images [\d.]+; accuracy [\d.]+ %; .* an epoch; about", first
    )
    assert second.endswith("about 0.0 s left")

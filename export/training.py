"""A recipe becomes a trained network.

Lightning owns the loop, the devices, the checkpoints and the progress bar; what is learnt and how is here.
"""

import csv
import io
import logging
import tempfile
import warnings
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Final

import lightning
import torch
from lightning.pytorch.callbacks import Callback, ModelCheckpoint, RichProgressBar
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy

from export.architectures import ARCHITECTURES
from export.data import Batches, Splits
from export.recipes import Recipe

_BEST: Final = "validation_accuracy"


@dataclass(frozen=True)
class Epoch:
    """What was seen at the end of an epoch.

    Args:
        epoch: From 1.
        train_loss: Mean cross-entropy of the augmented training images, during the epoch.
        validation_loss: Mean cross-entropy of the held back images.
        validation_accuracy: The part of the held back images that was classified correctly, 0 to 1.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float


@dataclass(frozen=True)
class Trained:
    """The network of the best epoch, in evaluation mode on the CPU, and how it came about."""

    network: nn.Module
    history: tuple[Epoch, ...]


def fit(recipe: Recipe, splits: Splits, *, checkpoints: Path | None = None, progress: bool = True) -> Trained:
    """Train a network.

    The same recipe on the same machine gives the same network.  Another number of cores adds up in another
    order, and the network comes out a little different.

    Args:
        recipe: What to train and how.
        splits: The epoch with the best accuracy on its validation images is taken.
        checkpoints: Where to keep the checkpoints of the best and the last epoch; None to keep none.
        progress: Show a bar.
    """
    with _quiet(), tempfile.TemporaryDirectory() as scratch:
        lightning.seed_everything(recipe.seed, verbose=False)
        best = ModelCheckpoint(checkpoints or scratch, monitor=_BEST, mode="max", save_last=True)
        history = _History()
        batches = Batches(splits.train, recipe, learn=True)
        classifier = _Classifier(ARCHITECTURES[recipe.architecture].build(), recipe, steps=_steps(recipe, batches))
        trainer = lightning.Trainer(
            max_epochs=recipe.epochs,
            limit_train_batches=recipe.limit_batches,
            limit_val_batches=recipe.limit_batches,
            callbacks=[best, history, *([RichProgressBar()] if progress else [])],
            enable_progress_bar=progress,
            enable_model_summary=False,
            logger=False,
            devices=1,
            num_sanity_val_steps=0,
        )
        trainer.fit(classifier, batches, Batches(splits.validation, recipe, learn=False))
        state = torch.load(best.best_model_path, map_location="cpu", weights_only=True)["state_dict"]
    classifier.load_state_dict(state)
    return Trained(classifier.network.cpu().eval(), tuple(history.epochs))


def write_history(history: Sequence[Epoch]) -> str:
    """History as CSV, with a head."""
    text = io.StringIO()
    writer = csv.DictWriter(text, [field.name for field in fields(Epoch)], lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: round(value, 6) for key, value in asdict(epoch).items()} for epoch in history)
    return text.getvalue()


def read_history(text: str) -> tuple[Epoch, ...]:
    """What `write_history` wrote."""
    return tuple(
        Epoch(
            int(row["epoch"]),
            float(row["train_loss"]),
            float(row["validation_loss"]),
            float(row["validation_accuracy"]),
        )
        for row in csv.DictReader(io.StringIO(text))
    )


class _Classifier(lightning.LightningModule):
    """Cross-entropy, AdamW, one cycle of the learning rate."""

    def __init__(self, network: nn.Module, recipe: Recipe, *, steps: int) -> None:
        super().__init__()
        self.network = network
        self._recipe = recipe
        self._steps = steps

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        loss = cross_entropy(self.network(images), labels, label_smoothing=self._recipe.label_smoothing)
        self.log("train_loss", loss, on_step=False, on_epoch=True, prog_bar=True, batch_size=len(labels))
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        logits = self.network(images)
        accuracy = (logits.argmax(1) == labels).float().mean()
        self.log("validation_loss", cross_entropy(logits, labels), batch_size=len(labels))
        self.log(_BEST, accuracy, prog_bar=True, batch_size=len(labels))

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe = self._recipe
        optimizer = torch.optim.AdamW(self.parameters(), weight_decay=recipe.weight_decay)
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=self._steps, pct_start=recipe.warm_up
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}


class _History(Callback):
    """Collects an `Epoch` for each epoch."""

    def __init__(self) -> None:
        self.epochs: list[Epoch] = []

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        del pl_module
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        self.epochs.append(
            Epoch(trainer.current_epoch + 1, seen["train_loss"], seen["validation_loss"], seen["validation_accuracy"])
        )


def _steps(recipe: Recipe, batches: Batches) -> int:
    of_an_epoch = len(batches) if recipe.limit_batches is None else min(len(batches), recipe.limit_batches)
    return recipe.epochs * of_an_epoch


@contextmanager
def _quiet() -> Iterator[None]:
    """Without Lightning's greetings and advice, which are about other set-ups than this one."""
    loggers = [logging.getLogger(name) for name in ("lightning.pytorch", "lightning.fabric")]
    levels = [logger.level for logger in loggers]
    for logger in loggers:
        logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.filterwarnings("ignore", module=r"lightning\.")
            yield
    finally:
        for logger, level in zip(loggers, levels, strict=True):
            logger.setLevel(level)

"""A recipe becomes a trained network.

Lightning owns the loop, the devices, the precision and what a checkpoint holds; what is learnt and how is here.
"""

import logging
import math
import tempfile
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any, Final

import lightning
import torch
from lightning.fabric.utilities.exceptions import MisconfigurationException
from lightning.pytorch.callbacks import Callback, LearningRateMonitor
from lightning.pytorch.loggers import TensorBoardLogger
from lightning.pytorch.utilities.types import OptimizerLRScheduler
from torch import Tensor, nn
from torch.nn.functional import cross_entropy, mse_loss

from export import checkpoints, history
from export.adaptation import adapt
from export.architectures import ARCHITECTURES
from export.checkpoints import Checkpoints
from export.data import Batches, Share
from export.disk import require_space
from export.errors import RecipeError, TrainingError
from export.history import Epoch
from export.images import Splits
from export.progress import TrainingProgress
from export.recipes import Recipe, find

# Of the size of the weights: the weights, the best ones, and two numbers of the optimiser for each; before a checkpoint
# takes the place of the one before, both are there.
_CHECKPOINT: Final = 2 * 4


@dataclass(frozen=True)
class Trained:
    """The network of the best epoch, in evaluation mode on the CPU, and how it came about."""

    network: nn.Module
    history: tuple[Epoch, ...]


@dataclass(frozen=True)
class Hardware:
    """What to train on.

    Args:
        accelerator: As Lightning calls it: `auto`, `cpu`, `gpu`, …
        devices: On each node.
        nodes: How many machines take part; each one runs the same command.
    """

    accelerator: str = "auto"
    devices: int = 1
    nodes: int = 1


@dataclass(frozen=True)
class Surroundings:
    """What a training has around it.  But for the rounding of another device, the weights do not depend on it.

    Args:
        checkpoints: Where to keep what is needed to go on after a kill; None to keep nothing.
        hardware: What to train on.
        logs: Where to write the history, as CSV and for TensorBoard; None for nowhere.
        progress: Show how far it is.
    """

    checkpoints: Checkpoints | None = None
    hardware: Hardware = field(default_factory=Hardware)
    logs: Path | None = None
    progress: bool = True


def fit(recipe: Recipe, splits: Splits, around: Surroundings | None = None) -> Trained:
    """Train a network, from the last epoch of its checkpoints where there is one.

    The same recipe on the same machine gives the same network, whether or not it was killed on the way.  Another
    number of cores adds up in another order, and the network comes out a little different.

    Args:
        recipe: What to train and how.
        splits: The best epoch by the validation images is taken.
        around: Checkpoints, devices, logs.

    Raises:
        CheckpointError: The checkpoint is damaged, or of another training.
        RecipeError: The network cannot be had, or does not fit the images.
        SpaceError: The disk is full, or would be.
        TrainingError: The devices are not there, or the loss is no number any more.
    """
    around = around or Surroundings()
    with _quiet(), tempfile.TemporaryDirectory() as scratch:
        kept = around.checkpoints or Checkpoints(Path(scratch), checkpoints.identity(recipe, splits.digest()))
        lightning.seed_everything(recipe.seed, verbose=False)
        learner = _Learner(_network(recipe, splits), recipe, splits)
        weights = sum(value.nbytes for value in learner.network.state_dict().values())
        require_space(kept.folder, _CHECKPOINT * weights, what="checkpoints")
        record = _Record(recipe, kept, around)
        record.begin(kept.open())
        if not record.is_over:
            _run(learner, record, around, checkpoint=kept.last if record.epochs else None)
    learner.network.load_state_dict(record.best)
    return Trained(learner.network.cpu().eval(), tuple(record.epochs))


def _network(recipe: Recipe, splits: Splits) -> nn.Module:
    architecture = find(ARCHITECTURES, recipe.architecture, kind="architecture")
    if recipe.weights == "random":
        network = architecture.build()
    elif architecture.pretrained is not None:
        network = architecture.pretrained()
    else:
        raise RecipeError(f"there are no trained weights for {recipe.architecture!r} to start from")
    if recipe.task == "reconstruction":
        return network
    try:
        return adapt(network, recipe.input, classes=len(splits.classes))
    except RecipeError as error:
        raise RecipeError(f"{recipe.architecture} cannot be trained on these images: {error}") from error


def _run(learner: "_Learner", record: "_Record", around: Surroundings, *, checkpoint: Path | None) -> None:
    """All epochs that are left.  Of several processes only the first one comes back."""
    recipe, hardware = learner.recipe, around.hardware
    logger = TensorBoardLogger(around.logs, name=recipe.name, version="") if around.logs else None
    try:
        trainer = lightning.Trainer(
            accelerator=hardware.accelerator,
            devices=hardware.devices,
            num_nodes=hardware.nodes,
            precision=recipe.precision,
            max_epochs=recipe.epochs,
            limit_train_batches=recipe.limit_batches,
            limit_val_batches=recipe.limit_batches,
            callbacks=[record.progress, *([LearningRateMonitor("epoch")] if logger else []), record],
            logger=logger or False,
            enable_checkpointing=False,
            enable_progress_bar=False,
            enable_model_summary=False,
            num_sanity_val_steps=0,
        )
        trainer.fit(learner, ckpt_path=checkpoint, weights_only=True)
    except torch.OutOfMemoryError as error:
        raise TrainingError("the memory of the device is full; pass a smaller --batch-size") from error
    except (MisconfigurationException, ImportError, ValueError) as error:
        raise TrainingError(f"the training cannot begin: {' '.join(str(error).split())}") from error
    if trainer.interrupted:
        raise KeyboardInterrupt
    if not trainer.is_global_zero:
        raise SystemExit(0)


class _Learner(lightning.LightningModule):
    """What is learnt, and how."""

    def __init__(self, network: nn.Module, recipe: Recipe, splits: Splits) -> None:
        super().__init__()
        self.network = network
        self.recipe = recipe
        self._splits = splits
        self._batches: Batches | None = None
        self._chance: Tensor | None = None
        self._lost = torch.zeros(())

    def training_step(self, batch: tuple[Tensor, Tensor]) -> Tensor:
        images, labels = batch
        loss = self._loss(self.network(images), images, labels, smoothing=self.recipe.label_smoothing)
        # Lightning's own sum of it takes as long as a step of a small network's optimiser.
        self._lost += loss.detach()
        return loss

    def validation_step(self, batch: tuple[Tensor, Tensor]) -> None:
        images, labels = batch
        outputs = self.network(images)
        seen = {"validation_loss": self._loss(outputs, images, labels, smoothing=0.0)}
        if self.recipe.task == "classification":
            seen["validation_accuracy"] = (outputs.argmax(1) == labels).float().mean()
        self.log_dict(seen, batch_size=len(labels), sync_dist=self._several)

    def on_validation_epoch_end(self) -> None:
        # The training images of the epoch are all through by now.
        self.log("train_loss", self._lost / int(self.trainer.num_training_batches), sync_dist=self._several)

    def configure_optimizers(self) -> OptimizerLRScheduler:
        recipe = self.recipe
        optimizer: torch.optim.Optimizer
        if recipe.optimizer == "AdamW":
            optimizer = torch.optim.AdamW(self.parameters(), recipe.learning_rate, weight_decay=recipe.weight_decay)
        else:
            optimizer = torch.optim.SGD(
                self.parameters(), recipe.learning_rate, momentum=0.9, nesterov=True, weight_decay=recipe.weight_decay
            )
        if recipe.schedule == "constant":
            return optimizer
        steps = int(self.trainer.estimated_stepping_batches)
        # PyTorch divides by the length of the way up, less one step.
        warm_up = recipe.warm_up if steps * recipe.warm_up > 1 else 0.0
        schedule = torch.optim.lr_scheduler.OneCycleLR(
            optimizer, recipe.learning_rate, total_steps=steps, pct_start=warm_up
        )
        return {"optimizer": optimizer, "lr_scheduler": {"scheduler": schedule, "interval": "step"}}

    def train_dataloader(self) -> Batches:
        self._batches = Batches(self._splits.train, self.recipe, learn=True, share=self._share)
        if self._chance is not None:
            self._batches.random.set_state(self._chance)
        return self._batches

    def val_dataloader(self) -> Batches:
        return Batches(self._splits.validation, self.recipe, learn=False, share=self._share)

    def on_save_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        if self._batches is not None:
            checkpoint["chance"] = self._batches.random.get_state()

    def on_load_checkpoint(self, checkpoint: dict[str, Any]) -> None:
        self._chance = checkpoint["chance"]

    def on_train_epoch_start(self) -> None:
        self._lost = torch.zeros((), device=self.device)
        # Dropout draws from here: the same in each epoch, whether or not the training was taken up again before it.
        torch.manual_seed(self.recipe.seed + self.current_epoch * self.trainer.world_size + self.global_rank)

    def _loss(self, outputs: Tensor, images: Tensor, labels: Tensor, *, smoothing: float) -> Tensor:
        if self.recipe.task == "reconstruction":
            return mse_loss(outputs, images)
        return cross_entropy(outputs, labels, label_smoothing=smoothing)

    @property
    def _several(self) -> bool:
        return self.trainer.world_size > 1

    @property
    def _share(self) -> Share:
        return Share(self.global_rank, self.trainer.world_size)


class _Record(Callback):
    """Keeps the history and the best weights, and a checkpoint after each epoch."""

    def __init__(self, recipe: Recipe, kept: Checkpoints, around: Surroundings) -> None:
        self.epochs: list[Epoch] = []
        self.best: dict[str, Tensor] = {}
        self.progress = TrainingProgress(recipe.epochs, shown=around.progress)
        self._recipe = recipe
        self._kept = kept
        self._logs = around.logs

    @property
    def is_over(self) -> bool:
        """Whether all epochs ran, or so many in a row without a better one that patience is at its end."""
        if not self.epochs:
            return False
        waited = len(self.epochs) - history.best(self.epochs).epoch
        out_of_patience = self._recipe.patience is not None and waited >= self._recipe.patience
        return out_of_patience or len(self.epochs) >= self._recipe.epochs

    def begin(self, checkpoint: dict[str, Any] | None) -> None:
        """Know what was before a kill, and say so."""
        if checkpoint is None:
            return
        self.load_state_dict(checkpoint["callbacks"][self.state_key])
        self.progress.resumed(self.epochs, self._kept.last, over=self.is_over)

    def on_train_epoch_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        seen = {name: float(value) for name, value in trainer.callback_metrics.items()}
        epoch = Epoch(
            trainer.current_epoch + 1, seen["train_loss"], seen["validation_loss"], seen.get("validation_accuracy")
        )
        if not math.isfinite(epoch.train_loss):
            raise TrainingError(
                f"the loss of epoch {epoch.epoch} is {epoch.train_loss}: pass a lower --learning-rate than "
                f"{self._recipe.learning_rate:g}, or --precision 32-true"
            )
        self.epochs.append(epoch)
        if history.best(self.epochs) == epoch:
            state = pl_module.get_submodule("network").state_dict()
            self.best = {name: value.detach().cpu().clone() for name, value in state.items()}
        trainer.should_stop = self.is_over
        self._kept.save(trainer)
        self._log()
        self.progress.tell(self.epochs)

    def state_dict(self) -> dict[str, Any]:
        return {"epochs": [asdict(epoch) for epoch in self.epochs], "best": self.best}

    def load_state_dict(self, state_dict: dict[str, Any]) -> None:
        self.epochs = [Epoch(**epoch) for epoch in state_dict["epochs"]]
        self.best = state_dict["best"]

    def _log(self) -> None:
        if self._logs is not None:
            folder = self._logs / self._recipe.name
            folder.mkdir(parents=True, exist_ok=True)
            (folder / "history.csv").write_text(history.write(self.epochs))


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

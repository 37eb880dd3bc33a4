"""How far a training is: a bar with the time that is left of the whole of it, and a line for each epoch."""

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import lightning
from lightning.pytorch.callbacks import Callback
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from export.history import Epoch

# Seconds; what is left is told from the speed of this time, so that one slow step does not make it jump.
_SPEED_PERIOD: Final = 60.0


class TrainingProgress(Callback):
    """Shows it on standard error; where that is no terminal, the lines of the epochs alone."""

    def __init__(self, epochs: int, *, shown: bool = True) -> None:
        self._epochs = epochs
        self._console = Console(stderr=True, highlight=False, quiet=not shown)
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            TaskProgressColumn(),
            TextColumn("left:"),
            TimeRemainingColumn(),
            console=self._console,
            speed_estimate_period=_SPEED_PERIOD,
            transient=True,
            disable=not (shown and self._console.is_terminal),
        )
        self._task = self._bar.add_task("", total=None)
        self._since = 0.0
        self._first = 0

    def on_train_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Begin, perhaps in the middle."""
        del pl_module
        if not trainer.is_global_zero:
            self._bar.disable = self._console.quiet = True
        steps = int(trainer.num_training_batches) + sum(int(count) for count in trainer.num_val_batches)
        self._since, self._first = time.monotonic(), trainer.current_epoch
        self._bar.update(self._task, total=self._epochs * steps, completed=trainer.current_epoch * steps)
        self._bar.start()

    def on_train_epoch_start(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Say which epoch it is."""
        del pl_module
        self._bar.update(self._task, description=f"epoch {trainer.current_epoch + 1} of {self._epochs}")

    def on_train_batch_end(self, *_: object, **__: object) -> None:
        """One step."""
        self._bar.advance(self._task)

    def on_validation_batch_end(self, *_: object, **__: object) -> None:
        """One step."""
        self._bar.advance(self._task)

    def on_train_end(self, trainer: lightning.Trainer, pl_module: lightning.LightningModule) -> None:
        """Leave the lines of the epochs alone."""
        del trainer, pl_module
        self._bar.stop()

    def on_exception(
        self, trainer: lightning.Trainer, pl_module: lightning.LightningModule, exception: BaseException
    ) -> None:
        """Leave the terminal as it was."""
        del trainer, pl_module, exception
        self._bar.stop()

    def resumed(self, history: Sequence[Epoch], checkpoint: Path, *, over: bool) -> None:
        """Say that a training was found."""
        what = "all epochs are done" if over else f"going on after epoch {history[-1].epoch} of {self._epochs}"
        self._console.print(f"{what}: found {checkpoint}", soft_wrap=True, markup=False)

    def tell(self, history: Sequence[Epoch]) -> None:
        """Print the line of the epoch that just ended."""
        epoch = history[-1]
        each = (time.monotonic() - self._since) / (epoch.epoch - self._first)
        accuracy = epoch.validation_accuracy
        parts = [
            f"epoch {epoch.epoch} of {self._epochs}",
            f"loss {epoch.train_loss:.4g}",
            f"on held back images {epoch.validation_loss:.4g}",
            *([] if accuracy is None else [f"accuracy {100 * accuracy:.2f} %"]),
            f"{duration(each)} an epoch",
            f"about {duration(each * (self._epochs - epoch.epoch))} left",
        ]
        self._console.print("; ".join(parts), soft_wrap=True)


def duration(seconds: float) -> str:
    """For people.

    >>> duration(3.21), duration(75), duration(7320)
    ('3.2 s', '1:15 min', '2:02 h')
    """
    if seconds < 60:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds) // 60}:{int(seconds) % 60:02d} min"
    return f"{int(seconds) // 3600}:{int(seconds) % 3600 // 60:02d} h"

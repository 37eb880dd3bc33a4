"""Where a training keeps what it needs to go on after it was killed.

A folder holds `run.json`, which says what is trained on what, and `last.ckpt`, written whole or not at all after each
epoch.  A folder of another training is never taken up by mistake.
"""

import hashlib
import json
import os
import shutil
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any, Final

import lightning
import torch

from export.errors import CheckpointError, SpaceError
from export.recipes import Recipe

_IDENTITY: Final = "run.json"
_LAST: Final = "last.ckpt"
_FRESH: Final = "fresh.ckpt"


def identity(recipe: Recipe, digest: str, *, devices: int = 1) -> dict[str, Any]:
    """Everything that the weights depend on.

    Args:
        recipe: What is trained and how.
        digest: Of the images.
        devices: How many there are, on all nodes.
    """
    values = asdict(recipe)
    # They are for people, and may be worded anew.
    for name in ("summary", "limits", "license"):
        del values[name]
    values["input"] = recipe.input.model_dump()
    return {**values, "images": digest, "devices": devices}


def usual_folder(run: Mapping[str, Any]) -> Path:
    """In the user's cache: the same for the same training, another one for each other."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "striate"
    digest = hashlib.sha256(_text(run).encode()).hexdigest()
    return cache / "training" / f"{run['name']}-{digest[:12]}"


@dataclass(frozen=True)
class Checkpoints:
    """The folder of one training.

    Args:
        folder: It need not be there yet.
        run: What is trained, from `identity`.
        restart: Begin again, whatever the folder holds.
    """

    folder: Path
    run: Mapping[str, Any]
    restart: bool = False

    @property
    def last(self) -> Path:
        """The checkpoint after the last epoch that ended."""
        return self.folder / _LAST

    def open(self) -> dict[str, Any] | None:
        """Make the folder, or read what it holds of this training.

        Returns:
            The checkpoint; None where there is none yet.

        Raises:
            CheckpointError: The folder is of another training, or the checkpoint is damaged.
            SpaceError: The folder cannot be written to.
        """
        try:
            self.folder.mkdir(parents=True, exist_ok=True)
            if self.restart:
                self.last.unlink(missing_ok=True)
            else:
                self._check()
            (self.folder / _IDENTITY).write_text(_text(self.run))
            return self._read() if self.last.exists() else None
        except OSError as error:
            raise SpaceError(f"{self.folder} cannot be written to: {error.strerror}") from error

    def save(self, trainer: lightning.Trainer) -> None:
        """Put the state of a training into the place of the one before; a kill leaves one or the other.

        Raises:
            SpaceError: It cannot be written.
        """
        fresh = self.folder / _FRESH
        try:
            trainer.save_checkpoint(fresh)
            if trainer.is_global_zero:
                fresh.replace(self.last)
        except OSError as error:
            fresh.unlink(missing_ok=True)
            raise SpaceError(
                f"the checkpoint cannot be written to {self.folder}: {error.strerror or error}; "
                "with more room there, the same command goes on after the last epoch that was"
            ) from error

    def remove(self) -> None:
        """Leave nothing behind: the model is published."""
        shutil.rmtree(self.folder, ignore_errors=True)

    def _check(self) -> None:
        path = self.folder / _IDENTITY
        try:
            there = json.loads(path.read_text())
        except FileNotFoundError:
            if self.last.exists():
                raise CheckpointError(f"{self.last} has no {_IDENTITY} beside it that says what it is of") from None
            return
        except ValueError as error:
            raise CheckpointError(f"{path} is damaged; remove {self.folder} to begin again") from error
        here = json.loads(_text(self.run))
        if other := [
            f"{key} is {there.get(key)} there and {here[key]} here" for key in here if there.get(key) != here[key]
        ]:
            raise CheckpointError(
                f"{self.folder} holds the checkpoint of another training: {'; '.join(other)}; "
                "pass another folder, or --restart to begin again in this one"
            )

    def _read(self) -> dict[str, Any]:
        try:
            checkpoint: dict[str, Any] = torch.load(self.last, map_location="cpu", weights_only=True)
        except Exception as error:
            # Whatever a damaged file makes of the reader: there is no list of it.
            raise CheckpointError(f"{self.last} is damaged; remove {self.folder} to begin again") from error
        return checkpoint


def _text(run: Mapping[str, Any]) -> str:
    return json.dumps(run, indent=2, sort_keys=True) + "\n"

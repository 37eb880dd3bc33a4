"""What was seen at the end of each epoch of a training; kept beside the model as history.csv."""

import csv
import io
from collections.abc import Sequence
from dataclasses import asdict, dataclass, fields


@dataclass(frozen=True)
class Epoch:
    """What was seen at the end of an epoch.

    Args:
        epoch: From 1.
        train_loss: Mean loss of the augmented training images, during the epoch.
        validation_loss: Mean loss of the held back images.
        validation_accuracy: The part of the held back images that was classified correctly, 0 to 1; None where nothing
            is classified.
    """

    epoch: int
    train_loss: float
    validation_loss: float
    validation_accuracy: float | None

    def better_than(self, other: "Epoch") -> bool:
        """By the accuracy where there is one, else by the loss, on the held back images."""
        if self.validation_accuracy is None or other.validation_accuracy is None:
            return self.validation_loss < other.validation_loss
        return self.validation_accuracy > other.validation_accuracy


def best(history: Sequence[Epoch]) -> Epoch:
    """The first epoch that none is better than.

    >>> best([Epoch(1, 0.3, 0.3, 0.8), Epoch(2, 0.2, 0.2, 0.9), Epoch(3, 0.1, 0.1, 0.9)]).epoch
    2
    """
    found = history[0]
    for epoch in history:
        if epoch.better_than(found):
            found = epoch
    return found


def write(history: Sequence[Epoch]) -> str:
    """History as CSV, with a head; a column without any value is left out."""
    rows = [asdict(epoch) for epoch in history]
    columns = [field.name for field in fields(Epoch) if any(row[field.name] is not None for row in rows)]
    text = io.StringIO()
    writer = csv.DictWriter(text, columns, lineterminator="\n")
    writer.writeheader()
    writer.writerows({key: round(row[key], 6) for key in columns} for row in rows)
    return text.getvalue()


def read(text: str) -> tuple[Epoch, ...]:
    """What `write` wrote."""
    return tuple(
        Epoch(
            int(row["epoch"]),
            float(row["train_loss"]),
            float(row["validation_loss"]),
            float(row["validation_accuracy"]) if "validation_accuracy" in row else None,
        )
        for row in csv.DictReader(io.StringIO(text))
    )

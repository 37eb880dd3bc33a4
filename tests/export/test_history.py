"""The history of a training."""

from export import history
from export.history import Epoch


def test_a_history_is_read_as_it_was_written() -> None:
    """The curve of a card can be drawn again."""
    epochs = (Epoch(1, 0.5, 0.25, 0.875), Epoch(2, 0.125, 0.375, 0.9))
    text = history.write(epochs)
    assert text.splitlines()[0] == "epoch,train_loss,validation_loss,validation_accuracy"
    assert history.read(text) == epochs


def test_where_nothing_is_classified_there_is_no_accuracy() -> None:
    """The column is left out, and comes back as nothing."""
    epochs = (Epoch(1, 0.5, 0.25, None),)
    text = history.write(epochs)
    assert text.splitlines()[0] == "epoch,train_loss,validation_loss"
    assert history.read(text) == epochs


def test_the_best_epoch_is_the_first_with_the_highest_accuracy_or_else_the_lowest_loss() -> None:
    """A loss that falls further does not count where there is an accuracy."""
    assert history.best([Epoch(1, 1, 0.5, 0.7), Epoch(2, 1, 0.4, 0.9), Epoch(3, 1, 0.3, 0.9)]).epoch == 2
    assert history.best([Epoch(1, 1, 0.5, None), Epoch(2, 1, 0.3, None), Epoch(3, 1, 0.4, None)]).epoch == 2

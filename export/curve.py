"""The training curve: loss and accuracy by epoch, as a picture."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from export.history import Epoch


def draw(history: Sequence[Epoch]) -> bytes:
    """Loss, and accuracy beside it where there is one, as PNG."""
    accuracies = [100 * epoch.validation_accuracy for epoch in history if epoch.validation_accuracy is not None]
    figure = Figure(figsize=(9 if accuracies else 4.5, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    loss, *rest = figure.subplots(1, 2 if accuracies else 1, squeeze=False)[0]
    epochs = [epoch.epoch for epoch in history]
    loss.plot(epochs, [epoch.train_loss for epoch in history], label="training (augmented)")
    loss.plot(epochs, [epoch.validation_loss for epoch in history], label="validation")
    _dress(loss, "cross-entropy" if accuracies else "mean squared error")
    for accuracy in rest:
        accuracy.plot(epochs, accuracies, color="C1", label="validation")
        _dress(accuracy, "accuracy, %")
    file = io.BytesIO()
    # The name of the library and its version would make the file differ from one machine to the next.
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def _dress(axes: Axes, what: str) -> None:
    axes.set_xlabel("epoch")
    axes.set_ylabel(what)
    axes.xaxis.set_major_locator(MaxNLocator(integer=True))
    axes.grid(visible=True, alpha=0.3)
    axes.legend()

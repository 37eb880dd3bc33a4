"""The training curve: loss and accuracy by epoch, as a picture."""

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.ticker import MaxNLocator

from export.training import Epoch


def draw(history: Sequence[Epoch]) -> bytes:
    """Two panels side by side, as PNG."""
    figure = Figure(figsize=(9, 3.5), layout="constrained")
    FigureCanvasAgg(figure)
    loss, accuracy = figure.subplots(1, 2)
    epochs = [epoch.epoch for epoch in history]
    loss.plot(epochs, [epoch.train_loss for epoch in history], label="training (augmented)")
    loss.plot(epochs, [epoch.validation_loss for epoch in history], label="validation")
    _dress(loss, "cross-entropy")
    accuracy.plot(epochs, [100 * epoch.validation_accuracy for epoch in history], color="C1", label="validation")
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

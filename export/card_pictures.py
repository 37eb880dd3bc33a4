"""The pictures of a model card: which class is taken for which, and the kernels of the first layer.

Both are drawn from what is stored: confusion.csv and the weights in model.onnx.
"""

import io
from typing import Final

import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from onnx import ModelProto

from export import card
from export.card import Confusion
from service import filters, layers, pictures
from service.errors import ParameterError
from service.filters import Filters, FilterStyle
from service.metadata import Metadata
from service.weights import weights_of

# More classes than this have no room for their names and counts.
_NAMED: Final = 30


def draw(model: ModelProto, facts: Metadata, confusion: Confusion | None) -> dict[str, bytes]:
    """The pictures of a version, as PNG, by the name of the file.

    Args:
        model: What is published.
        facts: Its metadata.
        confusion: How many images of each class were taken for which; None where nobody counted.
    """
    drawn = {
        card.FILTERS_PICTURE: _first_kernels(model, facts),
        card.CONFUSION_PICTURE: None if confusion is None else draw_confusion(confusion),
    }
    return {name: picture for name, picture in drawn.items() if picture is not None}


def draw_confusion(confusion: Confusion) -> bytes:
    """A square for each class (row) and what its images were taken for (column), the darker the more often; as PNG."""
    counts = np.array(confusion.counts)  # (classes, classes)
    shares = counts / np.maximum(counts.sum(axis=1, keepdims=True), 1)
    named = len(counts) <= _NAMED
    side = 2.5 + 0.5 * len(counts) if named else 9.0
    figure = Figure(figsize=(side, side), layout="constrained")
    FigureCanvasAgg(figure)
    axes = figure.subplots()
    axes.imshow(shares, cmap="Blues", vmin=0, vmax=1)
    axes.set_xlabel("taken for")
    axes.set_ylabel("class")
    if named:
        axes.set_xticks(range(len(counts)), confusion.labels, rotation=45, ha="right")
        axes.set_yticks(range(len(counts)), confusion.labels)
        for (row, column), count in np.ndenumerate(counts):
            color = "white" if shares[row, column] > 0.5 else "black"
            axes.text(column, row, f"{count}" if count else "", ha="center", va="center", color=color, fontsize=8)
    file = io.BytesIO()
    # The name of the library and its version would make the file differ from one machine to the next.
    figure.savefig(file, format="png", dpi=110, metadata={"Software": None})
    return file.getvalue()


def _first_kernels(model: ModelProto, facts: Metadata) -> bytes | None:
    """The first kernels that see more than one place, as the service shows them; None where a picture cannot."""
    is_first = True
    for layer in layers.table(model, facts.layers, image=facts.input):
        weights = weights_of(model, layer.tensor)
        if weights is None:
            continue
        found = Filters(layer, weights.values, weights.bias, is_first=is_first)
        is_first = False
        if found.has_extent:
            try:
                return pictures.to_png(filters.picture(found, FilterStyle()))
            except ParameterError:
                return None
    return None

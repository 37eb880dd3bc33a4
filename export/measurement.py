"""Accuracy, measured on the graph that is served: image bytes in, the largest output out.  It needs no PyTorch."""

from typing import Any

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from service import graph, runtime
from service.cores import available_cores
from service.metadata import ImageInput

_BATCH = 500


def accuracy(
    model: ModelProto, spec: ImageInput, output: str, *, pixels: NDArray[np.uint8], labels: NDArray[Any]
) -> float:
    """The part of the images whose class gets the largest output, 0 to 1.

    Args:
        model: As published.
        spec: Its input.
        output: The name of its output.
        pixels: Images of the size of the input, 0 to 255.
        labels: The number of the class of each.

    Shape:
        pixels (N, height, width, C) uint8; labels (N,) of any integer type.
    """
    session = runtime.Session(
        graph.with_pixels(model, spec), device=runtime.open_device("cpu"), threads=available_cores()
    )
    batches = np.split(pixels, range(_BATCH, len(pixels), _BATCH))
    answers = [session.run({graph.PIXELS: batch})[output].argmax(axis=1) for batch in batches]
    return float(np.mean(np.concatenate(answers) == labels))

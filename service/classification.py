"""Images in, classes out: decode, run, take the best."""

from collections.abc import Sequence

from service.image import decode_all
from service.model import Model
from service.prediction import Prediction, best, check_top_k
from service.timing import Timings

DEFAULT_TOP_K = 5


def classify(
    model: Model, images: Sequence[bytes], *, top_k: int | None, max_pixels: int, timings: Timings
) -> tuple[tuple[Prediction, ...], ...]:
    """Classify encoded images.

    Args:
        model: A classifier.
        images: Encoded images, at least one.
        top_k: How many classes are wanted of each; None for 5, or all where there are fewer.
        max_pixels: Width times height accepted of each.
        timings: Gets the time of decoding and computing.

    Returns:
        For each image the best classes, the best first.

    Raises:
        ModelTaskError: The model is no classifier.
        ParameterError: `top_k` is out of range.
        RequestError: An image cannot be used; none is computed then.
        ExecutionError: The runtime failed.
    """
    labels = model.class_output.labels
    if top_k is not None and labels is not None:
        check_top_k(top_k, classes=len(labels))
    with timings.measure("decode"):
        pixels = decode_all(images, model.image_input, max_pixels=max_pixels)  # (N, height, width, C)
    with timings.measure("compute"):
        probabilities = model.probabilities(pixels)  # (N, classes)
    wanted = top_k if top_k is not None else min(DEFAULT_TOP_K, probabilities.shape[1])
    return tuple(best(row, labels, top_k=wanted) for row in probabilities)

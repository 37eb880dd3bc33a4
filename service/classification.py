"""Images in, classes out: decode, run, take the best."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.image import decode_all
from service.model import Model
from service.prediction import Prediction, best, check_top_k
from service.settings import Decoding
from service.timing import Timings

DEFAULT_TOP_K: Final = 5

# What counts as a small picture: a PNG of 100x100 takes 0.2 ms, and whatever 4 KB can pretend to be takes 10 ms.
_SMALL_BYTES: Final = 4096
_SMALL_PIXELS: Final = 10_000
_PNG: Final = b"\x89PNG\r\n\x1a\n"


def is_brief(model: Model, body: bytes) -> bool:
    """Whether to classify the one image of a body takes less time than to hand it to a thread and back.

    A PNG says its size in bytes 16 to 23 (ISO/IEC 15948, 11.2.2); other formats are not looked at.
    """
    if not (model.brief and len(body) <= _SMALL_BYTES and body.startswith(_PNG)):
        return False
    return int.from_bytes(body[16:20]) * int.from_bytes(body[20:24]) <= _SMALL_PIXELS


def classify(
    model: Model,
    images: Sequence[bytes],
    *,
    top_k: int | None,
    max_pixels: int,
    decoding: Decoding = "fast",
    timings: Timings,
) -> tuple[tuple[Prediction, ...], ...]:
    """Classify encoded images.

    Args:
        model: A classifier.
        images: Encoded images, at least one.
        top_k: How many classes are wanted of each; None for 5, or all where there are fewer.
        max_pixels: Width times height accepted of each.
        decoding: `fast` or `exact`, as in `service.image`.
        timings: Gets the time of decoding and computing.

    Returns:
        For each image the best classes, the best first.

    Raises:
        ModelTaskError: The model is no classifier.
        ParameterError: `top_k` is out of range.
        RequestError: An image cannot be used; none is computed then.
        ExecutionError: The runtime failed.
    """
    pixels = decoded(model, images, top_k=top_k, max_pixels=max_pixels, decoding=decoding, timings=timings)
    with timings.measure("compute"):
        probabilities = model.probabilities(pixels)  # (N, classes)
    return best_classes(model, probabilities, top_k=top_k)


def decoded(
    model: Model,
    images: Sequence[bytes],
    *,
    top_k: int | None,
    max_pixels: int,
    decoding: Decoding,
    timings: Timings,
) -> NDArray[np.uint8]:
    """The first part of `classify`: what is wrong with a request is found here.

    Shape:
        (N, height, width, C) uint8, 0 to 255, as `Model.probabilities` takes them.
    """
    labels = model.class_output.labels
    if top_k is not None and labels is not None:
        check_top_k(top_k, classes=len(labels))
    with timings.measure("decode"):
        return decode_all(images, model.image_input, max_pixels=max_pixels, decoding=decoding)


def best_classes(
    model: Model, probabilities: NDArray[np.float32], *, top_k: int | None
) -> tuple[tuple[Prediction, ...], ...]:
    """The last part of `classify`.

    Shape:
        probabilities: (N, classes), as `Model.probabilities` gives them.

    Raises:
        ParameterError: `top_k` is out of range.
    """
    wanted = top_k if top_k is not None else min(DEFAULT_TOP_K, probabilities.shape[1])
    return tuple(best(row, model.class_output.labels, top_k=wanted) for row in probabilities)

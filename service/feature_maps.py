"""Images in, the outputs of layers out: decode, run the graph that is cut off there, encode."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from service.errors import AnswerTooLargeError, ParameterError
from service.image import decode_all
from service.layers import Layer
from service.model import Model
from service.timing import Timings

Format = Literal["json", "npy", "npz", "png"]

# JSON writes a float32 in some 11 characters; a picture has a byte for each value and less when packed.
_BYTES_PER_VALUE: Final[Mapping[Format, int]] = {"json": 12, "npy": 4, "npz": 4, "png": 1}


@dataclass(frozen=True)
class FeatureMap:
    """The output of one layer for all images of a request.

    Shape:
        data: (N, *layer.shape) float32.
    """

    layer: Layer
    data: NDArray[np.float32]


def feature_maps(
    model: Model, images: Sequence[bytes], wanted: Sequence[Layer], *, max_pixels: int, timings: Timings
) -> tuple[FeatureMap, ...]:
    """Compute feature maps of encoded images.

    Args:
        model: Any model that takes images.
        images: Encoded images, at least one.
        wanted: Layers of its table.
        max_pixels: Width times height accepted of each image.
        timings: Gets the time of decoding and computing.

    Raises:
        ModelTaskError: The model takes no images.
        RequestError: An image cannot be used; none is computed then.
        ExecutionError: The runtime failed.
    """
    with timings.measure("decode"):
        pixels = decode_all(images, model.image_input, max_pixels=max_pixels)  # (N, height, width, C)
    with timings.measure("compute"):
        arrays = model.feature_maps(pixels, wanted)
    return tuple(FeatureMap(layer, data) for layer, data in zip(wanted, arrays, strict=True))


def check_answer(wanted: Sequence[Layer], *, images: int, form: Format, max_bytes: int | None) -> None:
    """Refuse an answer that does not fit its form or would be too large, before anything is computed.

    Args:
        wanted: The layers asked for.
        images: How many images.
        form: How the answer is written.
        max_bytes: The largest answer; None for any.

    Raises:
        ParameterError: The form holds one layer or one image only, and more are asked for.
        AnswerTooLargeError: The answer would have more than `max_bytes`.
    """
    if form in ("npy", "png") and len(wanted) > 1:
        raise ParameterError(f"format {form} holds one layer and {len(wanted)} are asked for; accepted: json, npz")
    if form == "png" and images > 1:
        raise ParameterError(f"format png holds one image and there are {images}; accepted: json, npy, npz")
    size = images * _BYTES_PER_VALUE[form] * sum(layer.values or 0 for layer in wanted)
    if max_bytes is not None and size > max_bytes:
        raise AnswerTooLargeError(
            f"the answer would have about {size:,} bytes; at most {max_bytes:,} are allowed (setting max_answer_bytes):"
            " ask for fewer layers or images, or for npy or npz instead of json"
        )

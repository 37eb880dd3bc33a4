"""Images in, one vector for each out: a layer's output, pooled and brought to length 1."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.image import decode_all
from service.layers import Layer
from service.model import Model
from service.settings import Decoding
from service.timing import Timings
from service.view import View

Pooling = Literal["mean", "max", "flatten"]


@dataclass(frozen=True)
class EmbeddingRequest:
    """What is asked of a model.

    Args:
        layer: Whose output becomes the vector.
        reduce: `mean` or `max` over each map, which leaves a value for each channel; `flatten` keeps every value.
        l2: Divide each vector by its Euclidean length; one of zeros stays as it is.
    """

    layer: Layer
    reduce: Pooling = "mean"
    l2: bool = True

    @property
    def size(self) -> int | None:
        """How many numbers a vector has; None where it cannot be told before it is computed."""
        if self.layer.shape is None:
            return None
        shape = self._view.shape(self.layer.shape)
        return shape[0] if shape else 1

    def of(self, data: NDArray[np.float32]) -> NDArray[np.float32]:
        """The vectors of the output of the layer.

        Shape:
            data: (N, …).  Returns (N, D).
        """
        viewed: NDArray[np.float32] = self._view.of(data).data.reshape(len(data), -1)
        return viewed

    @property
    def _view(self) -> View:
        return View(reduce=self.reduce, l2=self.l2)


def embed(
    model: Model,
    images: Sequence[bytes],
    request: EmbeddingRequest,
    *,
    max_pixels: int,
    decoding: Decoding = "fast",
    timings: Timings,
) -> NDArray[np.float32]:
    """Compute the vectors of encoded images.

    Args:
        model: Any model that takes images.
        images: Encoded images, at least one.
        request: What is wanted.
        max_pixels: Width times height accepted of each image.
        decoding: `fast` or `exact`, as in `service.image`.
        timings: Gets the time of decoding, computing and encoding (pooling).

    Shape:
        Returns (N, D).

    Raises:
        ModelTaskError: The model takes no images.
        RequestError: An image cannot be used; none is computed then.
        ExecutionError: The runtime failed.
    """
    with timings.measure("decode"):
        pixels = decode_all(
            images, model.image_input, max_pixels=max_pixels, decoding=decoding
        )  # (N, height, width, C)
    with timings.measure("compute"):
        (data,) = model.feature_maps(pixels, [request.layer])
    with timings.measure("encode"):
        return request.of(data)

"""Images in, the outputs of layers out: plan, decode, run the graph that is cut off there, look at the result."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from service.errors import AnswerTooLargeError, ParameterError
from service.image import decode_all
from service.layers import Layer
from service.model import Model
from service.pictures import Colormap, Scale
from service.settings import Decoding
from service.timing import Timings
from service.view import Shape, View, Viewed

Format = Literal["json", "npy", "npz", "safetensors", "png"]


@dataclass(frozen=True)
class PictureStyle:
    """How a picture of feature maps looks.

    Args:
        colormap: The colours of the values.
        scale: What counts as the darkest and the brightest.
        enlarge: The whole factor by which maps are enlarged; None for one that fills some 800 pixels.
        overlay: Lay each map over what the network saw, with this opacity from 0 to 1; None for maps alone.
    """

    colormap: Colormap = "grey"
    scale: Scale = field(default_factory=Scale)
    enlarge: int | None = None
    overlay: float | None = None


@dataclass(frozen=True)
class MapRequest:
    """What is asked of the feature maps of a model.

    Args:
        layers: Which layers, in order.
        form: How the answer is written.
        view: What of each layer.
        statistics: Numbers that describe the view, instead of the view.
        style: How a picture looks.
    """

    layers: tuple[Layer, ...]
    form: Format
    view: View = field(default_factory=View)
    statistics: bool = False
    style: PictureStyle = field(default_factory=PictureStyle)

    @property
    def shapes(self) -> tuple[Shape | None, ...]:
        """The shape of the view of each layer, for one image; None where it cannot be told before it is computed.

        Raises:
            ParameterError: A layer does not have what is asked for.
        """
        return tuple(self.view.shape(layer.shape) if layer.shape is not None else None for layer in self.layers)

    def check(self, *, images: int) -> None:
        """Refuse what a form cannot hold.

        Raises:
            ParameterError: It holds one layer or one image only, no statistics, or no quantised numbers.
        """
        form, layers = self.form, len(self.layers)
        if form in ("npy", "png") and layers > 1:
            raise ParameterError(
                f"format {form} holds one layer and {layers} are asked for; accepted: json, npz, safetensors"
            )
        if form == "png" and images > 1:
            raise ParameterError(
                f"format png holds one image and there are {images}; accepted: json, npy, npz, safetensors"
            )
        if self.statistics and form != "json":
            raise ParameterError(f"statistics come as json, and format is {form}")
        if form == "npy" and self.view.dtype == "uint8":
            raise ParameterError(
                "format npy has no place for the range that uint8 stands for; accepted: json, npz, safetensors"
            )
        if form == "png" and (self.view.dtype != "float32" or self.view.l2):
            raise ParameterError("dtype and normalize are for numbers, and format is png")


@dataclass(frozen=True)
class FeatureMap:
    """A view of the output of one layer for all images of a request."""

    layer: Layer
    viewed: Viewed

    @property
    def data(self) -> NDArray[np.generic]:
        """The values.

        Shape:
            (N, …).
        """
        return self.viewed.data


@dataclass(frozen=True)
class FeatureMaps:
    """The answer to a request.

    Args:
        maps: One for each layer, in the order asked for.
        pixels: What the network saw, (N, height, width, C) uint8.
    """

    maps: tuple[FeatureMap, ...]
    pixels: NDArray[np.uint8]


def feature_maps(
    model: Model,
    images: Sequence[bytes],
    request: MapRequest,
    *,
    max_pixels: int,
    decoding: Decoding = "fast",
    timings: Timings,
) -> FeatureMaps:
    """Compute feature maps of encoded images.

    Args:
        model: Any model that takes images.
        images: Encoded images, at least one.
        request: What is wanted.
        max_pixels: Width times height accepted of each image.
        decoding: `fast` or `exact`, as in `service.image`.
        timings: Gets the time of decoding, computing and encoding (the view).

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
        arrays = model.feature_maps(pixels, request.layers)
    with timings.measure("encode"):
        maps = [FeatureMap(layer, request.view.of(a)) for layer, a in zip(request.layers, arrays, strict=True)]
    return FeatureMaps(tuple(maps), pixels)


def refuse_too_large(size: int, fitting: Sequence[str], *, max_bytes: int) -> None:
    """Refuse an answer over the limit.

    Args:
        size: Of the answer, in bytes.
        fitting: Changes to the request that would make it fit.
        max_bytes: The limit.

    Raises:
        AnswerTooLargeError: It is over the limit.
    """
    if size > max_bytes:
        advice = f"it would fit with {', or '.join(fitting)}" if fitting else "ask for fewer layers"
        raise AnswerTooLargeError(
            f"the answer would have {size:,} bytes; {max_bytes:,} are allowed (setting max_answer_bytes): {advice}"
        )


def smaller(request: MapRequest) -> list[tuple[str, MapRequest]]:
    """Requests for less of the same, the mildest first, and what to write for each."""
    view = request.view
    options: list[tuple[str, MapRequest]] = []
    if request.form == "json":
        options.append(("format=npz", replace(request, form="npz")))
    if request.form in ("npy", "npz", "safetensors") and view.dtype == "float32":
        options.append(("dtype=float16", replace(request, view=replace(view, dtype="float16"))))
    if request.form != "png" and view.reduce == "none":
        options.append(("reduce=mean", replace(request, view=replace(view, reduce="mean"))))
    if request.form == "png" and request.style.enlarge not in (None, 1):
        options.append(("enlarge=1", replace(request, style=replace(request.style, enlarge=1))))
    return options

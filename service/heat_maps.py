"""Images in, heat maps out: decode, run, compute.  The arithmetic is in `service.attribution`."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

from service.attribution import Floats, Scorer, class_activation_map, eigen_cam, occlusion, score_cam, strongest
from service.classes import check_class
from service.errors import ParameterError
from service.heads import Head
from service.heat_plans import HeatPlan
from service.image import decode_all
from service.metadata import ImageInput
from service.model import Model
from service.settings import Decoding
from service.timing import Timings

_LEAST: Final = 1e-30  # stands for a probability of 0, whose logarithm there is not


@dataclass(frozen=True)
class HeatMap:
    """The evidence in one image.

    Args:
        class_id: The class that it is for; None where the method asks for no class.
        versus: The class that it is against.
        values: Not scaled; what they count is said in `service.attribution`.

    Shape:
        values: (H, W) float32.
    """

    class_id: int | None
    versus: int | None
    values: Floats


@dataclass(frozen=True)
class HeatMaps:
    """The answer to a request.

    Args:
        plan: What was computed.
        maps: One for each image.
        pixels: What the network saw, (N, height, width, C) uint8.
    """

    plan: HeatPlan
    maps: tuple[HeatMap, ...]
    pixels: NDArray[np.uint8]


def heat_maps(
    model: Model,
    images: Sequence[bytes],
    made: HeatPlan,
    *,
    max_pixels: int,
    decoding: Decoding = "fast",
    timings: Timings,
) -> HeatMaps:
    """Compute heat maps of encoded images.

    Args:
        model: The model that the plan is for.
        images: Encoded images, at least one.
        made: What is to be computed.
        max_pixels: Width times height accepted of each image.
        decoding: `fast` or `exact`, as in `service.image`.
        timings: Gets the time of decoding and computing.

    Raises:
        RequestError: An image cannot be used; none is computed then.
        ParameterError: There is no such class, or the most probable class of an image is the one to compare with.
        ExecutionError: The runtime failed.
    """
    with timings.measure("decode"):
        pixels = decode_all(
            images, model.image_input, max_pixels=max_pixels, decoding=decoding
        )  # (N, height, width, C)
    with timings.measure("compute"):
        compute = {"cam": _cams, "eigen-cam": _eigen_cams, "score-cam": _score_cams, "occlusion": _occlusions}
        return HeatMaps(made, compute[made.method](model, pixels, made), pixels)


def _cams(model: Model, pixels: NDArray[np.uint8], made: HeatPlan) -> tuple[HeatMap, ...]:
    head = model.head
    assert isinstance(head, Head)  # noqa: S101  (the plan has made sure)
    maps = _maps(model, pixels, made)  # (N, C, H, W)
    chosen = _chosen(head.logits(maps), made)
    weights = head.weights if head.weights is not None else np.eye(maps.shape[1], dtype=np.float32)  # (classes, C)
    against = weights[made.versus] if made.versus is not None else 0
    return tuple(
        HeatMap(target, made.versus, class_activation_map(one, weights[target] - against))
        for target, one in zip(chosen, maps, strict=True)
    )


def _eigen_cams(model: Model, pixels: NDArray[np.uint8], made: HeatPlan) -> tuple[HeatMap, ...]:
    return tuple(HeatMap(None, None, eigen_cam(one)) for one in _maps(model, pixels, made))


def _score_cams(model: Model, pixels: NDArray[np.uint8], made: HeatPlan) -> tuple[HeatMap, ...]:
    maps = _maps(model, pixels, made)  # (N, C, H, W)
    chosen = _chosen(model.probabilities(pixels), made)
    baseline = mean_color(model.image_input)
    return tuple(
        HeatMap(
            target,
            made.versus,
            score_cam(image, one[strongest(one, made.channels)], _log_scorer(model, target, made.versus), baseline),
        )
        for target, image, one in zip(chosen, pixels, maps, strict=True)
    )


def _occlusions(model: Model, pixels: NDArray[np.uint8], made: HeatPlan) -> tuple[HeatMap, ...]:
    assert made.windows is not None  # noqa: S101  (the plan has made sure)
    chosen = _chosen(model.probabilities(pixels), made)
    baseline = mean_color(model.image_input)
    return tuple(
        HeatMap(target, made.versus, occlusion(image, made.windows, _scorer(model, target, made.versus), baseline))
        for target, image in zip(chosen, pixels, strict=True)
    )


def mean_color(spec: ImageInput) -> NDArray[np.float64]:
    """The colour that is all zeros to the network, as far as bytes can say it.

    Shape:
        (C,), 0 to 255.
    """
    return np.clip(np.array(spec.mean) / spec.rescale_factor, 0, 255)


def _maps(model: Model, pixels: NDArray[np.uint8], made: HeatPlan) -> Floats:
    assert made.tensor is not None  # noqa: S101  (the plan has made sure)
    (maps,) = model.tensors(pixels, [made.tensor])
    if maps.ndim != 4:
        raise ParameterError(
            f"layer {made.layer!r} has outputs of shape {maps.shape[1:]}; heat maps need maps (C, H, W)"
        )
    return maps.astype(np.float32, copy=False)


def _chosen(scores: Floats, made: HeatPlan) -> list[int]:
    """The class of each image.

    Shape:
        scores: (N, classes).
    """
    for name, number in (("class", made.target), ("vs", made.versus)):
        if number is not None:
            check_class(number, classes=scores.shape[1], name=name)
    chosen = [made.target if made.target is not None else int(row.argmax()) for row in scores]
    if made.versus in chosen:
        raise ParameterError(
            f"vs is class {made.versus}, the most probable class of image {chosen.index(made.versus)}: give class, the"
            " one to compare it with"
        )
    return chosen


def _scorer(model: Model, target: int, versus: int | None) -> Scorer:
    """The probability of a class, less that of the other one."""

    def score(pixels: NDArray[np.uint8]) -> NDArray[np.floating]:
        found = model.probabilities(pixels)  # (n, classes)
        return found[:, target] - (found[:, versus] if versus is not None else 0)

    return score


def _log_scorer(model: Model, target: int, versus: int | None) -> Scorer:
    """The logarithm of the probability of a class, less that of the other one: the difference of their logits."""

    def score(pixels: NDArray[np.uint8]) -> NDArray[np.floating]:
        found = np.log(np.maximum(model.probabilities(pixels), _LEAST))  # (n, classes)
        return found[:, target] - (found[:, versus] if versus is not None else 0)

    return score

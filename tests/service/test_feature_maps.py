"""Promises of service.feature_maps."""

from pathlib import Path

import numpy as np
import pytest

from service.addressing import find_layers
from service.engine import open_engine
from service.errors import AnswerTooLargeError, ParameterError
from service.feature_maps import Format, MapRequest, PictureStyle, feature_maps, refuse_too_large, smaller
from service.layers import Layer, table
from service.settings import Settings
from service.timing import Timings
from service.view import View
from tests import images, tiny_models

CONV, RELU, *_ = table(tiny_models.brightness(), tiny_models.LAYERS)


def test_maps_belong_to_their_layers_and_images(repository: Path, settings: Settings) -> None:
    """Two layers of two images: white is 1 at the convolution, black is -1, and 0 behind the detector."""
    tiny_models.publish(repository)
    model = open_engine(settings).registry.load("brightness")
    request = MapRequest(find_layers(model.layers, ["block.relu", "conv"]), "json", view=View(reduce="mean"))
    pictures = [images.plain(255), images.plain(0)]
    found = feature_maps(model, pictures, request, max_pixels=100, timings=Timings())
    assert [one.layer.path for one in found.maps] == ["block.relu", "conv"]
    assert [one.data.tolist() for one in found.maps] == [[[1], [0]], [[1], [-1]]]
    assert np.unique(found.pixels).tolist() == [0, 255]


@pytest.mark.parametrize(
    ("layers", "pictures", "form", "message"),
    [
        ([CONV, RELU], 1, "npy", "format npy holds one layer and 2 are asked for; accepted: json, npz, safetensors"),
        ([CONV, RELU], 1, "png", "format png holds one layer"),
        ([CONV], 2, "png", "format png holds one image and there are 2; accepted: json, npy, npz"),
    ],
)
def test_a_form_that_cannot_hold_the_answer_is_refused(
    layers: list[Layer], pictures: int, form: Format, message: str
) -> None:
    """The error says which forms can."""
    with pytest.raises(ParameterError, match=message):
        MapRequest(tuple(layers), form).check(images=pictures)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        (MapRequest((CONV,), "npy", statistics=True), "statistics come as json"),
        (MapRequest((CONV,), "npy", view=View(dtype="uint8")), "no place for the range"),
        (MapRequest((CONV,), "png", view=View(dtype="float16")), "dtype and normalize are for numbers"),
        (MapRequest((CONV,), "png", view=View(l2=True)), "dtype and normalize are for numbers"),
    ],
)
def test_what_does_not_go_together_is_refused(request_: MapRequest, message: str) -> None:
    """Instead of one of the two being ignored."""
    with pytest.raises(ParameterError, match=message):
        request_.check(images=1)


@pytest.mark.parametrize(
    ("request_", "advice"),
    [
        (MapRequest((CONV,), "json"), ["format=npz", "reduce=mean"]),
        (MapRequest((CONV,), "npz"), ["dtype=float16", "reduce=mean"]),
        (MapRequest((CONV,), "npz", view=View(dtype="uint8", reduce="mean")), []),
        (MapRequest((CONV,), "png", style=PictureStyle(enlarge=4)), ["enlarge=1"]),
    ],
)
def test_less_of_the_same_can_be_asked_for(request_: MapRequest, advice: list[str]) -> None:
    """The mildest first."""
    assert [text for text, _ in smaller(request_)] == advice


def test_an_answer_over_the_limit_is_refused() -> None:
    """With its size, the limit, and what would fit."""
    refuse_too_large(32, [], max_bytes=32)
    with pytest.raises(AnswerTooLargeError, match="33 bytes; 32 are allowed .*: it would fit with a, or b"):
        refuse_too_large(33, ["a", "b"], max_bytes=32)
    with pytest.raises(AnswerTooLargeError, match="ask for fewer layers"):
        refuse_too_large(33, [], max_bytes=32)

"""Promises of service.feature_maps."""

from pathlib import Path

import pytest

from service.engine import open_engine
from service.errors import AnswerTooLargeError, ParameterError
from service.feature_maps import Format, check_answer, feature_maps
from service.layers import Layer, table
from service.settings import Settings
from service.timing import Timings
from tests import images, tiny_models

CONV, RELU, *_ = table(tiny_models.brightness(), tiny_models.LAYERS)


def test_maps_belong_to_their_layers_and_images(repository: Path, settings: Settings) -> None:
    """Two layers of two images: white is 1 at the convolution, black is -1, and 0 behind the detector."""
    tiny_models.publish(repository)
    model = open_engine(settings).registry.load("brightness")
    wanted = model.layers.find_all(["block.relu", "conv"])
    pictures = [images.plain(255), images.plain(0)]
    relu, conv = feature_maps(model, pictures, wanted, max_pixels=100, timings=Timings())
    assert (relu.layer.path, conv.layer.path) == ("block.relu", "conv")
    assert relu.data.tolist() == [[[[1, 1], [1, 1]]], [[[0, 0], [0, 0]]]]
    assert conv.data.tolist() == [[[[1, 1], [1, 1]]], [[[-1, -1], [-1, -1]]]]


@pytest.mark.parametrize(
    ("wanted", "pictures", "form", "message"),
    [
        ([CONV, RELU], 1, "npy", "format npy holds one layer and 2 are asked for; accepted: json, npz"),
        ([CONV, RELU], 1, "png", "format png holds one layer"),
        ([CONV], 2, "png", "format png holds one image and there are 2; accepted: json, npy, npz"),
    ],
)
def test_a_form_that_cannot_hold_the_answer_is_refused(
    wanted: list[Layer], pictures: int, form: Format, message: str
) -> None:
    """The error says which forms can."""
    with pytest.raises(ParameterError, match=message):
        check_answer(wanted, images=pictures, form=form, max_bytes=None)


def test_an_answer_over_the_limit_is_refused() -> None:
    """Four values of 4 bytes for each of two images are 32 bytes."""
    check_answer([CONV], images=2, form="npy", max_bytes=32)
    with pytest.raises(AnswerTooLargeError, match="about 32 bytes; at most 31 are allowed"):
        check_answer([CONV], images=2, form="npy", max_bytes=31)

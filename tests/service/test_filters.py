"""Promises of service.filters."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np
import pytest
from numpy.typing import NDArray

from service.engine import open_engine
from service.errors import ModelTaskError, ParameterError
from service.filters import Filters, FilterStyle, filters, picture, picture_shape
from service.layers import table
from service.model import Model
from service.pictures import colored
from service.settings import Settings
from tests import tiny_models

CONV = table(tiny_models.brightness(), tiny_models.LAYERS).find("conv")
PLAIN = FilterStyle(enlarge=1)


@pytest.fixture
def model(repository: Path, settings: Settings) -> Model:
    """`brightness`."""
    tiny_models.publish(repository)
    return open_engine(settings).registry.load("brightness")


def kernels(values: Sequence[object] | NDArray[np.float32], *, is_first: bool = False) -> Filters:
    """Kernels of a layer."""
    return Filters(CONV, np.array(values, np.float32), None, is_first)


def inside(found: Filters, style: FilterStyle) -> list[object]:
    """The pixels of the first kernel, without its frame of one pixel."""
    _, _, height, width = found.values.shape
    return list(picture(found, style)[1 : 1 + height, 1 : 1 + width].tolist())


def test_kernels_are_those_of_the_file(model: Model) -> None:
    """The convolution is 2 * x - 1; the linear layer is (0, 1, 2)."""
    conv, head = (filters(model, model.layers.find(name)) for name in ("conv", "head"))
    assert (conv.values.tolist(), conv.is_first) == ([[[[2]]]], True)
    assert conv.bias is not None
    assert conv.bias.tolist() == [-1]
    assert (head.values.tolist(), head.is_first) == ([[0], [1], [2]], False)


def test_a_layer_without_kernels_says_what_it_is(model: Model) -> None:
    """And which layers have some."""
    with pytest.raises(ModelTaskError, match="'pool' is put out by GlobalAveragePool, .*: conv, head"):
        filters(model, model.layers.find("pool"))


def test_what_becomes_of_the_file_does_not_matter(repository: Path, model: Model) -> None:
    """Kernels are those of the file that was loaded, never those of another one."""
    before = filters(model, model.layers.find("conv"))
    (repository / "brightness" / "1" / "model.onnx").write_bytes(b"other")
    assert (filters(model, model.layers.find("conv")).values == before.values).all()


def test_kernels_lie_side_by_side_in_frames() -> None:
    """Three kernels of 1x2 pixels: two rows of two, each with a frame of a pixel, a white pixel between."""
    found = kernels([[[[1, 0]]], [[[0, -2]]], [[[3, 3]]]])
    shown = picture(found, PLAIN)
    assert shown.shape == (3 + 1 + 3, 4 + 1 + 4, 3)
    assert shown[1, :4].tolist() == [[0, 0, 0], *colored(np.array([1, 0.5]), "rdbu").tolist(), [0, 0, 0]]
    assert shown[1, 6:8].tolist() == colored(np.array([0.5, 0]), "rdbu").tolist()
    assert (shown[4:, 5:] == 255).all()
    assert picture_shape(found, PLAIN) == (6, 8)


def test_each_kernel_has_a_scale_of_its_own() -> None:
    """A weak one is as bright as a strong one, and zeros are in the middle."""
    grey = FilterStyle("grey", enlarge=1)
    assert inside(kernels([[[[1, 0]]]]), grey) == inside(kernels([[[[9, 0]]]]), grey) == [[255, 128]]
    assert inside(kernels([[[[0, 0]]]]), grey) == [[128, 128]]


def test_first_kernels_are_in_the_colours_of_the_image() -> None:
    """Red up, green unchanged, blue down; of a deeper layer with three channels their mean is shown."""
    values = [[[[2, 0]], [[0, 0]], [[-2, 0]]]]
    assert inside(kernels(values, is_first=True), PLAIN) == [[[255, 128, 0], [128, 128, 128]]]
    assert inside(kernels(values), PLAIN) == [colored(np.array([0.5, 0.5]), "rdbu").tolist()]


def test_one_input_channel_can_be_chosen() -> None:
    """In place of the mean, also of the first kernels."""
    values = [[[[2, 0]], [[0, 0]], [[-2, 0]]]]
    style = FilterStyle("grey", input_channel=2, enlarge=1)
    assert inside(kernels(values, is_first=True), style) == [[0, 128]]
    with pytest.raises(ParameterError, match="input_channel is 3; accepted: 0 to 2"):
        picture(kernels(values), FilterStyle(input_channel=3))
    with pytest.raises(ParameterError, match="input_channel is -1; accepted: 0 to 2"):
        picture(kernels(values), FilterStyle(input_channel=-1))


@pytest.mark.parametrize("shape", [(2, 3), (2, 3, 1, 1)], ids=["linear", "1x1 convolution"])
def test_weights_without_an_extent_are_one_matrix(shape: tuple[int, ...]) -> None:
    """A row for each output, all on one scale."""
    found = kernels(np.array([[0, 1, 2], [0, -1, -2]], np.float32).reshape(shape))
    shown = picture(found, FilterStyle("grey", enlarge=1))
    assert shown[1:-1, 1:-1].tolist() == [[128, 191, 255], [128, 64, 0]]
    with pytest.raises(ParameterError, match="have no extent"):
        picture(found, FilterStyle(input_channel=0))


def test_kernels_along_a_line_are_pictures_of_one_row() -> None:
    """(out, in, width)."""
    shown = picture(kernels([[[1, 0, -1]]]), FilterStyle("grey", enlarge=1))
    assert shown[1, 1:-1].tolist() == [255, 128, 0]


def test_kernels_in_space_are_no_picture() -> None:
    """The error says which forms hold them."""
    with pytest.raises(ParameterError, match=r"\(1, 2, 2, 2\), and png shows those in a plane; accepted: json, npy"):
        picture(kernels(np.ones((1, 1, 2, 2, 2), np.float32)), FilterStyle())


def test_small_kernels_are_enlarged() -> None:
    """To about 800 pixels, as the shape says before."""
    found = kernels(np.ones((4, 1, 5, 5), np.float32))
    height, width = picture_shape(found, FilterStyle())
    assert picture(found, FilterStyle()).shape == (height + 1, width + 1, 3)
    assert 780 < height < 830

"""Promises of service.encoding."""

import io
import json

import numpy as np
import pytest
from numpy.typing import NDArray
from PIL import Image

from service.encoding import encode, enlarge, grid, scale_each, to_npy, to_npz, to_png
from service.errors import ParameterError
from service.feature_maps import FeatureMap
from service.layers import Layer


def feature_map(data: NDArray[np.float32], path: str = "conv") -> FeatureMap:
    """A feature map of a layer of this name."""
    return FeatureMap(Layer(0, path, (), path, "Conv", data.shape[1:], 0), data)


MAPS = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)


def test_npy_is_the_array() -> None:
    """float32, images first."""
    found = np.load(io.BytesIO(to_npy(feature_map(MAPS))), allow_pickle=False)
    assert found.dtype == np.float32
    np.testing.assert_array_equal(found, MAPS)


def test_npz_holds_each_layer_under_its_path() -> None:
    """Also under names that NumPy's own function would take for arguments."""
    paths = ["layer1.0.relu", "file", "a/b"]
    found = np.load(io.BytesIO(to_npz([feature_map(MAPS, path) for path in paths])), allow_pickle=False)
    assert sorted(found.files) == sorted(paths)
    for path in paths:
        np.testing.assert_array_equal(found[path], MAPS)


def test_json_is_nested_lists_for_each_image() -> None:
    """Images, then layers, then the values; NaN and infinity are null."""
    data = MAPS.copy()
    data[1, 0, 0] = [np.nan, np.inf]
    found = json.loads(encode([feature_map(data), feature_map(MAPS[:, :, 0, 0], "pool")], "json", model="m", version=3))
    assert found == {
        "model": "m",
        "version": 3,
        "results": [
            {
                "maps": [
                    {"layer": "conv", "shape": [2, 2, 2], "data": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]},
                    {"layer": "pool", "shape": [2], "data": [0, 4]},
                ]
            },
            {
                "maps": [
                    {"layer": "conv", "shape": [2, 2, 2], "data": [[[None, None], [10, 11]], [[12, 13], [14, 15]]]},
                    {"layer": "pool", "shape": [2], "data": [8, 12]},
                ]
            },
        ],
    }


def test_each_channel_is_scaled_on_its_own() -> None:
    """The smallest value is black, the largest white, whatever the other channels hold."""
    channels = np.array([[[0, 1]], [[-100, 100]], [[0, 0.5]]], np.float32)
    assert scale_each(channels).tolist() == [[[0, 255]], [[0, 255]], [[0, 255]]]
    assert scale_each(np.array([[[0, 1, 2]]], np.float32)).tolist() == [[[0, 128, 255]]]


@pytest.mark.parametrize(
    "values", [[5, 5], [-7.0733476, -7.073347], [0, np.nan]], ids=["the same", "the same but for rounding", "nan"]
)
def test_a_channel_without_contrast_is_black(values: list[float]) -> None:
    """Rounding noise is not blown up to a picture."""
    assert scale_each(np.array([[values]], np.float32)).tolist() == [[[0, 0]]]


def test_infinities_do_not_hide_the_rest() -> None:
    """They are the ends of the scale, without a warning."""
    assert scale_each(np.array([[[-np.inf, 0, np.inf]]], np.float32)).tolist() == [[[0, 128, 255]]]


def test_enlarging_repeats_pixels() -> None:
    """By a whole factor, nothing is interpolated."""
    assert enlarge(np.array([[[1, 2]]], np.uint8), factor=2).tolist() == [[[1, 1, 2, 2], [1, 1, 2, 2]]]


def test_tiles_lie_row_by_row_with_gaps() -> None:
    """Three tiles of 1x2 make two rows and two columns; the place of the fourth is white."""
    tiles = np.array([[[1, 2]], [[3, 4]], [[5, 6]]], np.uint8)
    assert grid(tiles).tolist() == [
        [1, 2, 255, 3, 4],
        [255, 255, 255, 255, 255],
        [5, 6, 255, 255, 255],
    ]


@pytest.mark.parametrize(
    ("shape", "size"),
    [((1, 2, 2, 2), (801, 400)), ((1, 3), (801, 801)), ((1, 1, 900, 900), (900, 900)), ((1, 4, 1, 2), (801, 401))],
    ids=["maps", "vector", "large map", "flat maps"],
)
def test_a_picture_is_enlarged_to_a_size_that_can_be_looked_at(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    """By a whole factor, as long as it stays below some 800 pixels; large maps stay as they are."""
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(shape)
    with Image.open(io.BytesIO(to_png(feature_map(data)))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", size)


def test_what_cannot_be_shown_is_refused() -> None:
    """A matrix for each image is neither maps nor a vector."""
    with pytest.raises(ParameterError, match=r"shape \(2, 3\); png shows maps .* accepted: json, npy, npz"):
        to_png(feature_map(np.zeros((1, 2, 3), np.float32)))

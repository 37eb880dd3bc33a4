"""Promises of service.encoding."""

import io
import json
from collections.abc import Sequence
from dataclasses import replace

import numpy as np
import pytest
import safetensors.numpy
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from service.encoding import check_size, encode, plan
from service.errors import AnswerTooLargeError, ParameterError
from service.feature_maps import FeatureMap, FeatureMaps, Format, MapRequest, PictureStyle
from service.layers import Layer
from service.view import Array, Dtype, View, parse_channels

MAPS = np.arange(16, dtype=np.float32).reshape(2, 2, 2, 2)
SEEN = np.zeros((2, 8, 8, 3), np.uint8)


def layer(shape: Sequence[int], path: str = "conv") -> Layer:
    """A layer of this name and shape."""
    return Layer(0, path, (), path, "Conv", tuple(shape), 0)


def written(data: Array, request: MapRequest) -> bytes:
    """The answer to a request whose layers all have these outputs."""
    maps = tuple(FeatureMap(one, request.view.of(data)) for one in request.layers)
    return bytes(encode(FeatureMaps(maps, SEEN[: len(data)]), request, model="m", version=3))


def request(form: Format, *paths: str, shape: Sequence[int] = (2, 2, 2), **choices: object) -> MapRequest:
    """A request for layers of one shape."""
    layers = tuple(layer(shape, path) for path in paths or ("conv",))
    return MapRequest(layers, form, **choices)  # type: ignore[arg-type]


@pytest.mark.parametrize("dtype", ["float32", "float16"])
def test_npy_is_the_array(dtype: Dtype) -> None:
    """In the type that was asked for, images first."""
    found = np.load(io.BytesIO(written(MAPS, request("npy", view=View(dtype=dtype)))), allow_pickle=False)
    assert found.dtype == np.dtype(dtype)
    np.testing.assert_array_equal(found, MAPS)


def test_npz_holds_each_layer_under_its_path() -> None:
    """Also under names that NumPy's own function would take for arguments."""
    paths = ["layer1.0.relu", "file", "a/b"]
    found = np.load(io.BytesIO(written(MAPS, request("npz", *paths))), allow_pickle=False)
    assert sorted(found.files) == sorted(paths)
    for path in paths:
        np.testing.assert_array_equal(found[path], MAPS)


@pytest.mark.parametrize("form", ["npz", "safetensors"])
def test_channels_and_ranges_stand_beside_their_layer(form: Format) -> None:
    """Where the strongest channels, or uint8, were asked for."""
    content = written(MAPS, request(form, view=View(channels=parse_channels("top:1"), dtype="uint8")))
    found = dict(np.load(io.BytesIO(content)).items()) if form == "npz" else safetensors.numpy.load(content)
    assert {name: array.tolist() for name, array in found.items()} == {
        "conv": [[[[0, 85], [170, 255]]]] * 2,
        "conv:channels": [[1], [1]],
        "conv:low": [4, 12],
        "conv:high": [7, 15],
    }


def test_safetensors_tell_the_model() -> None:
    """In their metadata."""
    content = written(MAPS, request("safetensors"))
    head = json.loads(content[8 : 8 + int.from_bytes(content[:8], "little")])
    assert head["__metadata__"] == {"model": "m", "version": "3"}
    np.testing.assert_array_equal(safetensors.numpy.load(content)["conv"], MAPS)


def test_json_is_nested_lists_for_each_image() -> None:
    """Images, then layers, then the values; NaN and infinity are null."""
    data = MAPS.copy()
    data[1, 0, 0] = [np.nan, np.inf]
    assert json.loads(written(data, request("json", "conv", "again"))) == {
        "model": "m",
        "version": 3,
        "results": [
            {
                "maps": [
                    {"layer": path, "shape": [2, 2, 2], "data": [[[0, 1], [2, 3]], [[4, 5], [6, 7]]]}
                    for path in ("conv", "again")
                ]
            },
            {
                "maps": [
                    {"layer": path, "shape": [2, 2, 2], "data": [[[None, None], [10, 11]], [[12, 13], [14, 15]]]}
                    for path in ("conv", "again")
                ]
            },
        ],
    }


def test_json_tells_channels_and_range() -> None:
    """Of each image."""
    content = written(MAPS, request("json", view=View(channels=parse_channels("top:1"), reduce="mean", dtype="uint8")))
    (first, second) = (result["maps"][0] for result in json.loads(content)["results"])
    assert first == {"layer": "conv", "shape": [1], "data": [0], "channels": [1], "low": 5.5, "high": 5.5}
    assert second["channels"] == [1]


def test_statistics_take_the_place_of_the_values() -> None:
    """For each image."""
    content = json.loads(written(MAPS, request("json", statistics=True)))
    (first, second) = (result["maps"][0] for result in content["results"])
    assert "data" not in first
    assert first["statistics"]["mean"] == 3.5
    assert second["statistics"]["max"] == 15


@given(
    form=st.sampled_from(["json", "npy", "npz", "safetensors", "png"]),
    dtype=st.sampled_from(["float32", "float16", "uint8"]),
    shape=st.tuples(st.integers(1, 5), st.integers(1, 9), st.integers(1, 9)) | st.tuples(st.integers(1, 30)),
    images=st.integers(1, 3),
    exponent=st.integers(-30, 30),
    statistics=st.booleans(),
)
def test_no_answer_is_larger_than_planned(
    form: Format,
    dtype: Dtype,
    shape: tuple[int, ...],
    images: int,
    exponent: int,
    statistics: bool,  # noqa: FBT001
) -> None:
    """And arrays are hardly smaller."""
    asked = request(form, shape=shape, view=View(dtype=dtype), statistics=statistics)
    data = (np.random.default_rng(0).normal(size=(images, *shape)) * 10.0**exponent).astype(np.float32)
    try:
        planned = plan(asked, images=images, pixels=(8, 8))
    except ParameterError:
        return
    size = len(written(data, asked))
    overhead = 100 if form == "png" else 0  # a PNG has headers of its own
    assert size <= planned + overhead
    if form in ("npy", "npz", "safetensors"):
        assert size >= planned - 1500


def test_an_answer_over_the_limit_is_refused_with_what_would_fit() -> None:
    """Two images of 8 values of 4 bytes and a header."""
    asked = request("npz")
    size = plan(asked, images=2, pixels=(8, 8))
    check_size(asked, images=2, pixels=(8, 8), max_bytes=size)
    with pytest.raises(AnswerTooLargeError, match="it would fit with dtype=float16, or reduce=mean, or 1 images"):
        check_size(asked, images=2, pixels=(8, 8), max_bytes=size - 1)


@pytest.mark.parametrize(
    ("shape", "size"),
    [((2, 2, 2), (801, 400)), ((3,), (801, 801)), ((1, 900, 900), (900, 900)), ((4, 1, 2), (801, 401))],
    ids=["maps", "vector", "large map", "flat maps"],
)
def test_a_picture_is_enlarged_to_a_size_that_can_be_looked_at(shape: tuple[int, ...], size: tuple[int, int]) -> None:
    """By a whole factor, as long as it stays below some 800 pixels; large maps stay as they are."""
    data = np.arange(np.prod(shape), dtype=np.float32).reshape(1, *shape)
    with Image.open(io.BytesIO(written(data, request("png", shape=shape)))) as picture:
        assert (picture.format, picture.mode, picture.size) == ("PNG", "L", size)


def test_a_picture_may_be_styled() -> None:
    """Colours, a factor, and an overlay of the size of what the network saw."""
    for style, size in (
        (PictureStyle(colormap="viridis", enlarge=3), (13, 6)),
        (PictureStyle(colormap="grey", enlarge=1, overlay=0.5), (17, 8)),
    ):
        content = written(MAPS[:1], replace(request("png"), style=style))
        with Image.open(io.BytesIO(content)) as picture:
            assert (picture.mode, picture.size) == ("RGB", size)


def test_what_cannot_be_shown_is_refused() -> None:
    """A matrix for each image is neither maps nor a vector."""
    with pytest.raises(ParameterError, match=r"shape \(2, 3\); png shows maps .* accepted: json, npy, npz"):
        written(np.zeros((1, 2, 3), np.float32), request("png", shape=(2, 3)))

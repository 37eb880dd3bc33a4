"""Feature maps as bytes: JSON, npy, npz, and a picture."""

import io
import math
import zipfile
from collections.abc import Sequence
from typing import Final

import numpy as np
import orjson
from numpy.typing import NDArray
from PIL import Image

from service.errors import ParameterError
from service.feature_maps import FeatureMap, Format

_GAP: Final = 1  # pixels between tiles
_SIDE: Final = 800  # pixels; maps are enlarged by a whole factor as long as the picture stays smaller
_NOISE: Final = 1e-6  # of the largest value; a channel that varies less is the same everywhere, but for rounding
_BACKGROUND: Final = 255


def encode(feature_maps: Sequence[FeatureMap], form: Format, *, model: str, version: int) -> bytes:
    """Write feature maps in one of the forms.

    Args:
        feature_maps: At least one; exactly one for npy and png.
        form: Which form.
        model: The name of the model, for JSON.
        version: Its version, for JSON.

    Raises:
        ParameterError: A layer cannot be shown as a picture.
    """
    match form:
        case "json":
            return to_json(feature_maps, model=model, version=version)
        case "npy":
            return to_npy(feature_maps[0])
        case "npz":
            return to_npz(feature_maps)
        case "png":
            return to_png(feature_maps[0])


def to_json(feature_maps: Sequence[FeatureMap], *, model: str, version: int) -> bytes:
    """All layers of all images, as nested lists; NaN and infinity are null."""
    images = len(feature_maps[0].data)
    results = [{"maps": [_one_map(one, image) for one in feature_maps]} for image in range(images)]
    answer = {"model": model, "version": version, "results": results}
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def to_npy(feature_map: FeatureMap) -> bytes:
    """One layer as an npy file: float32 (N, *layer.shape)."""
    buffer = io.BytesIO()
    np.save(buffer, feature_map.data, allow_pickle=False)
    return buffer.getvalue()


def to_npz(feature_maps: Sequence[FeatureMap]) -> bytes:
    """Several layers as an npz file, each under its canonical path; not compressed, floats gain little by it."""
    buffer = io.BytesIO()
    # Not np.savez: it takes the names as arguments of its own, and a layer may be called `file`.
    with zipfile.ZipFile(buffer, "w") as archive:
        for feature_map in feature_maps:
            archive.writestr(f"{feature_map.layer.path}.npy", to_npy(feature_map))
    return buffer.getvalue()


def to_png(feature_map: FeatureMap) -> bytes:
    """One layer of one image as a picture: its channels side by side, the first at the top left.

    Each channel is scaled on its own, its smallest value black and its largest white.

    Raises:
        ParameterError: The layer's output is neither maps (C, H, W) nor a vector (C,).
    """
    channels = _as_channels(feature_map)  # (C, H, W)
    longest = _columns(len(channels)) * max(channels.shape[1:])
    tiles = enlarge(scale_each(channels), factor=max(1, _SIDE // longest))
    buffer = io.BytesIO()
    Image.fromarray(grid(tiles)).save(buffer, "png")
    return buffer.getvalue()


def scale_each(channels: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Scale each channel to 0..255; a channel that is the same everywhere becomes black, as NaN counts as 0.

    Shape:
        channels: (C, H, W).  Returns (C, H, W) uint8.
    """
    finite = np.nan_to_num(channels).astype(np.float64)
    low = finite.min(axis=(1, 2), keepdims=True)  # (C, 1, 1)
    span = finite.max(axis=(1, 2), keepdims=True) - low  # (C, 1, 1)
    varies = span > _NOISE * np.abs(finite).max(axis=(1, 2), keepdims=True)  # (C, 1, 1)
    scale = np.where(varies, 255 / np.where(varies, span, 1), 0)  # (C, 1, 1)
    scaled: NDArray[np.uint8] = np.rint((finite - low) * scale).astype(np.uint8)
    return scaled


def enlarge(channels: NDArray[np.uint8], *, factor: int) -> NDArray[np.uint8]:
    """Every value becomes a square of `factor` x `factor` pixels.

    Shape:
        channels: (C, H, W).  Returns (C, H * factor, W * factor).
    """
    return channels.repeat(factor, axis=1).repeat(factor, axis=2)


def grid(tiles: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Lay tiles out row by row, as nearly square as it goes, with a gap of one pixel between them.

    Shape:
        tiles: (C, H, W).  Returns (rows * (H + 1) - 1, columns * (W + 1) - 1).
    """
    count, height, width = tiles.shape
    columns = _columns(count)
    rows = math.ceil(count / columns)
    canvas = np.full((rows, height + _GAP, columns, width + _GAP), _BACKGROUND, np.uint8)
    for i, tile in enumerate(tiles):
        canvas[i // columns, :height, i % columns, :width] = tile
    return canvas.reshape(rows * (height + _GAP), columns * (width + _GAP))[:-_GAP, :-_GAP]


def _columns(count: int) -> int:
    return math.ceil(math.sqrt(count))


def _one_map(feature_map: FeatureMap, image: int) -> dict[str, object]:
    data = np.ascontiguousarray(feature_map.data[image])  # (C, H, W) or (C,)
    return {"layer": feature_map.layer.path, "shape": data.shape, "data": data}


def _as_channels(feature_map: FeatureMap) -> NDArray[np.float32]:
    """(1, C, H, W) or (1, C) to (C, H, W)."""
    data: NDArray[np.float32] = feature_map.data[0]
    if data.ndim == 3:
        return data
    if data.ndim == 1:
        return data[:, np.newaxis, np.newaxis]
    raise ParameterError(
        f"layer {feature_map.layer.path!r} has outputs of shape {data.shape}; png shows maps (C, H, W) and vectors (C,)"
        "; accepted: json, npy, npz"
    )

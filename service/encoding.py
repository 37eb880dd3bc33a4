"""Feature maps as bytes: JSON, npy, npz, safetensors, and a picture; and how many bytes, before they are computed."""

import io
import math
import zipfile
from collections.abc import Iterator, Sequence
from dataclasses import asdict
from typing import Any, Final

import numpy as np
import orjson
from numpy.typing import NDArray

from service import pictures
from service.buffer import Buffer, Content
from service.errors import ParameterError
from service.feature_maps import FeatureMap, FeatureMaps, MapRequest, PictureStyle, refuse_too_large, smaller
from service.pictures import Picture
from service.statistics import statistics
from service.text import joined, json_of, json_with
from service.view import Array, Shape, Strongest, View

_SAFETENSORS: Final = {"float32": "F32", "float16": "F16", "uint8": "U8", "int64": "I64"}
_ITEM_BYTES: Final = {"float32": 4, "float16": 2, "uint8": 1}
# The most that JSON needs for one value, with its comma: -1.1754944e-38, -65504.0 and 255.
_JSON_BYTES: Final = {"float32": 16, "float16": 12, "uint8": 4}
_STATISTICS_BYTES: Final = 1024
_ENTRY_BYTES: Final = 512  # of npz, around the values of an array
_MAP_BYTES: Final = 256  # of a header, around the values of a layer
_PER_IMAGE_BYTES: Final = 160  # of JSON, around the values of a map


def plan(request: MapRequest, *, images: int, pixels: tuple[int, int]) -> int:
    """The size of an answer in bytes, at most.

    For npy, npz and safetensors it is exact but for headers of some hundred bytes.  Layers whose size is not fixed
    count as nothing.

    Args:
        request: What is wanted.
        images: Of how many images.
        pixels: Height and width of what the network sees.

    Raises:
        ParameterError: A layer does not have what is asked for, or the form cannot hold it.
    """
    request.check(images=images)
    return sum(
        _bytes_of(request, layer.path, shape, images=images, pixels=pixels)
        for layer, shape in zip(request.layers, request.shapes, strict=True)
    )


def check_size(request: MapRequest, *, images: int, pixels: tuple[int, int], max_bytes: int) -> None:
    """Refuse an answer that would be too large, and say what would fit.

    Raises:
        ParameterError: A layer does not have what is asked for, or the form cannot hold it.
        AnswerTooLargeError: The answer would have more than `max_bytes`.
    """
    size = plan(request, images=images, pixels=pixels)
    if size <= max_bytes:
        return
    fitting = [text for text, less in smaller(request) if plan(less, images=images, pixels=pixels) <= max_bytes]
    fewer = max_bytes * images // size
    if images > 1 and fewer:
        fitting.append(f"{fewer} images")
    refuse_too_large(size, fitting, max_bytes=max_bytes)


def encode(found: FeatureMaps, request: MapRequest, *, model: str, version: int) -> Content:
    """Write feature maps in the form that was asked for.

    Args:
        found: The feature maps.
        request: What was wanted.
        model: The name of the model, for JSON.
        version: Its version, for JSON.

    Raises:
        ParameterError: A layer cannot be shown as a picture.
    """
    match request.form:
        case "json":
            return to_json(found.maps, described=request.statistics, model=model, version=version)
        case "npy":
            return to_npy(found.maps[0].data)
        case "npz":
            return to_npz(found.maps)
        case "safetensors":
            return to_safetensors(found.maps, model=model, version=version)
        case "png":
            return to_png(found.maps[0], request.style, photo=found.pixels[0])


def to_json(maps: Sequence[FeatureMap], *, described: bool, model: str, version: int) -> Content:
    """All layers of all images: nested lists, or statistics.  NaN and infinity are null."""
    write = _described if described else _written
    images = len(maps[0].data)
    results = [{"maps": [write(one, image) for one in maps]} for image in range(images)]
    return json_with({"model": model, "version": version, "results": results})


def to_npy(data: Array) -> Content:
    """One array as an npy file."""
    return joined(_npy(data))


def to_npz(maps: Sequence[FeatureMap]) -> Content:
    """Every layer under its canonical path; not compressed, floats gain little by it.

    Beside a layer `PATH` stand `PATH:channels` (N, count) where the strongest were asked for, and `PATH:low` and
    `PATH:high` (N,) where the values are uint8.
    """
    arrays = list(_arrays(maps))
    buffer = Buffer(sum(data.nbytes + _ENTRY_BYTES + 4 * len(name.encode()) for name, data in arrays) + _ENTRY_BYTES)
    # Not np.savez: it takes the names as arguments of its own, and a layer may be called `file`.
    with zipfile.ZipFile(buffer, "w") as archive:  # type: ignore[call-overload]  # it does what ZipFile asks of a file
        for name, data in arrays:
            with archive.open(f"{name}.npy", "w", force_zip64=True) as file:
                for part in _npy(data):
                    file.write(part)
    return buffer.content()


def to_safetensors(maps: Sequence[FeatureMap], *, model: str, version: int) -> Content:
    """The same arrays under the same names as in npz; model and version are in the metadata."""
    # The largest type first, so that each array begins where its type may.
    arrays = sorted(_arrays(maps), key=lambda named: named[1].itemsize, reverse=True)
    head: dict[str, Any] = {"__metadata__": {"model": model, "version": str(version)}}
    end = 0
    for name, data in arrays:
        start, end = end, end + data.nbytes
        head[name] = {"dtype": _SAFETENSORS[data.dtype.name], "shape": data.shape, "data_offsets": [start, end]}
    text = orjson.dumps(head)
    text += b" " * (-len(text) % 8)
    return joined((len(text).to_bytes(8, "little"), text, *(_raw(data) for _, data in arrays)))


def to_png(feature_map: FeatureMap, style: PictureStyle, *, photo: NDArray[np.uint8]) -> bytes:
    """The channels of one layer of one image side by side, the first at the top left.

    Args:
        feature_map: Of one image.
        style: How it looks.
        photo: What the network saw.

    Shape:
        photo: (height, width, C) uint8.

    Raises:
        ParameterError: The view is neither maps (C, H, W) nor a vector (C,).
    """
    channels = _as_channels(feature_map)  # (C, H, W)
    symmetric = pictures.is_diverging(style.colormap)
    tiles = [
        _tile(pictures.colored(values, style.colormap), style, photo, count=len(channels))
        for values in pictures.scaled(channels, style.scale, symmetric=symmetric)
    ]
    return pictures.to_png(pictures.grid(tiles))


def _tile(tile: Picture, style: PictureStyle, photo: NDArray[np.uint8], *, count: int) -> Picture:
    if style.overlay is not None:
        heat = tile if tile.ndim == 3 else np.repeat(tile[..., np.newaxis], 3, axis=2)
        tile = pictures.overlaid(heat, photo, opacity=style.overlay)
    return pictures.enlarged(tile, factor=_factor(style, count, max(tile.shape[:2])))


def _factor(style: PictureStyle, count: int, side: int) -> int:
    return style.enlarge or pictures.enlargement(side, count=count)


def _bytes_of(request: MapRequest, path: str, shape: Shape | None, *, images: int, pixels: tuple[int, int]) -> int:
    """The bytes of the view of one layer for all images; 0 where they cannot be told yet."""
    sizes = [size for size in shape or () if size is not None]
    if shape is None or len(sizes) < len(shape):
        return 0
    if request.form == "png":
        return _picture_bytes(request.style, sizes, pixels)
    if request.statistics:
        return images * (_STATISTICS_BYTES + 8 * sizes[0] if sizes else _STATISTICS_BYTES)
    per_value = (_JSON_BYTES if request.form == "json" else _ITEM_BYTES)[request.view.dtype]
    around = images * _PER_IMAGE_BYTES if request.form == "json" else 0
    return images * per_value * math.prod(sizes) + around + _bytes_beside(request.view, path, images=images)


def _bytes_beside(view: View, path: str, *, images: int) -> int:
    """What stands around the values of a layer: its name and shape, and the channels and range where they are told."""
    strongest = view.channels.count if isinstance(view.channels, Strongest) else 0
    arrays = 1 + (strongest > 0) + 2 * (view.dtype == "uint8")
    return arrays * (_MAP_BYTES + 2 * len(path)) + images * 8 * (strongest + 2 * (view.dtype == "uint8"))


def _picture_bytes(style: PictureStyle, sizes: Sequence[int], pixels: tuple[int, int]) -> int:
    """A picture as it is in memory; packed it is smaller."""
    count, *extent = sizes or [1]
    height, width = pixels if style.overlay is not None else (extent if len(extent) == 2 else (1, 1))
    factor = _factor(style, count, max(height, width))
    columns = pictures.grid_columns(count)
    area = math.ceil(count / columns) * (height * factor + 1) * columns * (width * factor + 1)
    return area * (1 if style.colormap == "grey" and style.overlay is None else 3)


def _arrays(maps: Sequence[FeatureMap]) -> Iterator[tuple[str, Array]]:
    for one in maps:
        yield one.layer.path, one.data
        beside = {"channels": one.viewed.channels, "low": one.viewed.low, "high": one.viewed.high}
        yield from ((f"{one.layer.path}:{name}", array) for name, array in beside.items() if array is not None)


def _npy(data: Array) -> tuple[bytes, Content]:
    head = io.BytesIO()
    np.lib.format.write_array_header_1_0(head, np.lib.format.header_data_from_array_1_0(data))
    return head.getvalue(), _raw(data)


def _raw(data: Array) -> Content:
    return np.ascontiguousarray(data).data.cast("B") if data.size else b""


def _written(one: FeatureMap, image: int) -> dict[str, Any]:
    data = np.ascontiguousarray(one.data[image])
    return {"layer": one.layer.path, "shape": data.shape, "data": json_of(data), **_beside(one, image)}


def _described(one: FeatureMap, image: int) -> dict[str, Any]:
    data = one.data[image]
    found = asdict(statistics(np.atleast_1d(data).astype(np.float32)))
    return {"layer": one.layer.path, "shape": data.shape, "statistics": found, **_beside(one, image)}


def _beside(one: FeatureMap, image: int) -> dict[str, Any]:
    """The channels and the range, where they are not plain."""
    beside = {"channels": one.viewed.channels, "low": one.viewed.low, "high": one.viewed.high}
    return {name: array[image] for name, array in beside.items() if array is not None}


def _as_channels(feature_map: FeatureMap) -> NDArray[np.float32]:
    """(1, C, H, W) or (1, C) to (C, H, W)."""
    data: NDArray[np.float32] = feature_map.data[0].astype(np.float32)
    if data.ndim == 3:
        return data
    if data.ndim == 1:
        return data[:, np.newaxis, np.newaxis]
    raise ParameterError(
        f"layer {feature_map.layer.path!r} has outputs of shape {data.shape}; png shows maps (C, H, W) and vectors (C,)"
        "; accepted: json, npy, npz, safetensors"
    )

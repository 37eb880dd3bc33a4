"""Arrays become pictures: scaling, colour maps, grids, overlays.

A picture is uint8: (height, width) for grey, (height, width, 3) for RGB.  Channels are (C, H, W) float32.
"""

import io
import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.floating]
Picture = NDArray[np.uint8]
Colormap = Literal["grey", "viridis", "magma", "rdbu"]

# Seventeen colours of each of matplotlib's maps of these names (CC0), evenly spread; those between are
# interpolated, at most 8 of 255 levels off.  `rdbu` is RdBu reversed: blue below zero, white at zero, red above.
_COLORS: Final[Mapping[Colormap, str]] = {
    "viridis": (
        "440154 48186a 472d7b 424086 3b528b 33638d 2c728e 26828e 21918c 1f9f88 27ad81 3dbc74 5cc863 81d34d aadc32"
        " d5e21a fde725"
    ),
    "magma": (
        "000004 0a0822 1d1147 36106b 51127c 6a1c81 832681 9c2e7f b73779 cf4070 e55064 f4695c fb8761 fea571 fec287"
        " fde0a1 fcfdbf"
    ),
    "rdbu": (
        "053061 175290 2a71b2 3f8ec0 6bacd1 9bc9e0 c2ddec e0ecf3 f7f6f6 fbe6da fbceb7 f5ac8b e58368 d25849 bb2a34"
        " 960f27 67001f"
    ),
}
_GAP: Final = 1  # pixels between tiles
_WHITE: Final = 255
_SIDE: Final = 800  # pixels; tiles are enlarged by a whole factor as long as their grid stays smaller
_NOISE: Final = 1e-6  # of the largest value; a channel that varies less is the same everywhere, but for rounding


@dataclass(frozen=True)
class Scale:
    """What counts as the darkest and the brightest value.

    Args:
        over: `channel`: the smallest and largest value of each channel; `layer`: of all channels together;
            `fixed`: `low` and `high`.
        low: The darkest value of a fixed scale.
        high: The brightest value of a fixed scale, above `low`.
    """

    over: Literal["channel", "layer", "fixed"] = "channel"
    low: float = 0.0
    high: float = 1.0


def scaled(channels: Floats, scale: Scale, *, symmetric: bool = False) -> NDArray[np.float64]:
    """Scale values to 0..1; NaN counts as 0, and what lies outside a fixed scale as its end.

    A channel without contrast becomes 0; on a symmetric scale 0.5, or where its value lies.

    Args:
        channels: The values.
        scale: What counts as 0 and 1.
        symmetric: For diverging colours: 0 stays in the middle, at 0.5, whatever the scale.

    Shape:
        channels: (C, H, W).  Returns (C, H, W).
    """
    finite = np.nan_to_num(channels).astype(np.float64)
    low, high = _limits(finite, scale)  # (C, 1, 1) or (1, 1, 1) each
    if symmetric:
        high = np.maximum(np.abs(low), np.abs(high))
        low = -high
    varies = high - low > _NOISE * np.maximum(np.abs(low), np.abs(high))
    return np.where(varies, np.clip((finite - low) / np.where(varies, high - low, 1), 0, 1), 0.5 if symmetric else 0.0)


def colored(values: Floats, colormap: Colormap) -> Picture:
    """Give values from 0 to 1 their colours.

    Shape:
        values: (…).  Returns (…) for grey, else (…, 3).
    """
    levels: NDArray[np.uint8] = np.rint(values * 255).astype(np.uint8)
    return levels if colormap == "grey" else _table(colormap)[levels]


def is_diverging(colormap: Colormap) -> bool:
    """Whether the middle of a colour map stands for zero."""
    return colormap == "rdbu"


def enlarged(picture: Picture, *, factor: int) -> Picture:
    """Every pixel becomes a square of `factor` x `factor` pixels; nothing is interpolated.

    Shape:
        picture: (H, W) or (H, W, 3).
    """
    height, width, *colors = picture.shape
    wide = np.empty((height, 1, width, factor, *colors), np.uint8)
    wide[:, 0] = picture[:, :, np.newaxis]
    large = np.empty((height, factor, width, factor, *colors), np.uint8)
    large[:] = wide
    # Not `repeat`: it takes as long, and others could not run meanwhile.
    return large.reshape(height * factor, width * factor, *colors)


def grid(tiles: list[Picture]) -> Picture:
    """Lay pictures of one size out row by row, as nearly square as it goes, a white pixel between them."""
    height, width, *colors = tiles[0].shape
    columns = grid_columns(len(tiles))
    rows = math.ceil(len(tiles) / columns)
    canvas = np.full((rows, height + _GAP, columns, width + _GAP, *colors), _WHITE, np.uint8)
    for i, tile in enumerate(tiles):
        canvas[i // columns, :height, i % columns, :width] = tile
    return canvas.reshape(rows * (height + _GAP), columns * (width + _GAP), *colors)[:-_GAP, :-_GAP]


def grid_columns(count: int) -> int:
    """How many tiles stand side by side in a grid of `count`."""
    return math.ceil(math.sqrt(count))


def enlargement(side: int, *, count: int = 1) -> int:
    """The whole factor by which tiles are enlarged where none is asked for: their grid fills some 800 pixels.

    Args:
        side: The longer side of a tile, in pixels.
        count: How many tiles there are.

    >>> enlargement(28), enlargement(5, count=6)
    (28, 53)
    """
    return max(1, _SIDE // (grid_columns(count) * side))


def overlaid(heat: Picture, photo: Picture, *, opacity: float) -> Picture:
    """Lay a small picture over a photo, smoothly enlarged to its size.

    Args:
        heat: (H, W, 3), any size.
        photo: (height, width, 3) or (height, width, 1), as `service.image.decode` gives it.
        opacity: Of the heat, 0 to 1.

    Shape:
        Returns (height, width, 3).
    """
    below = Image.fromarray(np.broadcast_to(photo, (*photo.shape[:2], 3)).copy())
    above = Image.fromarray(heat).resize(below.size, Image.Resampling.BICUBIC)
    return np.asarray(Image.blend(below, above, opacity))


def to_png(picture: Picture) -> bytes:
    """Encode a picture, (H, W), (H, W, 1) or (H, W, 3)."""
    buffer = io.BytesIO()
    flat = picture[..., 0] if picture.ndim == 3 and picture.shape[2] == 1 else picture
    Image.fromarray(np.ascontiguousarray(flat)).save(buffer, "png")  # Pillow's own copy would let nobody run meanwhile
    return buffer.getvalue()


def _limits(finite: NDArray[np.float64], scale: Scale) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    if scale.over == "fixed":
        return np.full((1, 1, 1), scale.low), np.full((1, 1, 1), scale.high)
    axes = (1, 2) if scale.over == "channel" else (0, 1, 2)
    return finite.min(axis=axes, keepdims=True), finite.max(axis=axes, keepdims=True)


def _table(colormap: Colormap) -> NDArray[np.uint8]:
    """All 256 colours of a map.

    Shape:
        (256, 3) uint8.
    """
    anchors = np.array([[int(color[i : i + 2], 16) for i in (0, 2, 4)] for color in _COLORS[colormap].split()])
    places = np.linspace(0, 255, len(anchors))
    channels = [np.interp(np.arange(256), places, anchors[:, c]) for c in range(3)]
    colors: Picture = np.rint(np.stack(channels, axis=1)).astype(np.uint8)
    return colors

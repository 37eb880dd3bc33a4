"""A heat map becomes a picture: laid over what the network saw."""

from typing import Final

import numpy as np
from PIL import Image

from service import pictures
from service.attribution import Floats, resized
from service.heat_maps import HeatMaps
from service.pictures import Colormap, Picture, Scale

DEFAULT_OPACITY: Final = 0.6


def picture(found: HeatMaps, *, colormap: Colormap | None = None, opacity: float = DEFAULT_OPACITY) -> Picture:
    """Lay the heat map of the first image over what the network saw.

    On a diverging colour map 0 is in the middle, the photo is grey, and the heat the more opaque the further it is from
    0.  On any other one 0 is the darkest colour, and so is what is negative.

    Args:
        found: Heat maps.
        colormap: The colours; None for magma, and for rdbu where two classes are compared.
        opacity: Of the heat, 0 to 1.

    Shape:
        (height, width, 3) of the input of the network, enlarged by a whole factor where it is small.
    """
    photo, heat = found.pixels[0], found.maps[0]
    chosen = colormap or ("magma" if heat.versus is None else "rdbu")
    below = pictures.enlarged(photo, factor=pictures.enlargement(max(photo.shape[:2])))  # (height, width, C)
    smooth = _smooth(np.nan_to_num(heat.values), below.shape[0], below.shape[1])
    if pictures.is_diverging(chosen):
        levels = pictures.scaled(smooth[np.newaxis], Scale("layer"), symmetric=True)[0]
        return _blended(_colored(levels, chosen), _grey(below), opacity * np.abs(2 * levels - 1))
    levels = pictures.scaled(smooth[np.newaxis], Scale("fixed", 0.0, float(max(smooth.max(), 0.0))))[0]
    return _blended(_colored(levels, chosen), below, np.full(levels.shape, opacity))


def _smooth(values: Floats, height: int, width: int) -> Floats:
    """Enlarged; the overshoot of the interpolation, which would look like evidence of the other sign, is cut."""
    large = resized(values, height, width, Image.Resampling.BICUBIC)
    return np.clip(large, values.min(), values.max())


def _colored(levels: Floats, colormap: Colormap) -> Picture:
    colors = pictures.colored(levels, colormap)
    return colors if colors.ndim == 3 else np.repeat(colors[..., np.newaxis], 3, axis=2)


def _grey(photo: Picture) -> Picture:
    """(height, width, C) to (height, width, 1)."""
    if photo.shape[2] == 1:
        return photo
    return np.asarray(Image.fromarray(photo).convert("L"))[..., np.newaxis]


def _blended(heat: Picture, photo: Picture, opacity: Floats) -> Picture:
    """Shape: heat (height, width, 3), photo (height, width, 1 or 3), opacity (height, width)."""
    part = opacity[..., np.newaxis]
    mixed: Picture = np.rint(part * heat + (1 - part) * photo).astype(np.uint8)
    return mixed

"""A part of a picture, cut out and resized in one step, with antialiasing.

Pillow's resize is the reference.  `fast` takes the same filters with vector instructions, at a seventh of the time;
both are as near to the filter computed in float64 (docs/decoding.md).  Where there is no wheel of it (Linux on ARM),
Pillow does the work of both, and `FAST` says so.
"""

from collections.abc import Mapping
from typing import Final, Literal

from PIL import Image

try:
    import cykooz_resizer as simd
except ImportError:  # pragma: no cover  (a matter of the platform)
    simd = None

Interpolation = Literal["nearest", "bilinear", "bicubic", "lanczos"]
Box = tuple[float, float, float, float]
"""Left, top, right, bottom, in pixels of the picture; parts of pixels count."""

FAST: Final[Literal["simd", "pillow"]] = "pillow" if simd is None else "simd"
"""What resizes where `fast` is wanted."""

_PILLOW: Final[Mapping[Interpolation, Image.Resampling]] = {
    "nearest": Image.Resampling.NEAREST,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
# Pillow's bicubic is that of Catmull and Rom (a = -0.5), its lanczos has three lobes.
_SIMD: Final[Mapping[Interpolation, str]] = {"bilinear": "bilinear", "bicubic": "catmull_rom", "lanczos": "lanczos3"}


def resize(
    image: Image.Image, size: tuple[int, int], box: Box, interpolation: Interpolation, *, fast: bool
) -> Image.Image:
    """Cut a box out of a picture and resize it.

    Args:
        image: In mode `RGB` or `L`.
        size: Width and height of the result.
        box: Inside the picture, at least a pixel's fraction wide and high.
        interpolation: The filter; widened by the factor where the box is larger than `size`.
        fast: Take vector instructions where there are any; a level or two away from Pillow's result.
    """
    if image.size == size and box == (0, 0, *size):
        return image
    if not fast or simd is None or interpolation == "nearest":
        return image.resize(size, _PILLOW[interpolation], box=box)
    left, top, right, bottom = box
    result = Image.new(image.mode, size)
    simd.Resizer().resize_pil(
        image,
        result,
        simd.ResizeOptions(
            resize_alg=simd.ResizeAlg.convolution(simd.FilterType[_SIMD[interpolation]]),
            use_alpha=False,
            crop_box=simd.CropBox(left, top, right - left, bottom - top),
        ),
    )
    return result

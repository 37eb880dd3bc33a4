"""The learned kernels of a layer, as numbers and as a picture."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from service import pictures
from service.errors import ModelTaskError, ParameterError
from service.layers import Layer
from service.model import Model
from service.pictures import Colormap, Picture, Scale
from service.weights import OPERATORS


@dataclass(frozen=True)
class Filters:
    """The learned numbers of a layer.

    Args:
        layer: The layer.
        values: (out, in / groups, height, width) of a convolution in a plane, (out, in) of a linear layer.
        bias: (out,); None where there is none.
        is_first: Whether these are the first kernels of the network, which see the image itself.

    Shape:
        float32 both.
    """

    layer: Layer
    values: NDArray[np.float32]
    bias: NDArray[np.float32] | None
    is_first: bool

    @property
    def is_colored(self) -> bool:
        """Whether the kernels see red, green and blue."""
        return self.is_first and self.values.ndim == 4 and self.values.shape[1] == 3

    @property
    def has_extent(self) -> bool:
        """Whether a kernel sees more than one place."""
        return any(size > 1 for size in self.values.shape[2:])


@dataclass(frozen=True)
class FilterStyle:
    """How a picture of kernels looks.

    Args:
        colormap: The colours of values from the most negative to the most positive, 0 in the middle; None for rdbu,
            and for the colours of the image where the kernels see those.
        input_channel: Which channel of the kernels is shown; None for the mean over all of them.
        enlarge: The whole factor by which kernels are enlarged; None for one that fills some 800 pixels.
    """

    colormap: Colormap | None = None
    input_channel: int | None = None
    enlarge: int | None = None


def filters(model: Model, layer: Layer) -> Filters:
    """Read the kernels of a layer from the file of its model.

    Raises:
        ModelTaskError: The operator of the layer has no learned weights.
    """
    found = model.weights(layer) if layer.operator in OPERATORS else None
    if found is None:
        having = [other.path for other in model.layers if other.operator in OPERATORS[:-1]]
        listed = f"; layers that have some: {', '.join(having[:5])}{', …' if len(having) > 5 else ''}" if having else ""
        raise ModelTaskError(
            f"layer {layer.path!r} is put out by {layer.operator}, which has no learned kernels{listed}"
        )
    first = next((other for other in model.layers if other.operator in OPERATORS[:-1]), layer)
    return Filters(layer, found.values, found.bias, is_first=layer.tensor == first.tensor)


def picture_shape(found: Filters, style: FilterStyle) -> tuple[int, int]:
    """Height and width of a picture, in pixels, without what lies between the kernels.

    Raises:
        ParameterError: The kernels cannot be shown so.
    """
    count, height, width = _tile_shape(found, style)
    columns = pictures.grid_columns(count)
    factor = style.enlarge or pictures.enlargement(max(height, width), count=count)
    frame = 2 * _frame(factor)
    return -(-count // columns) * (height * factor + frame), columns * (width * factor + frame)


def picture(found: Filters, style: FilterStyle) -> Picture:
    """Show kernels side by side, the first at the top left, 0 in the middle of the colours.

    Kernels that see the image in colour are shown in its colours (0 is grey), every other one by the mean over its
    input channels, or by one of them; each on a scale of its own.  Weights without an extent, as of a linear layer or
    a 1x1 convolution, are one matrix on one scale: a row for each output, a column for each input.

    Shape:
        (height, width) for grey, else (height, width, 3).

    Raises:
        ParameterError: The kernels cannot be shown so.
    """
    count, height, width = _tile_shape(found, style)
    factor = style.enlarge or pictures.enlargement(max(height, width), count=count)
    return pictures.grid([_framed(pictures.enlarged(tile, factor=factor), factor) for tile in _tiles(found, style)])


def _tiles(found: Filters, style: FilterStyle) -> list[Picture]:
    colormap = style.colormap or "rdbu"
    if not found.has_extent:
        matrix = found.values.reshape(1, *found.values.shape[:2])  # (1, out, in)
        return [pictures.colored(pictures.scaled(matrix, Scale("layer"), symmetric=True)[0], colormap)]
    if _in_color(found, style):
        out, channels, height, width = found.values.shape
        flat = found.values.reshape(out, channels * height, width)
        levels = pictures.scaled(flat, Scale("channel"), symmetric=True).reshape(found.values.shape)
        return [pictures.colored(kernel.transpose(1, 2, 0), "grey") for kernel in levels]
    planes = found.values.reshape(*found.values.shape[:2], -1, found.values.shape[-1])  # (out, in, height, width)
    chosen = planes.mean(axis=1) if style.input_channel is None else planes[:, style.input_channel]
    return [pictures.colored(one, colormap) for one in pictures.scaled(chosen, Scale("channel"), symmetric=True)]


def _framed(tile: Picture, factor: int) -> Picture:
    """A black frame, since 0 may be as white as what lies between the kernels."""
    return np.pad(tile, [(_frame(factor),) * 2] * 2 + [(0, 0)] * (tile.ndim - 2))


def _frame(factor: int) -> int:
    """The width of a frame, in pixels."""
    return max(1, factor // 16)


def _tile_shape(found: Filters, style: FilterStyle) -> tuple[int, int, int]:
    """How many tiles there are, their height and their width."""
    shape, channel = found.values.shape, style.input_channel
    if len(shape) > 4:
        raise ParameterError(
            f"layer {found.layer.path!r} has kernels of shape {shape[1:]}, and png shows those in a plane; accepted:"
            " json, npy"
        )
    if not found.has_extent:
        if channel is not None:
            raise ParameterError(
                f"input_channel is {channel}; the weights of layer {found.layer.path!r} have no extent, and all their"
                " channels are shown as one matrix"
            )
        return 1, shape[0], shape[1]
    if channel is not None and not 0 <= channel < shape[1]:
        raise ParameterError(f"input_channel is {channel}; accepted: 0 to {shape[1] - 1}")
    return shape[0], shape[2] if len(shape) == 4 else 1, shape[-1]


def _in_color(found: Filters, style: FilterStyle) -> bool:
    return found.is_colored and style.colormap is None and style.input_channel is None

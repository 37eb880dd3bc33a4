"""The definition of each layer, written out: one value of the output after the other, with nothing but arithmetic.

Maps are (C, H, W), of one image.  The formulas are those of I. Goodfellow, Y. Bengio, A. Courville, "Deep learning",
MIT Press 2016, chapter 9; indices start at 0.
"""

import math
from collections.abc import Callable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]


def places(*sizes: int) -> Iterator[tuple[int, ...]]:
    """Every index of an array of some shape."""
    yield from np.ndindex(*sizes)


def padded(maps: Array, padding: tuple[int, int]) -> Array:
    """Zeros around each map: rows above and below, columns left and right."""
    channels, height, width = maps.shape
    above, left = padding
    made = np.zeros((channels, height + 2 * above, width + 2 * left))
    for c, i, j in places(*maps.shape):
        made[c, above + i, left + j] = maps[c, i, j]
    return made


def cross_correlation(
    maps: Array,
    kernels: Array,
    *,
    bias: Array | None = None,
    padding: tuple[int, int] = (0, 0),
    stride: int = 1,
    dilation: int = 1,
) -> Array:
    """`Z(o, i, j) = b(o) + Σ V(c, i * s + m * d, j * s + n * d) K(o, c, m, n)`.

    Shape:
        maps (C, H, W); kernels (O, C, M, N); returns (O, rows, columns).
    """
    seen = padded(maps, padding)
    outputs, inputs, height, width = kernels.shape
    rows = (seen.shape[1] - ((height - 1) * dilation + 1)) // stride + 1
    columns = (seen.shape[2] - ((width - 1) * dilation + 1)) // stride + 1
    made = np.zeros((outputs, rows, columns))
    for o, i, j in places(outputs, rows, columns):
        made[o, i, j] = 0 if bias is None else bias[o]
        for c, m, n in places(inputs, height, width):
            made[o, i, j] += seen[c, i * stride + m * dilation, j * stride + n * dilation] * kernels[o, c, m, n]
    return made


def partly_connected(maps: Array, kernels: Sequence[Array], seen: Sequence[Sequence[int]], *, bias: Array) -> Array:
    """Each channel of the output is a function of only some channels of the input.

    Args:
        maps: Of one image.
        kernels: For each channel of the output (channels that it sees, M, N).
        seen: For each channel of the output the channels of the input that it sees.
        bias: One for each channel of the output.
    """
    return np.concatenate(
        [
            cross_correlation(maps[list(channels)], kernel[None], bias=bias[o : o + 1])
            for o, (kernel, channels) in enumerate(zip(kernels, seen, strict=True))
        ]
    )


def convolution(image: Array, kernel: Array) -> Array:
    """`S(i, j) = Σ I(m, n) K(i - m, j - n)`, wherever any factor is not zero: of two matrices, whichever is which.

    Shape:
        image (H, W); kernel (M, N); returns (H + M - 1, W + N - 1).
    """
    made = np.zeros((image.shape[0] + kernel.shape[0] - 1, image.shape[1] + kernel.shape[1] - 1))
    for i, j in places(*made.shape):
        for m, n in places(*image.shape):
            if 0 <= i - m < kernel.shape[0] and 0 <= j - n < kernel.shape[1]:
                made[i, j] += image[m, n] * kernel[i - m, j - n]
    return made


def transposed_convolution(maps: Array, kernels: Array, *, bias: Array, padding: int, stride: int) -> Array:
    """Each value of the input puts itself times the kernel onto the output; `padding` is cut off all around.

    Shape:
        maps (C, H, W); kernels (C, O, M, N); returns (O, rows, columns).
    """
    inputs, height, width = maps.shape
    _, outputs, tall, wide = kernels.shape
    made = np.zeros((outputs, (height - 1) * stride + tall, (width - 1) * stride + wide))
    for c, i, j in places(inputs, height, width):
        for o, m, n in places(outputs, tall, wide):
            made[o, i * stride + m, j * stride + n] += maps[c, i, j] * kernels[c, o, m, n]
    rows, columns = made.shape[1] - padding, made.shape[2] - padding
    return made[:, padding:rows, padding:columns] + bias[:, None, None]


def locally_connected(maps: Array, weights: Array, bias: Array, *, stride: int = 1) -> Array:
    """`Z(o, i, j) = b(o, i, j) + Σ V(c, i * s + m, j * s + n) w(o, i, j, c, m, n)`: equation 9.9.

    Shape:
        maps (C, H, W); weights (O, rows, columns, C, M, N); bias (O, rows, columns), and so what it returns.
    """
    outputs, rows, columns, inputs, height, width = weights.shape
    made = bias.copy()
    for o, i, j in places(outputs, rows, columns):
        for c, m, n in places(inputs, height, width):
            made[o, i, j] += maps[c, i * stride + m, j * stride + n] * weights[o, i, j, c, m, n]
    return made


def tiled(maps: Array, kernels: Array, bias: Array) -> Array:
    """`Z(o, i, j) = b + Σ V(c, i + m, j + n) K(o, c, m, n, i % t, j % t)`: equation 9.10.

    Shape:
        maps (C, H, W); kernels (t, t, O, C, M, N); bias (t, t, O); returns (O, rows, columns).
    """
    tiles, _, outputs, inputs, height, width = kernels.shape
    made = np.zeros((outputs, maps.shape[1] - height + 1, maps.shape[2] - width + 1))
    for o, i, j in places(*made.shape):
        made[o, i, j] = bias[i % tiles, j % tiles, o]
        for c, m, n in places(inputs, height, width):
            made[o, i, j] += maps[c, i + m, j + n] * kernels[i % tiles, j % tiles, o, c, m, n]
    return made


def pooling(
    maps: Array, summary: Callable[[Array], float], kernel: tuple[int, int], *, stride: int, keep_last: bool = False
) -> Array:
    """A summary of each neighbourhood.

    Args:
        maps: Of one image.
        summary: What becomes of the values of one neighbourhood.
        kernel: Height and width of a neighbourhood.
        stride: Units from one to the next, each way.
        keep_last: Keep the last neighbourhood, which is smaller where the map ends within it.
    """
    _, height, width = maps.shape
    down = _starts(height, kernel[0], stride, keep_last=keep_last)
    right = _starts(width, kernel[1], stride, keep_last=keep_last)
    made = np.zeros((len(maps), len(down), len(right)))
    for c, i, j in places(*made.shape):
        made[c, i, j] = summary(maps[c, down[i] : down[i] + kernel[0], right[j] : right[j] + kernel[1]])
    return made


def _starts(size: int, kernel: int, stride: int, *, keep_last: bool) -> list[int]:
    starts = list(range(0, size - kernel + 1, stride))
    if keep_last and starts[-1] + kernel < size:
        starts.append(starts[-1] + stride)
    return starts


def adaptive_pooling(maps: Array, summary: Callable[[Array], float], cells: int) -> Array:
    """A summary of each cell of a grid: `i * size / cells`, rounded down, to `(i + 1) * size / cells`, rounded up."""
    made = np.zeros((len(maps), cells, cells))
    for c, i, j in places(*made.shape):
        top, bottom = (i * maps.shape[1] // cells, math.ceil((i + 1) * maps.shape[1] / cells))
        left, right = (j * maps.shape[2] // cells, math.ceil((j + 1) * maps.shape[2] / cells))
        made[c, i, j] = summary(maps[c, top:bottom, left:right])
    return made


def l2_norm(neighbourhood: Array) -> float:
    """`sqrt(Σ x²)`."""
    return math.sqrt(sum(value * value for value in neighbourhood.flat))


def distance_weighted(neighbourhood: Array, *, deviation: float) -> float:
    """`Σ w(d) x / Σ w(d)` with `w(d) = exp(-d² / 2 deviation²)`, d being the distance from the centre."""
    height, width = neighbourhood.shape
    total = weights = 0.0
    for i, j in places(height, width):
        distance = math.hypot(i - (height - 1) / 2, j - (width - 1) / 2)
        weight = math.exp(-(distance**2) / (2 * deviation**2))
        total += weight * neighbourhood[i, j]
        weights += weight
    return total / weights


def nearest_unpooling(maps: Array, size: int) -> Array:
    """Each value fills its square."""
    channels, height, width = maps.shape
    made = np.zeros((channels, height * size, width * size))
    for c, i, j in places(*made.shape):
        made[c, i, j] = maps[c, i // size, j // size]
    return made


def bed_of_nails(maps: Array, size: int) -> Array:
    """Each value comes into the upper left corner of its square."""
    channels, height, width = maps.shape
    made = np.zeros((channels, height * size, width * size))
    for c, i, j in places(*maps.shape):
        made[c, i * size, j * size] = maps[c, i, j]
    return made


def max_pooling_and_unpooling(maps: Array, size: int) -> Array:
    """The largest value of each square stays where it was (the first, where there are several); the rest becomes 0."""
    channels, height, width = maps.shape
    made = np.zeros(maps.shape)
    for c, i, j in places(channels, height // size, width // size):
        best = (i * size, j * size)
        for m, n in places(size, size):
            if maps[c, i * size + m, j * size + n] > maps[c, best[0], best[1]]:
                best = (i * size + m, j * size + n)
        made[c, best[0], best[1]] = maps[c, best[0], best[1]]
    return made


def maxout(maps: Array, pieces: int) -> Array:
    """The largest of several channels at each place."""
    made = np.zeros((len(maps) // pieces, *maps.shape[1:]))
    for c, i, j in places(*made.shape):
        made[c, i, j] = max(maps[c * pieces + piece, i, j] for piece in range(pieces))
    return made


def dense(values: Array, weights: Array, bias: Array) -> Array:
    """`y(o) = b(o) + Σ x(i) W(o, i)`.

    Shape:
        values (I,); weights (O, I); bias (O,); returns (O,).
    """
    made = bias.copy()
    for o, i in places(*weights.shape):
        made[o] += values[i] * weights[o, i]
    return made


def softmax(values: Array) -> Array:
    """`exp(x(i)) / Σ exp(x(j))` along the first axis."""
    powers = each(math.exp)(values)
    made = np.zeros(values.shape)
    for index in places(*values.shape):
        made[index] = powers[index] / sum(powers[(i, *index[1:])] for i in range(len(values)))
    return made


def each(function: Callable[[float], float]) -> Callable[[Array], Array]:
    """Apply a function to every value."""

    def applied(maps: Array) -> Array:
        made = np.zeros(maps.shape)
        for index in places(*maps.shape):
            made[index] = function(float(maps[index]))
        return made

    return applied

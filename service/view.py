"""A view of a layer's output: some channels, a part of the map, reduced, in another type of number.

The shape of a view is known from the shape of the layer, before anything is computed.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray

from service.errors import ParameterError

Reduce = Literal["none", "mean", "max", "flatten"]
Dtype = Literal["float32", "float16", "uint8"]
Shape = tuple[int | None, ...]
Array = NDArray[Any]

_MOST_PLACES: Final = 1_000_000
_RANGE: Final = re.compile(r"(\d{1,9})(?:-(\d{1,9}))?")
_STRONGEST: Final = re.compile(r"top:(\d{1,9})(?::(mean|max))?")


@dataclass(frozen=True)
class Ranges:
    """Places along an axis, in the order asked for: `0,3,5-9`, both ends of a range included."""

    text: str
    places: tuple[int, ...]

    def check(self, length: int, *, axis: str) -> None:
        """Refuse places that an axis does not have.

        Raises:
            ParameterError: One is beyond the end.
        """
        if max(self.places) >= length:
            raise ParameterError(f"{axis} is {self.text!r}; this layer has {length}: accepted are 0 to {length - 1}")


@dataclass(frozen=True)
class Strongest:
    """The channels that answer most to an image, the strongest first: `top:8` by their mean, `top:8:max`."""

    text: str
    count: int
    by: Literal["mean", "max"]

    def check(self, length: int, *, axis: str) -> None:
        """Refuse more channels than there are.

        Raises:
            ParameterError: There are fewer.
        """
        if not 1 <= self.count <= length:
            raise ParameterError(
                f"{axis} is {self.text!r}; this layer has {length}: accepted are top:1 to top:{length}"
            )


@dataclass(frozen=True)
class View:
    """What of a layer's output is wanted, and how.

    Args:
        channels: Which channels; None for all.
        rows: Which rows of the maps; None for all.
        columns: Which columns of the maps; None for all.
        reduce: `mean` or `max` over the map, which leaves a value for each channel; `flatten` to one vector.
        l2: Divide what is given by its Euclidean length, for each image.
        dtype: The type of the numbers; uint8 spreads 0 to 255 over the range of the values, for each image.
    """

    channels: Ranges | Strongest | None = None
    rows: Ranges | None = None
    columns: Ranges | None = None
    reduce: Reduce = "none"
    l2: bool = False
    dtype: Dtype = "float32"

    def shape(self, full: Shape) -> Shape:
        """The shape of the view of a layer, for one image.

        Args:
            full: The shape of the layer's output for one image, channels first.

        Raises:
            ParameterError: The layer does not have what is asked for.
        """
        if not full:
            return full
        channels, *extent = full
        self._check(full)
        if self.channels is not None:
            chosen = self.channels.count if isinstance(self.channels, Strongest) else len(self.channels.places)
            channels = chosen
        for axis, places in enumerate((self.rows, self.columns)):
            if places is not None:
                extent[axis] = len(places.places)
        return _reduced((channels, *extent), self.reduce)

    def of(self, data: NDArray[np.float32]) -> "Viewed":
        """Look at the output of a layer.

        Args:
            data: The output for N images.

        Shape:
            data: (N, C, …).  The result's data is (N, *self.shape((C, …))).

        Raises:
            ParameterError: The layer does not have what is asked for.
        """
        if data.ndim > 1:
            self._check(data.shape[1:])
        chosen, channels = _channels(data, self.channels)
        for axis, places in ((-2, self.rows), (-1, self.columns)):
            if places is not None:
                chosen = np.take(chosen, places.places, axis=axis)
        values = _reduce(chosen, self.reduce)
        if self.l2:
            values = _normalized(values)
        return _typed(values, self.dtype, channels)

    def _check(self, full: Sequence[int | None]) -> None:
        """Refuse what a layer of this shape does not have; sizes that are not known yet are checked later."""
        if self.channels is not None and full[0] is not None:
            self.channels.check(full[0], axis="channels")
        for name, places, axis in (("rows", self.rows, 1), ("columns", self.columns, 2)):
            if places is None:
                continue
            if len(full) != 3:
                raise ParameterError(f"{name} is given, and a layer with outputs {tuple(full)} has no rows and columns")
            length = full[axis]
            if length is not None:
                places.check(length, axis=name)


@dataclass(frozen=True)
class Viewed:
    """A view of the output of a layer, for N images.

    Shape:
        data: (N, …).  channels: (N, count), the numbers of the channels, where the strongest were asked for.
        low, high: (N,), the values of 0 and 255, where the data are uint8.
    """

    data: Array
    channels: NDArray[np.int64] | None = None
    low: NDArray[np.float32] | None = None
    high: NDArray[np.float32] | None = None


def parse_ranges(text: str, *, axis: str) -> Ranges:
    """Read `0,3,5-9`.

    Raises:
        ParameterError: It is written otherwise, names a place twice, or more of them than any layer has.

    >>> parse_ranges("0,5-7", axis="channels").places
    (0, 5, 6, 7)
    """
    places: list[int] = []
    for item in text.split(","):
        found = _RANGE.fullmatch(item.strip())
        first, last = (int(found[1]), int(found[2] or found[1])) if found else (1, 0)
        if not first <= last or len(places) + last - first >= _MOST_PLACES:
            raise ParameterError(
                f"{axis} is {text!r}; accepted: numbers and ranges, as 0,3,5-9, of {_MOST_PLACES:,} places at most"
            )
        places.extend(range(first, last + 1))
    if len(set(places)) < len(places):
        raise ParameterError(f"{axis} is {text!r}, which names a place twice")
    return Ranges(text, tuple(places))


def parse_channels(text: str) -> Ranges | Strongest:
    """Read `0,3,5-9`, `top:8` or `top:8:max`.

    Raises:
        ParameterError: It is written otherwise.

    >>> parse_channels("top:8:max").by
    'max'
    """
    found = _STRONGEST.fullmatch(text.strip())
    if found:
        return Strongest(text, int(found[1]), "max" if found[2] == "max" else "mean")
    if text.lstrip().startswith("top"):
        raise ParameterError(f"channels is {text!r}; accepted: top:8, top:8:mean, top:8:max, or numbers as 0,3,5-9")
    return parse_ranges(text, axis="channels")


def _channels(
    data: NDArray[np.float32], wanted: Ranges | Strongest | None
) -> tuple[NDArray[np.float32], NDArray[np.int64] | None]:
    if wanted is None:
        return data, None
    if isinstance(wanted, Ranges):
        return data[:, list(wanted.places)], None
    flat = np.nan_to_num(data.reshape(*data.shape[:2], -1))  # (N, C, values)
    strength = flat.mean(axis=2) if wanted.by == "mean" else flat.max(axis=2)  # (N, C)
    numbers = np.argsort(-strength, axis=1, kind="stable")[:, : wanted.count]  # (N, count)
    places = numbers.reshape(*numbers.shape, *(1,) * (data.ndim - 2))
    return np.take_along_axis(data, places, axis=1), numbers


def _reduce(data: NDArray[np.float32], reduce: Reduce) -> NDArray[np.float32]:
    """(N, C, …) to (N, C) or (N, values); what has no extent stays as it is, but for `flatten`."""
    if reduce == "none" or data.ndim < 2:
        return data
    if reduce == "flatten":
        return data.reshape(len(data), -1)
    flat = data.reshape(*data.shape[:2], -1)  # (N, C, values)
    found: NDArray[np.float32] = flat.mean(axis=2) if reduce == "mean" else flat.max(axis=2)
    return found


def _reduced(shape: Shape, reduce: Reduce) -> Shape:
    if reduce == "none":
        return shape
    if reduce == "flatten":
        known = [size for size in shape if size is not None]
        return (math.prod(known) if len(known) == len(shape) else None,)
    return shape[:1]


def _normalized(data: NDArray[np.float32]) -> NDArray[np.float32]:
    """Each image's values divided by their length; all zeros stay zeros."""
    flat = data.reshape(len(data), -1)
    length = np.linalg.norm(flat, axis=1, keepdims=True)  # (N, 1)
    unit: NDArray[np.float32] = (flat / np.where(length > 0, length, 1)).reshape(data.shape).astype(np.float32)
    return unit


def _typed(data: NDArray[np.float32], dtype: Dtype, channels: NDArray[np.int64] | None) -> Viewed:
    if dtype == "float32":
        return Viewed(np.ascontiguousarray(data), channels)
    if dtype == "float16":
        limit = np.finfo(np.float16).max
        return Viewed(np.clip(data, -limit, limit).astype(np.float16), channels)
    flat = np.nan_to_num(data.reshape(len(data), -1))  # (N, values)
    low, high = flat.min(axis=1), flat.max(axis=1)  # (N,)
    span = (high - low)[:, np.newaxis]
    levels = np.rint((flat - low[:, np.newaxis]) / np.where(span > 0, span, 1) * 255).astype(np.uint8)
    return Viewed(levels.reshape(data.shape), channels, low, high)

"""The receptive field of the units of a map: which pixels of the input they see.

Each axis is followed on its own.  What a unit o sees lies from `first + o * step` to `last + o * step` (inclusive, in
pixels of the input, negative in the padding), and beside this rule, which holds in the middle of a map, every unit has
its own span, clipped at the borders of every map on the way: a unit at a border may see less than the rule says.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from fractions import Fraction
from typing import Final, Literal

import numpy as np
from numpy.typing import NDArray

from service.errors import ParameterError

Status = Literal["exact", "whole input", "upper bound", "unknown"]
Spans = NDArray[np.int64]

_NOTHING: Final = (np.iinfo(np.int64).max, -1)  # first and last pixel of a unit that sees only padding


@dataclass(frozen=True)
class Box:
    """The pixels `input[top:bottom, left:right]`; empty where a unit sees only padding."""

    left: int
    top: int
    right: int
    bottom: int


@dataclass(frozen=True, eq=False)
class Axis:
    """What the units along one axis of a map see along one axis of the input.

    Args:
        first: The first pixel of unit 0.
        last: Its last pixel.
        step: Pixels from one unit to the next; 0 where every unit sees the same.
        spans: The first and last pixel of each unit, or of all where `step` is 0; None where sizes are not fixed.

    Shape:
        spans: (units, 2) int64.
    """

    first: Fraction
    last: Fraction
    step: Fraction
    spans: Spans | None

    def gathered(
        self, taps: NDArray[np.int64] | None, *, first: Fraction | int, last: Fraction | int, stride: Fraction | int
    ) -> "Axis":
        """The axis of a map whose units each read several units of this one.

        Args:
            taps: The units that each reads; those below 0 and behind the end are padding.  None where sizes are not
                fixed.
            first: In the rule, the first unit that unit 0 reads.
            last: The last one.
            stride: From the units that one reads to those that the next reads.

        Shape:
            taps: (units of the new map, any number) int64.
        """
        if self.step == 0:
            return self
        spans = _seen(self.spans, taps) if self.spans is not None and taps is not None else None
        ends = sorted((self.step * first, self.step * last))  # a step is negative behind a flip
        return Axis(self.first + ends[0], self.last + ends[1], self.step * stride, spans)

    def windowed(self, *, kernel: int, stride: int, dilation: int, before: int, units: int | None) -> "Axis":
        """Behind a convolution or a pooling, with `before` units of padding in front."""
        if (kernel, stride, before) == (1, 1, 0) and self.spans is not None and len(self.spans) == units:
            return self
        starts = None if units is None else np.arange(units, dtype=np.int64)[:, None] * stride - before
        taps = None if starts is None else starts + np.arange(kernel, dtype=np.int64) * dilation
        return self.gathered(taps, first=-before, last=(kernel - 1) * dilation - before, stride=stride)

    def transposed(self, *, kernel: int, stride: int, dilation: int, before: int, units: int | None) -> "Axis":
        """Behind a transposed convolution: unit o reads the units i with o = i * stride - before + j * dilation."""
        taps = None
        if units is not None:
            reached = np.arange(units, dtype=np.int64)[:, None] + before - np.arange(kernel, dtype=np.int64) * dilation
            taps = np.where(reached % stride == 0, reached // stride, -1)
        first, last = Fraction(before - (kernel - 1) * dilation, stride), Fraction(before, stride)
        return self.gathered(taps, first=first, last=last, stride=Fraction(1, stride))

    def resized(self, *, scale: Fraction, offset: Fraction, reach: Fraction, units: int | None) -> "Axis":
        """Behind an interpolation: unit o reads what is nearer than `reach` to o / scale + offset."""
        taps = None
        if units is not None and self.spans is not None:
            centres = [o / scale + offset for o in range(units)]
            width = math.ceil(2 * reach) + 1
            lowest = np.array([math.ceil(centre - reach) for centre in centres], np.int64)
            taps = np.clip(lowest[:, None] + np.arange(width, dtype=np.int64), 0, len(self.spans) - 1)
        return self.gathered(taps, first=offset - reach, last=offset + reach, stride=1 / scale)

    def together(self) -> "Axis":
        """Where every unit sees what all of these see."""
        if self.step == 0 or self.spans is None:
            return Axis(Fraction(0), Fraction(0), Fraction(0), self.spans)
        spans = np.array([[self.spans[:, 0].min(), self.spans[:, 1].max()]], np.int64)
        return Axis(Fraction(0), Fraction(0), Fraction(0), spans)

    def united(self, other: "Axis") -> "Axis":
        """Where each unit sees what the units of both at its place see.

        Axes with different steps have no common rule: then every unit is said to see all that any sees.
        """
        if self is other:
            return self
        if self.step == 0 or other.step == 0 or self.step != other.step or self.units != other.units:
            return _joined(self.together(), other.together())
        return _joined(self, other)

    def contains(self, other: "Axis") -> bool:
        """Whether each unit sees at least what the unit of `other` at its place sees, by the rule."""
        if self is other:
            return True
        same = self.step == other.step != 0 and self.units == other.units
        return same and self.first <= other.first and other.last <= self.last

    @property
    def units(self) -> int | None:
        """How many there are, where it is known."""
        return None if self.spans is None else len(self.spans)


def input_axis(pixels: int | None) -> Axis:
    """An axis of the input itself: each pixel sees itself."""
    spans = None if pixels is None else np.arange(pixels, dtype=np.int64)[:, None].repeat(2, axis=1)
    return Axis(Fraction(0), Fraction(0), Fraction(1), spans)


@dataclass(frozen=True)
class ReceptiveField:
    """What the units of a layer see of the input; a unit is a place on a map, with all channels there.

    One number for each spatial axis of the input: height before width in a picture.

    Args:
        status: What is promised.

            - `exact`: in the middle of a map, the smallest box around all that a unit can see; nothing outside matters
              to it, and something in its first and last row and column does.  Inside may be gaps (dilation).
            - `whole input`: every unit sees the same: all that the layers before it see at all.
            - `upper bound`: nothing outside matters; a smaller box may hold as well.
            - `unknown`: nothing is promised; there are no numbers.
        size: Pixels; also of pixels in the padding, so that it can be larger than the input.
        step: Pixels from the field of one unit to that of the next; 0 where all see the same, below 1 where a map is
            finer than the input.
        start: The first pixel that unit 0 sees; negative in the padding.
        units: How many units the map has; 1 along an axis that is gone.  None where it is not fixed.
    """

    status: Status
    size: tuple[int, ...] | None = None
    step: tuple[int | float, ...] | None = None
    start: tuple[int | float, ...] | None = None
    units: tuple[int, ...] | None = None
    spans: tuple[Spans, ...] | None = field(default=None, compare=False, repr=False)

    def box(self, row: int, column: int) -> Box | None:
        """The pixels of a picture that one unit sees, clipped to the picture.

        Args:
            row: Of the unit, from 0.
            column: Of the unit, from 0.

        Returns:
            The box; None where the receptive field is unknown, or the size of the input is not fixed.

        Raises:
            ParameterError: There is no such unit, or the input is no picture.
        """
        if self.spans is None or self.units is None:
            return None
        if len(self.spans) != 2:
            raise ParameterError(f"the input has {len(self.spans)} spatial axes; boxes are for pictures, which have 2")
        for name, place, units in (("row", row, self.units[0]), ("column", column, self.units[1])):
            if not 0 <= place < units:
                raise ParameterError(f"{name} is {place}; accepted: 0 to {units - 1}")
        (top, bottom), (left, right) = (
            _span(spans, place) for spans, place in zip(self.spans, (row, column), strict=True)
        )
        if top > bottom or left > right:
            return Box(0, 0, 0, 0)
        return Box(left, top, right + 1, bottom + 1)


UNKNOWN: Final = ReceptiveField("unknown")


def describe(status: Status, axes: Sequence[Axis], units: Sequence[int | None]) -> ReceptiveField:
    """The receptive field that axes add up to.

    Args:
        status: What they promise.
        axes: One for each spatial axis of the input.
        units: How many units the map has along each.
    """
    if status == "unknown":
        return UNKNOWN
    known = tuple(size for size in units if size is not None)
    spans = tuple(axis.spans for axis in axes if axis.spans is not None)
    rules = [_rule(axis) for axis in axes]
    if any(rule is None for rule in rules):
        return ReceptiveField(status, step=tuple(_number(axis.step) for axis in axes))
    sizes, starts = zip(*(rule for rule in rules if rule is not None), strict=True)
    placed = len(spans) == len(known) == len(axes)
    return ReceptiveField(
        status,
        size=sizes,
        step=tuple(_number(axis.step) for axis in axes),
        start=starts,
        units=known if placed else None,
        spans=spans if placed else None,
    )


def _rule(axis: Axis) -> tuple[int, int | float] | None:
    """Size and start; None where every unit sees the same and it is not known how much that is."""
    if axis.step != 0:
        return math.floor(axis.last - axis.first) + 1, _number(axis.first)
    if axis.spans is None:
        return None
    first, last = (int(pixel) for pixel in axis.spans[0])
    return max(last - first + 1, 0), first


def _span(spans: Spans, place: int) -> tuple[int, int]:
    first, last = spans[min(place, len(spans) - 1)]
    return int(first), int(last)


def _seen(spans: Spans, taps: NDArray[np.int64]) -> Spans:
    """The first and last pixel that the units see which each of the new ones reads."""
    inside = (taps >= 0) & (taps < len(spans))
    read = spans[np.clip(taps, 0, len(spans) - 1)]  # (units, taps, 2)
    first = np.where(inside, read[..., 0], _NOTHING[0]).min(axis=1)
    last = np.where(inside, read[..., 1], _NOTHING[1]).max(axis=1)
    return np.stack([first, last], axis=1)


def _joined(one: Axis, other: Axis) -> Axis:
    spans = None
    if one.spans is not None and other.spans is not None:
        first = np.minimum(one.spans[:, 0], other.spans[:, 0])
        spans = np.stack([first, np.maximum(one.spans[:, 1], other.spans[:, 1])], axis=1)
    return Axis(min(one.first, other.first), max(one.last, other.last), one.step, spans)


def _number(value: Fraction) -> int | float:
    return int(value) if value.denominator == 1 else float(value)

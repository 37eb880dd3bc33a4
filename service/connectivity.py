"""Which pixels of the input the units of every map of a graph are connected with.

The graph is walked once, in order of execution, and each operator has a rule that says what its units read.  An
operator without a rule, or one whose rule needs something that the file does not tell, makes its output and all behind
it unknown: better nothing than something wrong.
"""

import itertools
import math
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import NodeProto

from service import graph
from service.operators import Shape, Tensors, attributes, is_standard, window
from service.receptive_field import Axis, ReceptiveField, Status, describe, input_axis

_ELEMENTWISE: Final = (
    # One value in, one out.
    "Abs Acos Acosh Asin Asinh Atan Atanh BatchNormalization Cast CastLike Ceil Celu Clip Cos Cosh DequantizeLinear",
    "Dropout Elu Erf Exp Expand Floor Gelu HardSigmoid HardSwish Identity IsInf IsNaN LRN LeakyRelu Log Mish Neg Not",
    "PRelu QuantizeLinear Reciprocal Relu Round Selu Shrink Sigmoid Sign Sin Sinh Softplus Softsign Sqrt Swish Tan",
    "Tanh ThresholdedRelu",
    # Several in, one out.
    "Add And Div Equal Greater GreaterOrEqual Less LessOrEqual Max Mean Min Mod Mul Or Pow Sub Sum Where Xor",
)
_REDUCTIONS: Final = frozenset(
    f"Reduce{kind}" for kind in ("L1", "L2", "LogSum", "LogSumExp", "Max", "Mean", "Min", "Prod", "Sum", "SumSquare")
)
# Nearest and linear interpolation read the neighbours on both sides, cubic two on each.
_REACH: Final[Mapping[str, int]] = {"nearest": 1, "linear": 1, "cubic": 2}


@dataclass(frozen=True, eq=False)
class _Sight:
    """What the units of a tensor see.

    Args:
        status: As of a `ReceptiveField`.
        axes: One for each spatial axis of the input.
        where: Which axis of the tensor runs over them; None for one that is gone.
        scattered: The places of a map lie along an axis of the tensor, in an order that is not followed.
        alike: Every channel sees the same.
    """

    status: Status
    axes: tuple[Axis, ...]
    where: tuple[int | None, ...]
    scattered: bool = False
    alike: bool = True


_BLIND: Final = _Sight("unknown", (), ())


@dataclass(frozen=True)
class _Call:
    """One output of a node, whose rule is asked for: what its inputs see, None for one that sees no pixels."""

    node: NodeProto
    sights: tuple[_Sight | None, ...]
    tensors: Tensors
    output: str

    @property
    def sight(self) -> _Sight:
        """Of the first input."""
        return self.sights[0] or _BLIND

    @property
    def options(self) -> dict[str, Any]:
        """The attributes of the node."""
        return attributes(self.node)

    @property
    def before(self) -> Shape | None:
        """The shape of the first input."""
        return self.tensors.shape(self.node.input[0])

    @property
    def behind(self) -> Shape | None:
        """The shape of the output."""
        return self.tensors.shape(self.output)

    def units(self, axis: int) -> int | None:
        """The size of an axis of the output."""
        return self.behind[axis] if self.behind is not None and axis < len(self.behind) else None

    def extent(self, axis: int) -> int | None:
        """The size of an axis of the first input."""
        return self.before[axis] if self.before is not None and axis < len(self.before) else None


_Rule = Callable[[_Call], _Sight]


def receptive_fields(
    nodes: Iterable[NodeProto], tensors: Tensors, *, image: str, spatial: Sequence[int]
) -> dict[str, ReceptiveField]:
    """The receptive field of every tensor that depends on the image, by name.

    Args:
        nodes: In order of execution.
        tensors: What is known of their inputs and outputs.
        image: The name of the image input.
        spatial: Its spatial axes, as (2, 3) of (N, C, height, width).
    """
    shape = tensors.shape(image) or ()
    axes = tuple(input_axis(shape[axis] if axis < len(shape) else None) for axis in spatial)
    sights = {image: _Sight("exact", axes, tuple(spatial)) if axes else _BLIND}
    for node in nodes:
        if node.op_type in ("Shape", "Size") or not any(name in sights for name in graph.reads(node)):
            continue
        seen = tuple(sights.get(name) for name in node.input)
        sights |= {name: _sight(_Call(node, seen, tensors, name)) for name in node.output if name}
    return {name: _described(sight, tensors.shape(name)) for name, sight in sights.items()}


def _sight(call: _Call) -> _Sight:
    rule = _RULES.get(call.node.op_type)
    if rule is None or not is_standard(call.node):
        return _BLIND
    if any(sight is not None and sight.status == "unknown" for sight in call.sights):
        return _BLIND
    if rule not in _OF_SEVERAL and (call.sights[0] is None or any(sight is not None for sight in call.sights[1:])):
        return _BLIND  # weights that depend on the image, say
    return rule(call)


def _described(sight: _Sight, shape: Shape | None) -> ReceptiveField:
    units = [1 if axis is None else shape[axis] if shape is not None else None for axis in sight.where]
    return describe(sight.status, sight.axes, units)


# Windows


def _convolution(call: _Call) -> _Sight:
    groups = call.options.get("group", 1)
    return replace(_windowed(call), alike=groups == 1 or call.sight.alike)


def _windowed(call: _Call) -> _Sight:
    """A convolution or a pooling."""
    moving, sight = window(call.node, call.tensors), call.sight
    if moving is None or moving.padding is None or _not_behind_channels(sight):
        return _BLIND
    axes = [
        axis
        if where is None
        else axis.windowed(
            kernel=moving.kernel[where - 2],
            stride=moving.stride[where - 2],
            dilation=moving.dilation[where - 2],
            before=moving.padding[where - 2],
            units=call.units(where),
        )
        for axis, where in zip(sight.axes, sight.where, strict=True)
    ]
    return replace(sight, axes=tuple(axes))


def _transposed_convolution(call: _Call) -> _Sight:
    moving, sight = window(call.node, call.tensors), call.sight
    if moving is None or moving.padding is None or _not_behind_channels(sight):
        return _BLIND
    axes = [
        axis
        if where is None
        else axis.transposed(
            kernel=moving.kernel[where - 2],
            stride=moving.stride[where - 2],
            dilation=moving.dilation[where - 2],
            before=moving.padding[where - 2],
            units=call.units(where),
        )
        for axis, where in zip(sight.axes, sight.where, strict=True)
    ]
    made = replace(sight, axes=tuple(axes), alike=moving.groups == 1 or sight.alike)
    return made if all(stride == 1 for stride in moving.stride) else _at_most(made)


def _not_behind_channels(sight: _Sight) -> bool:
    """Whether a spatial axis of the input lies where images or channels are."""
    return any(where is not None and where < 2 for where in sight.where)


def _space_to_depth(call: _Call) -> _Sight:
    size, sight = call.options.get("blocksize", 1), call.sight
    axes = [
        axis
        if where is None
        else axis.windowed(kernel=size, stride=size, dilation=1, before=0, units=call.units(where))
        for axis, where in zip(sight.axes, sight.where, strict=True)
    ]
    return _BLIND if _not_behind_channels(sight) else replace(sight, axes=tuple(axes), alike=False)


def _depth_to_space(call: _Call) -> _Sight:
    size, sight = call.options.get("blocksize", 1), call.sight
    axes = []
    for axis, where in zip(sight.axes, sight.where, strict=True):
        units = None if where is None else call.units(where)
        taps = None if units is None else _column(units) // size
        first = Fraction(1 - size, size)
        axes.append(axis if where is None else axis.gathered(taps, first=first, last=0, stride=Fraction(1, size)))
    return _BLIND if _not_behind_channels(sight) else _at_most(replace(sight, axes=tuple(axes)))


def _resized(call: _Call) -> _Sight:
    sight, before, behind = call.sight, call.before, call.behind
    if before is None or behind is None or len(before) != len(behind):
        return _BLIND
    others = [axis for axis in range(len(before)) if axis not in sight.where]
    if any(before[axis] != behind[axis] for axis in others):
        return _BLIND
    axes = []
    for axis, where in zip(sight.axes, sight.where, strict=True):
        made = axis if where is None else _interpolated(call, axis, where)
        if made is None:
            return _BLIND
        axes.append(made)
    return _at_most(replace(sight, axes=tuple(axes)))


def _interpolated(call: _Call, axis: Axis, where: int) -> Axis | None:
    """One axis of a Resize; None where the file does not tell enough."""
    options, before, units = call.options, call.extent(where), call.units(where)
    scale = _scale(call, where)
    mode, coordinates = _interpolation(call)
    if scale is None or mode not in _REACH:
        return None
    if scale == 1:
        return axis
    offset = {"asymmetric": Fraction(0), "tf_half_pixel_for_nn": 1 / (2 * scale)}.get(coordinates)
    if coordinates in ("half_pixel", "pytorch_half_pixel"):
        offset = Fraction(0) if units == 1 else 1 / (2 * scale) - Fraction(1, 2)
    if coordinates == "align_corners" and before is not None and units is not None:
        offset = Fraction(0)
        scale = Fraction(max(units - 1, 1), max(before - 1, 1))
    if offset is None:
        return None
    reach = Fraction(_REACH[mode])
    if options.get("antialias", 0):
        reach = reach / min(scale, Fraction(1)) + 1
    return axis.resized(scale=scale, offset=offset, reach=reach, units=units)


def _interpolation(call: _Call) -> tuple[str, str]:
    """How it is interpolated, and which place of the input belongs to which of the output."""
    mode = call.options.get("mode", b"nearest").decode()
    old = call.node.op_type == "Upsample" or call.tensors.opset < 11
    coordinates = b"asymmetric" if old else call.options.get("coordinate_transformation_mode", b"half_pixel")
    return ("linear" if mode == "bilinear" else mode), coordinates.decode()


def _scale(call: _Call, where: int) -> Fraction | None:
    scales: Sequence[float] | None = call.options.get("scales")
    index = 1 if call.node.op_type == "Upsample" or call.tensors.opset < 11 else 2
    if index < len(call.node.input) and call.node.input[index]:
        found = call.tensors.value(call.node.input[index])
        scales = None if found is None else found.ravel().tolist()
    before, units = call.extent(where), call.units(where)
    if scales and before is not None and len(scales) == len(call.before or ()):
        return Fraction(scales[where]).limit_denominator(10**6) if scales[where] > 0 else None
    return None if before is None or units is None else Fraction(units, before)


# Places and channels


def _sliced(call: _Call) -> _Sight:
    rank = len(call.before or ())
    starts, ends = call.tensors.integers(call.node, "starts", 1), call.tensors.integers(call.node, "ends", 2)
    if not rank or starts is None or ends is None:
        return _BLIND
    given = call.tensors.integers(call.node, "axes", 3)
    steps = call.tensors.integers(call.node, "steps", 4)
    if (given is None and len(call.node.input) > 3 and call.node.input[3]) or (
        steps is None and len(call.node.input) > 4
    ):
        return _BLIND
    axes = [axis % rank for axis in (given or range(len(starts)))]
    sight = call.sight
    for axis, start, end, step in zip(axes, starts, ends, steps or (1,) * len(starts), strict=True):
        size = call.extent(axis)
        if size is None:
            return _BLIND
        sight = _picked(sight, axis, range(size)[start:end:step], size)
    return sight


def _split(call: _Call) -> _Sight:
    rank = len(call.before or ())
    if not rank:
        return _BLIND
    axis = call.options.get("axis", 0) % rank
    sizes = []
    for name in call.node.output:
        shape = call.tensors.shape(name)
        if shape is None or shape[axis] is None:
            return _BLIND
        sizes.append(shape[axis] or 0)
    place = list(call.node.output).index(call.output)
    start = sum(sizes[:place])
    return _picked(call.sight, axis, range(start, start + sizes[place]), sum(sizes))


def _picked(sight: _Sight, axis: int, kept: range, size: int) -> _Sight:
    """Some units along one axis of a tensor."""
    if kept == range(size):
        return sight
    if axis == 0:
        return _BLIND
    if axis not in sight.where:
        return sight if sight.alike or sight.scattered else _at_most(sight)
    taps = np.array(kept, np.int64)[:, None]
    axes = [
        old.gathered(taps, first=kept.start, last=kept.start, stride=kept.step) if where == axis else old
        for old, where in zip(sight.axes, sight.where, strict=True)
    ]
    return replace(sight, axes=tuple(axes))


def _gathered(call: _Call) -> _Sight:
    rank, indices = len(call.before or ()), call.tensors.value(call.node.input[1])
    axis = call.options.get("axis", 0) % max(rank, 1)
    size = call.extent(axis)
    if not rank or indices is None or indices.ndim > 1 or size is None:
        return _BLIND
    kept = [int(index) % size for index in indices.ravel()]
    steps = {b - a for a, b in itertools.pairwise(kept)}
    if axis in (0, *_axes(call.sight)):
        if len(kept) != 1 and len(steps) != 1:
            return _BLIND
        step = steps.pop() if steps else 1
        if step == 0:
            return _BLIND
        made = _picked(call.sight, axis, range(kept[0], kept[-1] + (1 if step > 0 else -1), step), size)
    else:
        made = call.sight if call.sight.alike or call.sight.scattered else _at_most(call.sight)
    return made if indices.ndim == 1 else _without(made, {axis})


def _axes(sight: _Sight) -> tuple[int, ...]:
    """The axes of a tensor that run over the axes of the input."""
    return tuple(where for where in sight.where if where is not None)


def _padded(call: _Call) -> _Sight:
    rank = len(call.before or ())
    pads = call.tensors.integers(call.node, "pads", 1)
    given = call.tensors.integers(call.node, "", 3)
    if not rank or pads is None or (given is None and len(call.node.input) > 3 and call.node.input[3]):
        return _BLIND
    places = [axis % rank for axis in (given if given is not None else range(rank))]
    around = {axis: (pads[i], pads[i + len(places)]) for i, axis in enumerate(places)}
    sight, mode = call.sight, call.options.get("mode", b"constant").decode()
    axes = []
    for axis, where in zip(sight.axes, sight.where, strict=True):
        before, after = around.pop(where, (0, 0)) if where is not None else (0, 0)
        size = None if where is None else call.extent(where)
        taps = None if size is None else _around(size, before, after, mode)
        if size is not None and taps is None:
            return _BLIND
        axes.append(axis.gathered(taps, first=-before, last=-before, stride=1) if (before, after) != (0, 0) else axis)
    if any(around.pop(0, (0, 0))):
        return _BLIND
    # What is padded along the channels sees nothing.
    return replace(sight, axes=tuple(axes), alike=sight.alike and not any(map(any, around.values())))


def _around(size: int, before: int, after: int, mode: str) -> NDArray[np.int64] | None:
    """Which unit each unit of a padded axis is, -1 for none; None where that is not known."""
    if mode == "constant":
        return np.arange(-before, size + after, dtype=np.int64)[:, None]
    if mode not in ("reflect", "edge", "wrap") or min(before, after) < 0:
        return None
    padded = np.pad(np.arange(size, dtype=np.int64), (before, after), mode=mode)  # type: ignore[call-overload]  # one of three
    return np.asarray(padded, np.int64)[:, None]


def _reshaped(call: _Call) -> _Sight:
    """An axis is followed where its size, and the number of values before it, stay the same."""
    sight, before, behind = call.sight, call.before, call.behind
    places = []
    for axis, where in zip(sight.axes, sight.where, strict=True):
        place = None if where is None else _same_axis(before, behind, where)
        if place is None and where is not None and axis.units != 1:
            return _scattered(sight)
        places.append(place)
    return replace(sight, where=tuple(places))


def _same_axis(before: Shape | None, behind: Shape | None, where: int) -> int | None:
    if before is None or behind is None or None in before[: where + 1]:
        return None
    in_front = math.prod(size or 0 for size in before[:where])
    for axis, size in enumerate(behind):
        if size == before[where] and in_front == math.prod(each or 0 for each in behind[:axis]):
            return axis
    return None


def _scattered(sight: _Sight) -> _Sight:
    """Each value may see all that the whole tensor sees, or less."""
    axes = tuple(axis.together() for axis in sight.axes)
    if sight.status == "whole input":
        return replace(sight, axes=axes, where=(None,) * len(axes))
    return _Sight("upper bound", axes, (None,) * len(axes), scattered=True, alike=False)


def _transposed(call: _Call) -> _Sight:
    rank = len(call.before or ())
    order = list(call.options.get("perm", range(rank)[::-1]))
    if len(order) != rank:
        return _BLIND
    return replace(call.sight, where=tuple(None if axis is None else order.index(axis) for axis in call.sight.where))


# Mixing


def _everywhere(call: _Call) -> _Sight:
    """All places of a map together."""
    return _mixed(call.sight, set(_axes(call.sight)))


def _reduced(call: _Call) -> _Sight:
    rank = len(call.before or ())
    axes = _reduced_axes(call, rank)
    if not rank or axes is None or 0 in axes:
        return _BLIND
    sight = call.sight
    everything = sight.scattered and axes >= set(range(1, rank))
    made = _mixed(sight, set() if sight.scattered else axes, everything=everything)
    return made if call.options.get("keepdims", 1) else _without(made, axes)


def _reduced_axes(call: _Call, rank: int) -> set[int] | None:
    """The axes that a reduction runs over; None where that is not known."""
    if call.node.op_type.startswith("Arg"):
        return {call.options.get("axis", 0) % max(rank, 1)}
    given = call.tensors.integers(call.node, "axes", 1)
    if given is None and len(call.node.input) > 1 and call.node.input[1]:
        return None
    if not given:
        return set() if call.options.get("noop_with_empty_axes", 0) else set(range(rank))
    return {axis % max(rank, 1) for axis in given}


def _normalised(call: _Call) -> _Sight:
    """Softmax and its like: along one axis, or along one and all behind it."""
    rank, name = len(call.before or ()), call.node.op_type
    if not rank:
        return _BLIND
    older = name.endswith("max") and call.tensors.opset < 13
    axis = call.options.get("axis", 1 if older else -1) % rank
    axes = set(range(axis, rank)) if older or name == "LayerNormalization" else {axis}
    if call.sight.scattered:
        return _mixed(call.sight, set(), everything=axes == set(range(1, rank)))
    return _mixed(call.sight, axes)


def _dense(call: _Call) -> _Sight:
    if call.options.get("transA", 0) or len(call.before or ()) != 2:
        return _BLIND
    return _contracted(call.sight, 1, rank=2)


def _matrix_product(call: _Call) -> _Sight:
    left, right = call.sights
    if left is not None and right is not None:
        return _attention(left, right)
    sight, shape = (left, call.before) if left is not None else (right, call.tensors.shape(call.node.input[1]))
    if sight is None or not shape:
        return _BLIND
    rank = len(shape)
    if call.behind is None or len(call.behind) != rank:
        return _scattered(sight)
    return _contracted(sight, rank - 1 if left is not None else max(rank - 2, 0), rank=rank)


def _contracted(sight: _Sight, axis: int, *, rank: int) -> _Sight:
    """Products along one axis of a tensor, with weights; the axis holds features behind it."""
    if sight.scattered:
        return _mixed(sight, set(), everything=(rank, axis) == (2, 1))
    made = _mixed(sight, {axis})
    return replace(made, where=tuple(None if where == axis else where for where in made.where))


def _attention(left: _Sight, right: _Sight) -> _Sight:
    """Two tensors of the image multiplied: what is summed over is not followed."""
    axes = tuple(a.together().united(b.together()) for a, b in zip(left.axes, right.axes, strict=True))
    whole = "whole input" in (left.status, right.status)
    return _Sight(
        "whole input" if whole else "upper bound", axes, (None,) * len(axes), scattered=not whole, alike=whole
    )


def _mixed(sight: _Sight, along: set[int], *, everything: bool = False) -> _Sight:
    """Every unit along some axes of a tensor sees what all units along them see.

    Args:
        sight: Of the tensor.
        along: Its axes.
        everything: All values of an image are mixed, wherever they lie.
    """
    if everything:
        return _Sight("whole input", tuple(axis.together() for axis in sight.axes), (None,) * len(sight.axes))
    mixed = [where in along and axis.units != 1 for axis, where in zip(sight.axes, sight.where, strict=True)]
    if not any(mixed):
        return sight
    axes = tuple(axis.together() if mix else axis for axis, mix in zip(sight.axes, mixed, strict=True))
    whole = all(where is None or where in along for where in sight.where) and not sight.scattered
    return replace(sight, axes=axes, status="whole input" if whole or sight.status == "whole input" else "upper bound")


# Branches


def _elementwise(call: _Call) -> _Sight:
    """Values at the same place, after the rules of broadcasting."""
    found = []
    for name, sight in zip(call.node.input, call.sights, strict=True):
        if sight is None:
            continue
        shape = call.tensors.shape(name)
        if (shape is None or call.behind is None) and len(call.node.input) > 1 and call.node.op_type not in _OF_ONE:
            return _BLIND
        found.append(_broadcast(sight, shape, call.behind))
    return _united(found, alike=all(sight.alike for sight in found))


def _broadcast(sight: _Sight, shape: Shape | None, behind: Shape | None) -> _Sight:
    if shape is None or behind is None or shape == behind:
        return sight
    more = len(behind) - len(shape)
    axes = [
        axis.together() if where is not None and shape[where] == 1 != behind[where + more] else axis
        for axis, where in zip(sight.axes, sight.where, strict=True)
    ]
    return replace(sight, axes=tuple(axes), where=tuple(None if w is None else w + more for w in sight.where))


def _concatenated(call: _Call) -> _Sight:
    rank = len(call.behind or ())
    if not rank:
        return _BLIND
    axis = call.options.get("axis", 1) % rank
    found = [sight for sight in call.sights if sight is not None]
    if axis == 0 or any(axis in sight.where for sight in found):
        return _BLIND
    same = all(sight.alike and _contains(sight, found[0]) and _contains(found[0], sight) for sight in found)
    return _united(found, alike=same and len(found) == len(call.sights))


def _united(sights: Sequence[_Sight], *, alike: bool) -> _Sight:
    """Branches that meet: exact where one of them sees all that the others see."""
    if len(sights) == 1:
        return replace(sights[0], alike=alike)
    where = tuple(
        {each for each in places if each is not None} for places in zip(*(s.where for s in sights), strict=True)
    )
    if any(len(places) > 1 for places in where):
        return _BLIND
    axes = list(sights[0].axes)
    for sight in sights[1:]:
        axes = [one.united(other) for one, other in zip(axes, sight.axes, strict=True)]
    largest = next((sight for sight in sights if all(_contains(sight, other) for other in sights)), None)
    status: Status = largest.status if largest is not None else "upper bound"
    if any(sight.status == "whole input" for sight in sights):
        status, axes = "whole input", [axis.together() for axis in axes]
    scattered = any(sight.scattered for sight in sights) and status != "whole input"
    places = tuple(next(iter(each), None) for each in where)
    return _Sight(status, tuple(axes), places, scattered=scattered, alike=alike)


def _contains(sight: _Sight, other: _Sight) -> bool:
    return all(a.contains(b) for a, b in zip(sight.axes, other.axes, strict=True))


def _at_most(sight: _Sight) -> _Sight:
    """The same, without the promise that nothing smaller would do."""
    return replace(sight, status="upper bound")


def _without(sight: _Sight, gone: set[int]) -> _Sight:
    """Behind an operator that drops axes of its input."""
    places = (None if w is None or w in gone else w - sum(axis < w for axis in gone) for w in sight.where)
    return replace(sight, where=tuple(places))


def _column(units: int) -> NDArray[np.int64]:
    return np.arange(units, dtype=np.int64)[:, None]


# Of their inputs only the first can be of the image's shape.
_OF_ONE: Final = frozenset({"BatchNormalization", "Clip", "Dropout", "PRelu", "QuantizeLinear", "DequantizeLinear"})
_OF_SEVERAL: Final[tuple[_Rule, ...]] = (_elementwise, _concatenated, _matrix_product)
_RULES: Final[Mapping[str, _Rule]] = {
    "Conv": _convolution,
    "ConvInteger": _convolution,
    "QLinearConv": _convolution,
    "ConvTranspose": _transposed_convolution,
    "MaxPool": _windowed,
    "AveragePool": _windowed,
    "LpPool": _windowed,
    "SpaceToDepth": _space_to_depth,
    "DepthToSpace": _depth_to_space,
    "Resize": _resized,
    "Upsample": _resized,
    "Slice": _sliced,
    "Split": _split,
    "Gather": _gathered,
    "Pad": _padded,
    "Reshape": _reshaped,
    "Flatten": _reshaped,
    "Squeeze": _reshaped,
    "Unsqueeze": _reshaped,
    "Transpose": _transposed,
    "GlobalAveragePool": _everywhere,
    "GlobalMaxPool": _everywhere,
    "GlobalLpPool": _everywhere,
    "InstanceNormalization": _everywhere,
    "GroupNormalization": _everywhere,
    "ArgMax": _reduced,
    "ArgMin": _reduced,
    "Softmax": _normalised,
    "LogSoftmax": _normalised,
    "Hardmax": _normalised,
    "LayerNormalization": _normalised,
    "LpNormalization": _normalised,
    "Gemm": _dense,
    "MatMul": _matrix_product,
    "Concat": _concatenated,
    **dict.fromkeys(_REDUCTIONS, _reduced),
    **dict.fromkeys(" ".join(_ELEMENTWISE).split(), _elementwise),
}

"""An ONNX model against the PyTorch network that it was made from, layer by layer.

The model runs as the service runs it: graphs cut by `service.graph`, sessions of `service.runtime`.  PyTorch
tells what is right, through forward hooks.  The inputs were not used for tracing.  Every difference is gathered
before anything is raised.
"""

import io
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto
from PIL import Image
from torch import Tensor, nn

from export import layers
from export.conversion import BATCH_AXIS, SIZE_AXES, Converted
from export.data import normalise
from export.errors import (
    AxisMismatchError,
    MismatchError,
    NameMismatchError,
    ShapeMismatchError,
    ValueMismatchError,
    VerificationError,
)
from service import graph, image, runtime
from service.cores import available_cores
from service.metadata import ClassOutput, ImageInput, LayerEntry

BATCHES: Final = (1, 2, 5)
"""What a model that is published is compared at."""
FEW_BATCHES: Final = (1, 3)
"""Where many networks are compared in a row: in half the time and memory."""
TOLERANCE: Final = 1e-4
"""The largest difference allowed, relative to the largest absolute value of the layer in the batch."""

_MAX_PIXELS: Final = 10_000_000
# With two pictures both encodings are there.
_PICTURES: Final = 2
_SECOND_BATCH: Final = 2


@dataclass(frozen=True)
class Parity:
    """How well one layer agrees with PyTorch.

    Args:
        layer: Its path, or the name of the output of the model.
        shape: Of the layer for one image, of the size of the input.
        difference: The largest one, relative to the largest absolute value of the layer, over all batches.
    """

    layer: str
    shape: tuple[int, ...]
    difference: float


@dataclass(frozen=True)
class _Case:
    """What both sides are given.

    Args:
        spec: The input, with the size of the images.
        batch: How many images.
        where: For people.
    """

    spec: ImageInput
    batch: int
    where: str

    @property
    def images(self) -> Tensor:
        """The same each time: (batch, C, height, width)."""
        return inputs(self.spec, self.batch)


def verify(
    network: nn.Module,
    converted: Converted,
    spec: ImageInput,
    output: ClassOutput,
    *,
    any_size: bool = False,
    batches: Sequence[int] = BATCHES,
) -> tuple[Parity, ...]:
    """Compare a model with its network: names, axes, shapes and values.

    Args:
        network: In evaluation mode, on the CPU.
        converted: What the network became.
        spec: The input of both.
        output: The output of the model.
        any_size: Whether they take images of any size; then they are compared at a second one too.
        batches: How many images at a time.

    Returns:
        The parity of each layer, in order of execution.

    Raises:
        VerificationError: They differ; it holds each way in which they do.
    """
    expected = layers.run(network, inputs(spec, 1))[1]
    axes = _axes(converted.model, spec, output, any_size=any_size)
    failures = [*_names(converted, expected, spec, output), *axes]
    if failures:
        # Without its inputs and outputs where they should be, the model cannot be run.
        raise VerificationError(failures)
    comparison = _Comparison()
    # One session after the other: each holds the weights, which may be half a gigabyte.
    answers = _compare_layers(comparison, network, converted, _cases(spec, batches, any_size=any_size))
    _compare_output(comparison, answers, converted.model, output)
    _compare_pictures(comparison, network, converted.model, spec, output)
    if comparison.failures:
        raise VerificationError(comparison.failures)
    return tuple(comparison.parities[entry.path] for entry in converted.layers)


def second_size(spec: ImageInput) -> ImageInput:
    """The same input for smaller images, neither square nor of even sides."""
    return spec.model_copy(update={"height": spec.height * 5 // 8 | 1, "width": spec.width * 3 // 4 | 1})


def _cases(spec: ImageInput, batches: Sequence[int], *, any_size: bool) -> list[_Case]:
    cases = [_Case(spec, batch, f"at batch {batch}") for batch in batches]
    if any_size:
        other = second_size(spec)
        cases.append(_Case(other, _SECOND_BATCH, f"at {other.height}x{other.width} pixels"))
    return cases


def inputs(spec: ImageInput, batch: int) -> Tensor:
    """Soft random pictures with some noise, normalised; each batch size has its own.

    Shape:
        (batch, C, height, width) float32.
    """
    random = torch.Generator().manual_seed(1000 + batch)
    coarse = torch.rand(batch, spec.channels, 4, 4, generator=random)
    soft = torch.nn.functional.interpolate(coarse, (spec.height, spec.width), mode="bilinear")
    noise = torch.rand(batch, spec.channels, spec.height, spec.width, generator=random)
    return normalise(255 * (0.75 * soft + 0.25 * noise), spec)


def pictures(spec: ImageInput, count: int) -> tuple[bytes, ...]:
    """Encoded pictures that are not of the size of the input, PNG and JPEG in turn."""
    random = np.random.default_rng(count)
    return tuple(_encoded(random, spec, "JPEG" if index % 2 else "PNG") for index in range(count))


class _Comparison:
    """Collects parities and, for each tensor, the first way in which it fails."""

    def __init__(self) -> None:
        self.parities: dict[str, Parity] = {}
        self._failures: dict[str, MismatchError] = {}

    @property
    def failures(self) -> tuple[MismatchError, ...]:
        return tuple(self._failures.values())

    def add(self, name: str, got: NDArray[Any], expected: Tensor, *, where: str) -> None:
        right = expected.numpy()
        if got.shape != right.shape:
            message = f"{name} {where} has shape {got.shape}; PyTorch gives {right.shape}"
            self._failures.setdefault(name, ShapeMismatchError(message))
            return
        difference = relative_difference(got, right)
        if not difference <= TOLERANCE:  # not a number is a difference, too
            message = f"{name} {where} differs by {difference:.2g} of its largest value; allowed is {TOLERANCE:.0e}"
            self._failures.setdefault(name, ValueMismatchError(message))
        before = self.parities.get(name, Parity(name, right.shape[1:], 0.0))
        self.parities[name] = replace(before, difference=max(before.difference, difference))


def relative_difference(got: NDArray[Any], expected: NDArray[Any]) -> float:
    """The largest absolute difference, in units of the largest absolute value that is expected.

    >>> relative_difference(np.array([1.0, 2.0]), np.array([1.0, 4.0]))
    0.5
    """
    largest = float(np.max(np.abs(expected), initial=0.0))
    difference = float(np.max(np.abs(got - expected), initial=0.0))
    return difference / largest if largest else difference


def _names(
    converted: Converted, expected: Mapping[str, Tensor], spec: ImageInput, output: ClassOutput
) -> Iterator[MismatchError]:
    """Inputs, outputs and layers: those that are missing, and those that are too many."""
    model = converted.model
    yield from _difference("input", {value.name for value in graph.inputs(model)}, {spec.name})
    yield from _difference("output", {value.name for value in model.graph.output}, {output.name})
    table = [name for entry in converted.layers for name in (entry.path, *entry.aliases)]
    images = inputs(spec, 1)
    # A module in front that does nothing has no tensor of its own.
    modules = {name for name, value in expected.items() if not torch.equal(value, images)}
    yield from _difference("layer", set(table), modules)
    yield from (NameMismatchError(f"layer {name!r} is there {n} times") for name, n in Counter(table).items() if n > 1)
    computed = {name for node in graph.computed(model) for name in node.output}
    for entry in converted.layers:
        if entry.tensor not in computed:
            yield NameMismatchError(f"layer {entry.path!r} names the tensor {entry.tensor!r}, which no node computes")


def _difference(kind: str, found: set[str], expected: set[str]) -> Iterator[NameMismatchError]:
    for name in sorted(expected - found):
        yield NameMismatchError(f"{kind} {name!r} is missing; the model has {sorted(found)}")
    for name in sorted(found - expected):
        yield NameMismatchError(f"{kind} {name!r} is not in the network")


def _axes(model: ModelProto, spec: ImageInput, output: ClassOutput, *, any_size: bool) -> Iterator[AxisMismatchError]:
    """The first axis of the input and the output is `batch`; the others are fixed, but for sizes that are free."""
    sizes = SIZE_AXES if any_size else (spec.height, spec.width)
    classes = len(output.labels) if output.labels is not None else None
    right = {spec.name: (BATCH_AXIS, spec.channels, *sizes), output.name: (BATCH_AXIS, classes)}
    for value in (*graph.inputs(model), *model.graph.output):
        axes = _axis_names(value)
        expected = right.get(value.name, axes)
        if value.name == output.name and output.values == "none":
            expected = (BATCH_AXIS, *axes[1:])  # maps: of whatever shape
        if len(axes) != len(expected) or any(e not in (None, a) for a, e in zip(axes, expected, strict=True)):
            yield AxisMismatchError(f"{value.name} has axes {axes}; they should be {expected}")


def _axis_names(value: ValueInfoProto) -> tuple[str | int, ...]:
    """The length of each axis, or its name where it is free."""
    return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim)


def _compare_layers(
    comparison: _Comparison, network: nn.Module, converted: Converted, cases: Sequence[_Case]
) -> list[tuple[_Case, Tensor]]:
    """The graph cut so that it gives every layer.

    Returns:
        What PyTorch answers in each case.
    """
    session = _session(graph.cut(converted.model, [entry.tensor for entry in converted.layers]))
    answers = []
    for case in cases:
        answer, expected = layers.run(network, case.images)
        got = session.run({case.spec.name: case.images.numpy()})
        for entry in converted.layers:
            _compare_names(comparison, entry, got[entry.tensor], expected, where=case.where)
        answers.append((case, answer))
    return answers


def _compare_output(
    comparison: _Comparison, answers: Sequence[tuple[_Case, Tensor]], model: ModelProto, output: ClassOutput
) -> None:
    """The whole graph with its output alone, as it is served."""
    session = _session(model)
    for case, expected in answers:
        got = session.run({case.spec.name: case.images.numpy()})[output.name]
        comparison.add(f"output {output.name}", got, expected, where=case.where)


def _compare_names(
    comparison: _Comparison, entry: LayerEntry, got: NDArray[Any], expected: Mapping[str, Tensor], *, where: str
) -> None:
    for name in (entry.path, *entry.aliases):
        comparison.add(name, got, expected[name], where=where)


def _compare_pictures(
    comparison: _Comparison, network: nn.Module, model: ModelProto, spec: ImageInput, output: ClassOutput
) -> None:
    """Encoded pictures through the service's decoder and the normalisation in the graph."""
    decoded = [image.decode(data, spec, max_pixels=_MAX_PIXELS, decoding="exact") for data in pictures(spec, _PICTURES)]
    pixels = np.stack(decoded)  # (N, height, width, C) uint8
    with torch.inference_mode():
        expected = network(normalise(torch.from_numpy(pixels).permute(0, 3, 1, 2), spec))
    got = _session(graph.with_pixels(model, spec)).run({graph.PIXELS: pixels})[output.name]
    comparison.add(f"output {output.name} from pictures", got, expected, where=f"at batch {_PICTURES}")


def _encoded(random: np.random.Generator, spec: ImageInput, encoding: str) -> bytes:
    """A soft random picture with some noise, half as large again as the input and not of its shape."""
    size = (spec.width * 3 // 2 + 5, spec.height * 3 // 2)
    coarse = Image.fromarray(random.integers(0, 256, (4, 4, 3), dtype=np.uint8)).resize(size)
    noise = Image.fromarray(random.integers(0, 256, (size[1], size[0], 3), dtype=np.uint8))
    file = io.BytesIO()
    Image.blend(coarse, noise, 0.25).save(file, encoding)
    return file.getvalue()


def _session(model: ModelProto) -> runtime.Session:
    return runtime.Session(model, device=runtime.open_device("cpu"), threads=available_cores())

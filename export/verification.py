"""An ONNX model against the PyTorch network that it was made from, layer by layer.

The model runs as the service runs it: graphs cut by `service.graph`, sessions of `service.runtime`.  PyTorch
tells what is right, through forward hooks.  The inputs were not used for tracing.  Every difference is gathered
before anything is raised.
"""

import io
from collections import Counter
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto, ValueInfoProto
from PIL import Image
from torch import Tensor, nn

from export import layers
from export.conversion import BATCH_AXIS, Converted
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
TOLERANCE: Final = 1e-4
"""The largest difference allowed, relative to the largest absolute value of the layer in the batch."""

_MAX_PIXELS: Final = 10_000_000


@dataclass(frozen=True)
class Parity:
    """How well one layer agrees with PyTorch.

    Args:
        layer: Its path, or the name of the output of the model.
        shape: Of the layer for one image.
        difference: The largest one, relative to the largest absolute value of the layer, over all batches.
    """

    layer: str
    shape: tuple[int, ...]
    difference: float


def verify(network: nn.Module, converted: Converted, spec: ImageInput, output: ClassOutput) -> tuple[Parity, ...]:
    """Compare a model with its network: names, axes, shapes and values, at each of `BATCHES`.

    Args:
        network: In evaluation mode, on the CPU.
        converted: What the network became.
        spec: The input of both.
        output: The output of the model.

    Returns:
        The parity of each layer, in order of execution.

    Raises:
        VerificationError: They differ; it holds each way in which they do.
    """
    expected = layers.run(network, inputs(spec, 1))[1]
    failures = [*_names(converted, expected, spec, output), *_axes(converted.model, spec, output)]
    if failures:
        # Without its inputs and outputs where they should be, the model cannot be run.
        raise VerificationError(failures)
    comparison = _Comparison()
    # One session after the other: each holds the weights, which may be half a gigabyte.
    answers = _compare_layers(comparison, network, converted, spec)
    _compare_output(comparison, answers, converted.model, spec, output)
    _compare_pictures(comparison, network, converted.model, spec, output)
    if comparison.failures:
        raise VerificationError(comparison.failures)
    return tuple(comparison.parities[entry.path] for entry in converted.layers)


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
        before = self.parities[name].difference if name in self.parities else 0.0
        self.parities[name] = Parity(name, right.shape[1:], max(before, difference))


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


def _axes(model: ModelProto, spec: ImageInput, output: ClassOutput) -> Iterator[AxisMismatchError]:
    """The first axis of the input and the output is `batch`; the others are fixed."""
    classes = len(output.labels) if output.labels is not None else None
    right = {spec.name: (BATCH_AXIS, spec.channels, spec.height, spec.width), output.name: (BATCH_AXIS, classes)}
    for value in (*graph.inputs(model), *model.graph.output):
        axes = _axis_names(value)
        expected = right.get(value.name, axes)
        if len(axes) != len(expected) or any(e not in (None, a) for a, e in zip(axes, expected, strict=True)):
            yield AxisMismatchError(f"{value.name} has axes {axes}; they should be {expected}")


def _axis_names(value: ValueInfoProto) -> tuple[str | int, ...]:
    """The length of each axis, or its name where it is free."""
    return tuple(d.dim_value if d.HasField("dim_value") else d.dim_param for d in value.type.tensor_type.shape.dim)


def _compare_layers(
    comparison: _Comparison, network: nn.Module, converted: Converted, spec: ImageInput
) -> dict[int, Tensor]:
    """The graph cut so that it gives every layer.

    Returns:
        What PyTorch answers at each batch size.
    """
    session = _session(graph.cut(converted.model, [entry.tensor for entry in converted.layers]))
    answers = {}
    for batch in BATCHES:
        images = inputs(spec, batch)
        answers[batch], expected = layers.run(network, images)
        got = session.run({spec.name: images.numpy()})
        for entry in converted.layers:
            _compare_names(comparison, entry, got[entry.tensor], expected, where=f"at batch {batch}")
    return answers


def _compare_output(
    comparison: _Comparison, answers: Mapping[int, Tensor], model: ModelProto, spec: ImageInput, output: ClassOutput
) -> None:
    """The whole graph with its output alone, as it is served."""
    session = _session(model)
    for batch, expected in answers.items():
        got = session.run({spec.name: inputs(spec, batch).numpy()})[output.name]
        comparison.add(f"output {output.name}", got, expected, where=f"at batch {batch}")


def _compare_names(
    comparison: _Comparison, entry: LayerEntry, got: NDArray[Any], expected: Mapping[str, Tensor], *, where: str
) -> None:
    for name in (entry.path, *entry.aliases):
        comparison.add(name, got, expected[name], where=where)


def _compare_pictures(
    comparison: _Comparison, network: nn.Module, model: ModelProto, spec: ImageInput, output: ClassOutput
) -> None:
    """Encoded pictures through the service's decoder and the normalisation in the graph."""
    session = _session(graph.with_pixels(model, spec))
    for batch in BATCHES:
        decoded = [image.decode(data, spec, max_pixels=_MAX_PIXELS) for data in pictures(spec, batch)]
        pixels = np.stack(decoded)  # (N, height, width, C) uint8
        planes = torch.from_numpy(pixels).permute(0, 3, 1, 2)
        with torch.inference_mode():
            logits = network(normalise(planes, spec))
        got = session.run({graph.PIXELS: pixels})[output.name]
        comparison.add(f"output {output.name} from pictures", got, logits, where=f"at batch {batch}")


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

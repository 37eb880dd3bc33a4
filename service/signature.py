"""What a network takes and gives: names, types and shapes, as the file says."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from onnx import ModelProto, ValueInfoProto

from service import graph


@dataclass(frozen=True)
class Tensor:
    """An input or output of a network.

    Args:
        name: In the file.
        element: Its ONNX element type (`TensorProto.FLOAT`, …); 0 where it is no tensor, or unknown.
        shape: With the batch axis, None for a size that is not fixed; None for all of it where it is unknown.
    """

    name: str
    element: int
    shape: tuple[int | None, ...] | None


@dataclass(frozen=True)
class Signature:
    """The inputs and outputs of a network, in the order of the file."""

    inputs: tuple[Tensor, ...]
    outputs: tuple[Tensor, ...]

    @property
    def batched(self) -> bool:
        """Whether the first axis of every input and output is open, and so (as Triton takes it) that of the batch."""
        tensors = (*self.inputs, *self.outputs)
        return bool(tensors) and all(t.shape is not None and t.shape[:1] == (None,) for t in tensors)


def signature(model: ModelProto) -> Signature:
    """Read the signature of a model; what the file leaves out of its outputs is inferred."""
    inferred: Mapping[str, ValueInfoProto] = {}
    if any(graph.dimensions(value) is None for value in model.graph.output):
        inferred = graph.inferred(model)
    return Signature(tuple(_tensor(value) for value in graph.inputs(model)), _outputs(model.graph.output, inferred))


def _outputs(values: Sequence[ValueInfoProto], inferred: Mapping[str, ValueInfoProto]) -> tuple[Tensor, ...]:
    return tuple(_tensor(inferred.get(value.name, value)) for value in values)


def _tensor(value: ValueInfoProto) -> Tensor:
    return Tensor(value.name, value.type.tensor_type.elem_type, graph.dimensions(value))

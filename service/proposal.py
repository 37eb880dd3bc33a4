"""The metadata of an ONNX file that nobody here exported: what the file tells, and what only a person knows.

A graph says what its input and its output look like.  It does not say how an image is to be cropped, scaled and
normalised, nor what the classes are called: those values are asked for, all at once, and never guessed.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Final

from onnx import ModelProto, TensorProto, ValueInfoProto
from pydantic import ValidationError

from service import graph, layers
from service.errors import ParameterError
from service.layers import LayerTable
from service.metadata import Artifact, ClassOutput, ImageInput, LayerEntry, Metadata, Source

UNKNOWN: Final = "unknown"

_FLOATS: Final = (TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE)
_COLORS: Final[Mapping[int | None, str]] = {3: "rgb", 1: "grey"}
# What the last operator makes of the values; a softmax of a log-softmax is the softmax.
_VALUES: Final = {"Softmax": "probabilities", "Sigmoid": "sigmoid", "LogSoftmax": "logits"}
# What may stand between that operator and the output, and changes no value.
_PASSING: Final = frozenset({"Identity", "Flatten", "Reshape", "Squeeze", "Unsqueeze", "Cast"})
_INPUT: Final = (
    "name",
    "layout",
    "height",
    "width",
    "color",
    "crop_fraction",
    "interpolation",
    "rescale_factor",
    "mean",
    "std",
)
_WHY: Final[Mapping[str, str]] = {
    "input": "it has no image input, or several",
    "height": "it is not fixed in the file",
    "width": "it is not fixed in the file",
    "color": "it follows from 3 or 1 channels, and the file has neither",
    "crop_fraction": "no file tells it; 1 takes the whole picture",
    "interpolation": "no file tells it: nearest, bilinear, bicubic or lanczos",
    "rescale_factor": "no file tells it; 1/255 where mean and std are for pixels from 0 to 1",
    "mean": "no file tells it; one number for each channel",
    "std": "no file tells it; one number for each channel",
    "output": "it has several outputs",
    "values": "the last operator is neither a softmax nor a sigmoid: logits, probabilities, sigmoid_logits, sigmoid, "
    "or none where there are no classes",
}


@dataclass(frozen=True)
class Proposal:
    """What is known of a file.

    Args:
        model: The graph.
        given: What a person said, by the names below.
        read: What the file tells, by the names below: `input`, `layout`, `height`, `width`, `color`, `output`,
            `classes` and `values`.
    """

    model: ModelProto
    given: Mapping[str, Any]
    read: Mapping[str, Any] = field(default_factory=dict)

    @property
    def values(self) -> Mapping[str, Any]:
        """What is known: what was given goes before what was read."""
        return {**self.read, **self.given}

    @property
    def missing(self) -> Mapping[str, str]:
        """The values that nobody has told yet, and why the file does not."""
        return {name: why for name, why in _WHY.items() if name not in self.values}


def propose(model: ModelProto, given: Mapping[str, Any]) -> Proposal:
    """Read what can be read.

    Args:
        model: The graph.
        given: What a person said; values that are None were not said.

    Raises:
        ParameterError: A person named an input or output that the file does not have.
    """
    said = {name: value for name, value in given.items() if value is not None}
    images = _chosen(graph.inputs(model), said.get("input"), kind="input")
    outputs = _chosen(model.graph.output, said.get("output"), kind="output")
    inputs = [value for value in images if _is_image(value)] or (images if "input" in said else [])
    read = _read_input(inputs[0], said) if len(inputs) == 1 else {}
    return Proposal(model, said, read | _read_output(model, outputs))


def complete(proposal: Proposal, data: bytes, *, name: str, version: int) -> Metadata:
    """The metadata, when nothing is missing.

    Args:
        proposal: What is known.
        data: The bytes of the file.
        name: Of the model.
        version: Its number.

    Raises:
        ParameterError: A value is missing or out of range; each is named.
    """
    if proposal.missing:
        raise ParameterError(
            "the file does not tell everything; give: "
            + "; ".join(f"{name} ({why})" for name, why in proposal.missing.items())
        )
    values = proposal.values
    table = layers.table(proposal.model, None)
    try:
        return Metadata(
            schema_version=1,
            name=name,
            version=version,
            summary=values["summary"],
            input=ImageInput(**{key: values["input" if key == "name" else key] for key in _INPUT}),
            output=ClassOutput(name=values["output"], values=values["values"], labels=values.get("labels")),
            layers=tuple(LayerEntry(path=one.path, tensor=one.tensor, aliases=one.aliases) for one in table),
            source=_source(table, proposal.model, values),
            reported=(),
            measured=(),
            limits=("It was imported: nobody here has compared it with its source.",),
            artifact=Artifact(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)),
        )
    except ValidationError as error:
        places = (f"{'.'.join(map(str, each['loc'])) or 'the file'}: {each['msg']}" for each in error.errors())
        raise ParameterError("; ".join(places)) from error


def _source(table: LayerTable, model: ModelProto, values: Mapping[str, Any]) -> Source:
    """What is not known of a file from elsewhere is called so."""
    held = (layer.cost.cumulative.parameters for layer in table if layer.cost is not None)
    return Source(
        architecture=values.get("architecture", UNKNOWN),
        parameters=max(max(held, default=1), 1),
        paper=UNKNOWN,
        weights=values["file"],
        license=values.get("license", UNKNOWN),
        dataset=values.get("dataset", UNKNOWN),
        command=f"striate models import {values['file']}",
        recipe=None,
        tools={"producer": f"{model.producer_name or UNKNOWN} {model.producer_version}".strip()},
    )


def _chosen(found: Sequence[ValueInfoProto], name: str | None, *, kind: str) -> list[ValueInfoProto]:
    """The one that was named, or all."""
    names = [value.name for value in found]
    if name is not None and name not in names:
        raise ParameterError(f"the file has no {kind} {name!r}; it has: {', '.join(map(repr, names))}")
    return [value for value in found if name in (None, value.name)]


def _is_image(value: ValueInfoProto) -> bool:
    shape = graph.dimensions(value)
    return value.type.tensor_type.elem_type in _FLOATS and (shape is None or len(shape) == 4)


def _read_input(value: ValueInfoProto, said: Mapping[str, Any]) -> dict[str, Any]:
    shape = graph.dimensions(value)
    if shape is None or len(shape) != 4:
        shape = (None,) * 4
    layout = said.get("layout") or graph.guessed_layout(shape)
    channels, height, width = (shape[3], *shape[1:3]) if layout == "nhwc" else shape[1:]
    read = {
        "input": value.name,
        "layout": layout,
        "height": height,
        "width": width,
        "color": _COLORS.get(channels),
    }
    return {name: found for name, found in read.items() if found is not None}


def _read_output(model: ModelProto, outputs: Sequence[ValueInfoProto]) -> dict[str, Any]:
    """The output of the classes: the only one there is, or the only one that looks like it."""
    known = graph.inferred(model, graph.image_sizes(model, None))
    vectors = {value.name: shape for value in outputs if (shape := _classes_shape(known[value.name])) is not None}
    if len(vectors) == 1:
        ((name, shape),) = vectors.items()
        values = _VALUES.get(_last_operator(model, name))
        read = {"output": name, "classes": shape[1], "values": values}
        return {key: found for key, found in read.items() if found is not None}
    if len(outputs) == 1:
        return {"output": outputs[0].name, "values": "none"}
    return {}


def _classes_shape(value: ValueInfoProto) -> tuple[int | None, ...] | None:
    """The shape of an output that can hold classes: (N, classes), perhaps with axes of size 1 behind."""
    shape = graph.dimensions(value)
    if shape is None or len(shape) < 2 or any(size != 1 for size in shape[2:]):
        return None
    return shape


def _last_operator(model: ModelProto, output: str) -> str:
    producers = {name: node for node in model.graph.node for name in node.output}
    while (node := producers.get(output)) is not None and node.op_type in _PASSING:
        output = node.input[0]
    return node.op_type if node is not None else ""

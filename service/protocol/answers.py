"""The answer to an inference request, written: JSON, and the binary tensors behind it."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Final

from service.buffer import Content
from service.protocol.datatypes import Datatype
from service.protocol.tensors import Array, to_binary, to_json
from service.text import joined, json_with

MEDIA_TYPE: Final = "application/json"
BINARY_MEDIA_TYPE: Final = "application/octet-stream"


@dataclass(frozen=True)
class OutputTensor:
    """A tensor of an answer.

    Args:
        name: As it was asked for.
        datatype: The type of its elements.
        data: Its elements, in its shape.
        binary: Whether it travels in binary; else in JSON.
    """

    name: str
    datatype: Datatype
    data: Array
    binary: bool


@dataclass(frozen=True)
class Answer:
    """The bytes of an answer.

    Args:
        body: All of it.
        header_length: Length of its JSON in bytes, where binary tensors are behind; else None.
    """

    body: Content
    header_length: int | None

    @property
    def media_type(self) -> str:
        """What the body is."""
        return MEDIA_TYPE if self.header_length is None else BINARY_MEDIA_TYPE


def write(outputs: Sequence[OutputTensor], *, model: str, version: int, id_: str | None) -> Answer:
    """Write an answer.

    Args:
        outputs: Its tensors, in order.
        model: The name of the model.
        version: Its version.
        id_: What the request called itself.

    Raises:
        ParameterError: A tensor cannot be written in JSON, and is not wanted in binary.
    """
    parts: list[Content] = []
    heads: list[dict[str, Any]] = []
    for output in outputs:
        head: dict[str, Any] = {
            "name": output.name,
            "datatype": output.datatype.name,
            "shape": list(output.data.shape),
        }
        if output.binary:
            part = to_binary(output.data, output.datatype)
            head["parameters"] = {"binary_data_size": len(part)}
            parts.append(part)
        else:
            head["data"] = to_json(output.data, output.name, output.datatype)
        heads.append(head)
    named = {"id": id_} if id_ is not None else {}
    text = json_with({"model_name": model, "model_version": str(version), **named, "outputs": heads})
    if not any(output.binary for output in outputs):
        return Answer(text, None)
    return Answer(joined((text, *parts)), len(text))

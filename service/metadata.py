"""The schema of `models/<name>/<version>/metadata.json`: all that the service must know of a model.

Nothing here has a default that could silently be wrong.  A key that is not in the schema, a value of
another type, or a number out of range makes the file invalid, and `read` names every such place.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Literal, Self

from pydantic import BaseModel, ConfigDict, Field, JsonValue, ValidationError, model_validator

from service import regular_file
from service.errors import ModelFileError

FILE_NAME = "metadata.json"
SCHEMA_VERSION = 1
_MAX_BYTES = 2**24  # the labels of 20,000 classes take a fortieth of that
_MOST_PLACES = 20  # that are named: a file can be wrong in a million

Finite = Annotated[float, Field(allow_inf_nan=False)]
Positive = Annotated[float, Field(gt=0, allow_inf_nan=False)]
Count = Annotated[int, Field(ge=1)]


class _Value(BaseModel):
    """A frozen value that refuses unknown keys."""

    model_config = ConfigDict(frozen=True, extra="forbid", strict=True)


class ImageInput(_Value):
    """How an encoded image becomes the input tensor of a network.

    The largest centred box with the shape of the input, `crop_fraction` of it on each side, is cut out
    in float coordinates and resized once, in bytes.  Then `(pixel * rescale_factor - mean) / std` for each
    channel, pixel from 0 to 255, gives a float32 tensor (N, C, height, width), or (N, height, width, C)
    where `layout` says so.
    """

    name: str = Field(min_length=1, description="The name of the input tensor in model.onnx.")
    height: Count = Field(description="Pixels.")
    width: Count = Field(description="Pixels.")
    color: Literal["rgb", "grey"] = Field(description="Three channels, or one.")
    crop_fraction: Annotated[float, Field(gt=0, le=1)]
    interpolation: Literal["nearest", "bilinear", "bicubic", "lanczos"]
    rescale_factor: Positive = Field(description="1/255 where mean and std are for pixels from 0 to 1.")
    mean: tuple[Finite, ...] = Field(description="One for each channel.")
    std: tuple[Positive, ...] = Field(description="One for each channel.")
    layout: Literal["nchw", "nhwc"] = Field(
        "nchw",
        description="The order of the axes; a file that leaves it out has nchw. Where the shape of the input is fixed,"
        " the two are compared when the model is loaded.",
    )

    @property
    def channels(self) -> int:
        """3 for `rgb`, 1 for `grey`."""
        return 3 if self.color == "rgb" else 1

    @property
    def shape(self) -> tuple[int, int, int]:
        """Of the tensor of one image, in the order of `layout`."""
        if self.layout == "nhwc":
            return self.height, self.width, self.channels
        return self.channels, self.height, self.width

    @model_validator(mode="after")
    def _one_value_for_each_channel(self) -> Self:
        for name, values in (("mean", self.mean), ("std", self.std)):
            if len(values) != self.channels:
                raise ValueError(f"{name} has {len(values)} values; color {self.color!r} has {self.channels} channels")
        return self


class ClassOutput(_Value):
    """What the output tensor means: (N, classes) of a classifier, anything else of other networks.

    `logits` become probabilities by a softmax, and `probabilities` are taken as they are.  Where each class stands
    for itself, and several can be true, `sigmoid` are probabilities as a sigmoid gave them, and `sigmoid_logits`
    become probabilities by a sigmoid.  `none` is no classes: the network gives feature maps and tensors only.
    """

    name: str = Field(min_length=1, description="The name of the output tensor in model.onnx.")
    values: Literal["logits", "probabilities", "sigmoid_logits", "sigmoid", "none"]
    labels: tuple[str, ...] | None = Field(description="One for each class, in order; null where there are none.")

    @model_validator(mode="after")
    def _labels_are_of_classes(self) -> Self:
        if self.values == "none" and self.labels is not None:
            raise ValueError("labels are given, and values is 'none': a network without classes has none")
        return self


class LayerEntry(_Value):
    """Where the output of a module of the source network is found in model.onnx."""

    path: str = Field(min_length=1, description="The module path that PyTorch uses, as `layer1.0.relu`.")
    tensor: str = Field(min_length=1, description="The name of the tensor in model.onnx.")
    aliases: tuple[str, ...] = Field(description="Other module paths with this same output.")


class Figure(_Value):
    """One figure of merit."""

    metric: str = Field(description="As `top-1 accuracy`.")
    value: Finite = Field(description="A fraction from 0 to 1 for accuracies.")
    dataset: str
    split: str
    images: Count
    source: str = Field(description="Who says so: a link, or the command that measured it.")


class Source(_Value):
    """Where a model came from."""

    architecture: str
    parameters: Count = Field(description="Trainable numbers of the source network.")
    paper: str = Field(description="Title and link.")
    weights: str = Field(description="The package, link or training run that the weights came from.")
    license: str = Field(description="SPDX identifier of the weights' licence.")
    dataset: str = Field(description="What the weights were trained on.")
    command: str = Field(description="The command that made this version.")
    recipe: Mapping[str, JsonValue] | None = Field(
        description="Every hyper-parameter; null for weights trained elsewhere, or written down."
    )
    tools: Mapping[str, str] = Field(description="Package to version.")


class Artifact(_Value):
    """What model.onnx must be, to the byte."""

    sha256: Annotated[str, Field(pattern="^[0-9a-f]{64}$")]
    bytes: Count


class Speed(_Value):
    """How long one image takes, original and copy in turn in one run."""

    threads: Count = Field(description="How many cores a run may use.")
    original: Positive = Field(description="Milliseconds, the median.")
    copied: Positive = Field(description="Milliseconds, the median.")
    runs: Count = Field(description="Of each.")
    machine: str = Field(description="The processor, and what of it matters to the arithmetic.")


class Copy(_Value):
    """What a smaller or faster copy was made from, and how far it differs."""

    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", description="The model.")]
    version: Count
    artifact: Artifact = Field(description="What the model.onnx of the original is.")
    precision: Literal["int8", "float16"]
    before: tuple[Figure, ...] = Field(description="The figures of `measured`, of the original in the same run.")
    max_drop: Annotated[float, Field(ge=0, le=1)] = Field(description="How far each figure was allowed to fall.")
    gone: tuple[str, ...] = Field(description="Layers of the original that the copy does not compute any more.")
    speed: tuple[Speed, ...]


class Metadata(_Value):
    """One version of one model."""

    schema_version: Literal[1]
    name: Annotated[str, Field(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$")]
    version: Count
    summary: str = Field(description="One sentence for people.")
    input: ImageInput
    output: ClassOutput
    layers: tuple[LayerEntry, ...] = Field(description="In order of execution.")
    source: Source
    reported: tuple[Figure, ...] = Field(description="What the source of the weights says.")
    measured: tuple[Figure, ...] = Field(description="What was measured on this very file.")
    limits: tuple[str, ...] = Field(default=(), description="What a user should know before relying on the model.")
    artifact: Artifact
    copy_of: Copy | None = Field(
        default=None, description="The original, where this is a copy in other numbers; left out for every other model."
    )

    def to_json(self) -> str:
        """The text of the file: indented, keys in the order of the schema."""
        left_out = {"copy_of"} if self.copy_of is None else None
        return self.model_dump_json(indent=2, exclude=left_out) + "\n"


def read(path: Path) -> Metadata:
    """Read and check a `metadata.json`.

    Raises:
        ModelFileError: It cannot be read, or does not follow the schema; wrong places are named.
    """
    try:
        return Metadata.model_validate_json(regular_file.read(path, max_bytes=_MAX_BYTES))
    except ValidationError as error:
        raise ModelFileError(f"{path.name} does not follow the schema: {_places(error)}") from error


def _places(error: ValidationError) -> str:
    """The first wrong places of a file, as `input.std: Field required`."""
    errors = error.errors(include_url=False, include_context=False, include_input=False)
    told = [f"{'.'.join(map(str, e['loc'])) or 'the file'}: {e['msg']}" for e in errors[:_MOST_PLACES]]
    more = [f"and {len(errors) - len(told)} more"] if len(errors) > len(told) else []
    return "; ".join([*told, *more])

"""The JSON of answers, as documented at `/docs`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.metadata import Figure
from service.statistics import Statistics


class _Answer(BaseModel):
    model_config = ConfigDict(frozen=True)


class PredictionAnswer(_Answer):
    """One class of one image."""

    class_id: int = Field(examples=[281])
    label: str | None = Field(description="null where the model has no labels.", examples=["tabby"])
    probability: float = Field(examples=[0.82])


class ImagePredictions(_Answer):
    """The best classes of one image, the best first."""

    predictions: list[PredictionAnswer]


class ClassifyAnswer(_Answer):
    """The classes of each image, in the order in which they were sent."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    results: list[ImagePredictions]


class LayerAnswer(_Answer):
    """One row of the layer table."""

    index: int = Field(description="Its place in the order of execution.", examples=[0])
    path: str = Field(description="Its canonical name.", examples=["layer1.0.conv1"])
    aliases: list[str] = Field(description="Other names of the same tensor.", examples=[[]])
    operator: str = Field(description="The ONNX operator that puts it out.", examples=["Conv"])
    shape: list[int | None] | None = Field(
        description="Of its output for one image; null where it is not fixed.", examples=[[64, 56, 56]]
    )
    parameters: int = Field(description="Learned numbers of its operator.", examples=[36864])


class LayersAnswer(_Answer):
    """Every layer of a model, in order of execution."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    layers: list[LayerAnswer]


class MapAnswer(_Answer):
    """The output of one layer for one image."""

    layer: str = Field(description="The canonical path.", examples=["conv1"])
    shape: list[int] = Field(examples=[[6, 28, 28]])
    data: Annotated[list[Any] | None, Field(description="Nested lists of this shape; NaN and infinity are null.")]
    statistics: Statistics | None = Field(None, description="In place of the data, where they were asked for.")
    channels: list[int] | None = Field(None, description="Which channels, where the strongest were asked for.")
    low: float | None = Field(None, description="The value that 0 stands for, where the data are uint8.")
    high: float | None = Field(None, description="The value that 255 stands for, where the data are uint8.")


class ImageMaps(_Answer):
    """The feature maps of one image, in the order in which the layers were asked for."""

    maps: list[MapAnswer]


class FeatureMapsAnswer(_Answer):
    """The feature maps of each image."""

    model: str = Field(examples=["lenet5"])
    version: int = Field(examples=[1])
    results: list[ImageMaps]


class PlannedMap(_Answer):
    """What one layer of one image would be."""

    layer: str = Field(examples=["conv1"])
    shape: list[int | None] | None = Field(description="null where it is not fixed.", examples=[[6, 28, 28]])


class PlanAnswer(_Answer):
    """What a request for feature maps would give; nothing was computed."""

    model: str = Field(examples=["lenet5"])
    version: int = Field(examples=[1])
    format: str = Field(examples=["npy"])
    images: int = Field(description="In the body, or 1 where there is none.", examples=[1])
    bytes: int = Field(description="Of the answer, at most.", examples=[19072])
    max_bytes: int = Field(description="The limit (setting max_answer_bytes).", examples=[134217728])
    maps: list[PlannedMap]


class InputAnswer(_Answer):
    """What a model takes."""

    height: int = Field(description="Pixels.", examples=[224])
    width: int = Field(description="Pixels.", examples=[224])
    color: Literal["rgb", "grey"]


class ModelAnswer(_Answer):
    """One version of a model, and how it stands."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    versions: list[int] = Field(description="Every version there is.", examples=[[1]])
    state: Literal["loading", "ready", "failed"]
    reason: str | None = Field(description="What is wrong, where it failed.", examples=[None])
    summary: str | None = Field(description="null where it has no metadata.")
    device: str | None = Field(description="Where it runs.", examples=["cpu"])
    input: InputAnswer | None = Field(description="null where it takes no images: it has no metadata.")
    classes: int | None = Field(description="How many it tells apart.", examples=[1000])
    layers: int | None = Field(description="How many layers can be fetched.", examples=[150])
    parameters: int | None = Field(description="Trained numbers.", examples=[4652008])
    license: str | None = Field(examples=["Apache-2.0"])
    measured: list[Figure] = Field(description="Measured on this very file.")
    reported: list[Figure] = Field(description="What the source of the weights says.")


class DeviceAnswer(_Answer):
    """Where networks run."""

    requested: Literal["auto", "cpu", "cuda"]
    used: Literal["cpu", "cuda"]
    reason: str | None = Field(description="Why auto did not take CUDA.")


class ModelsAnswer(_Answer):
    """What is served."""

    device: DeviceAnswer
    models: list[ModelAnswer]


class ProblemAnswer(_Answer):
    """An error (RFC 9457)."""

    type: str = Field(examples=["urn:striate:unknown-layer"])
    title: str = Field(examples=["Not Found"])
    status: int = Field(examples=[404])
    detail: str = Field(examples=["no layer 'conv9' among 12 (index 0 to 11, or -1 to -12); the nearest: conv1, conv2"])
    nearest: list[str] | None = Field(None, description="Known names, where one was not known.")
    index: int | None = Field(None, description="Which of several images it is about.")

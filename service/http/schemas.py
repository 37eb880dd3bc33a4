"""The JSON of answers, as documented at `/docs`."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from service.metadata import Figure
from service.receptive_field import Status
from service.statistics import Statistics


class _Answer(BaseModel):
    # Most are for the documentation alone: what checks their values is made when it is asked for.
    model_config = ConfigDict(frozen=True, defer_build=True)


class BoxAnswer(_Answer):
    """The pixels from left to right - 1 and from top to bottom - 1; empty where a unit sees only padding."""

    left: int = Field(examples=[3])
    top: int = Field(examples=[0])
    right: int = Field(examples=[46])
    bottom: int = Field(examples=[30])


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


class SumsAnswer(_Answer):
    """What has to be computed to get a layer: all that it depends on, and itself."""

    parameters: int = Field(description="Those that several layers share count once.", examples=[9408])
    multiply_adds: int | None = Field(description="null where it cannot be told.", examples=[118013952])
    flops: int | None = Field(description="Floating-point operations.", examples=[235225088])


class ReceptiveFieldAnswer(_Answer):
    """Which pixels of the input the units of a layer see: rows before columns."""

    status: Status = Field(
        description="exact: the smallest box; whole input: every unit sees all that reaches it; upper bound: nothing "
        "outside the box matters; unknown: nothing is promised, and there are no numbers."
    )
    size: list[int] | None = Field(description="Pixels, also of those in the padding.", examples=[[43, 43]])
    step: list[float] | None = Field(
        description="Pixels from one unit to the next; 0 where all see the same.", examples=[[8, 8]]
    )
    start: list[float] | None = Field(
        description="The first pixel that unit 0 sees; negative in the padding.", examples=[[-21, -21]]
    )


class DenseAnswer(_Answer):
    """A dense layer with as many inputs and outputs as a layer: every input to every output."""

    weights: int = Field(description="inputs * outputs.", examples=[8003072000])
    flops: int = Field(description="2 * inputs * outputs.", examples=[16006144000])
    times_less_work: float = Field(description="How many times fewer operations the layer takes.", examples=[59733.3])
    times_less_storage: float | None = Field(
        description="How many times fewer numbers the layer keeps; null where it keeps none.", examples=[4.0e9]
    )


class LayerAnswer(_Answer):
    """One row of the layer table; sizes are for one image, spatial axes in order (height, width)."""

    index: int = Field(description="Its place in the order of execution.", examples=[0])
    path: str = Field(description="Its canonical name.", examples=["layer1.0.conv1"])
    aliases: list[str] = Field(description="Other names of the same tensor.", examples=[[]])
    operator: str = Field(description="The ONNX operator that puts it out.", examples=["Conv"])
    shape: list[int | None] | None = Field(
        description="Of its output for one image; null where it is not fixed.", examples=[[64, 56, 56]]
    )
    kernel: list[int] | None = Field(description="null where the operator moves no window.", examples=[[3, 3]])
    stride: list[int] | None = Field(examples=[[2, 2]])
    padding: list[int] | None = Field(
        description="At the beginning of each axis, then at the end: top, left, bottom, right.",
        examples=[[1, 1, 1, 1]],
    )
    dilation: list[int] | None = Field(examples=[[1, 1]])
    groups: int | None = Field(examples=[1])
    parameters: int = Field(description="Learned numbers of its operator.", examples=[36864])
    multiply_adds: int | None = Field(
        description="Of convolutions and dense layers; 0 for the others, null where it cannot be told.",
        examples=[115605504],
    )
    flops: int | None = Field(
        description="Floating-point operations: outputs * (2 * K - 1) for K products in each, one more with a bias.",
        examples=[231110656],
    )
    bytes: int | None = Field(description="Of its output; null where it is not fixed.", examples=[802816])
    cumulative: SumsAnswer | None
    receptive_field: ReceptiveFieldAnswer
    dense: DenseAnswer | None = Field(description="null where the layer multiplies no weights.")


class LayersAnswer(_Answer):
    """Every layer of a model, in order of execution."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    layers: list[LayerAnswer]


class UnitAnswer(_Answer):
    """What one unit of a layer sees of the picture that the network gets (cropped and resized)."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    layer: str = Field(description="The canonical path.", examples=["_blocks.2"])
    row: int = Field(description="Of the unit on its map, from 0.", examples=[0])
    column: int = Field(description="Of the unit on its map, from 0.", examples=[2])
    status: Status = Field(description="What is promised of the box, as in the layer table.")
    box: BoxAnswer | None = Field(description="null where the receptive field is unknown.")
    height: int | None = Field(description="Of the input, in pixels; null where it is not fixed.", examples=[224])
    width: int | None = Field(description="Of the input, in pixels; null where it is not fixed.", examples=[224])


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
    crop_fraction: float = Field(
        description="The side of what is seen, as a part of the largest centred box with this shape.", examples=[0.875]
    )


class ModelAnswer(_Answer):
    """One version of a model, and how it stands."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    versions: list[int] = Field(description="Every version there is.", examples=[[1]])
    state: Literal["loading", "ready", "failed"]
    reason: str | None = Field(
        description="What is wrong: where it failed, or where the version before serves.", examples=[None]
    )
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


class EmbeddingAnswer(_Answer):
    """The vector of one image."""

    embedding: list[float | None] = Field(description="NaN and infinity are null.", examples=[[0.6, 0.8]])


class EmbeddingsAnswer(_Answer):
    """The vector of each image, in the order in which they were sent."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    layer: str = Field(description="The canonical path.", examples=["_swish:2"])
    results: list[EmbeddingAnswer]


class ClassAnswer(_Answer):
    """A class."""

    class_id: int | None = Field(description="null where the method asks for no class.", examples=[281])
    label: str | None = Field(description="null where the model has no labels.", examples=["tabby"])


class ImageHeat(ClassAnswer):
    """The evidence in one image."""

    vs: ClassAnswer | None = Field(None, description="The class to compare with, where one was asked for.")
    shape: list[int] = Field(examples=[[7, 7]])
    data: list[list[float | None]] = Field(description="Not scaled; NaN and infinity are null.")


class HeatMapAnswer(_Answer):
    """Where the evidence for a class is, in each image."""

    model: str = Field(examples=["efficientnet-lite0"])
    version: int = Field(examples=[1])
    method: Literal["cam", "eigen-cam", "score-cam", "occlusion"]
    layer: str | None = Field(description="Whose maps were used; null for occlusion.", examples=["_swish:2"])
    results: list[ImageHeat]


class FiltersAnswer(_Answer):
    """The learned kernels of a layer."""

    model: str = Field(examples=["lenet5"])
    version: int = Field(examples=[1])
    layer: str = Field(description="The canonical path.", examples=["conv1"])
    operator: str = Field(description="The ONNX operator that puts it out.", examples=["Conv"])
    shape: list[int] = Field(examples=[[6, 1, 5, 5]])
    data: list[Any] | None = Field(None, description="Nested lists of this shape; NaN and infinity are null.")
    statistics: Statistics | None = Field(None, description="In place of the data, where they were asked for.")
    bias: list[float | None] | None = Field(description="One for each output; null where there is none.")

"""What is served: the models, and the layers of each."""

from typing import Annotated, TypeVar

from fastapi import APIRouter, Query, Request, Response
from fastapi.responses import PlainTextResponse

from service import listing
from service.engine import Engine
from service.errors import ParameterError
from service.http.calls import EngineOf, ModelOf, problem_responses
from service.http.schemas import (
    BoxAnswer,
    DenseAnswer,
    DeviceAnswer,
    InputAnswer,
    LayerAnswer,
    LayersAnswer,
    ModelAnswer,
    ModelsAnswer,
    ReceptiveFieldAnswer,
    SumsAnswer,
    UnitAnswer,
)
from service.layers import Layer
from service.registry import Entry

T = TypeVar("T")

FormatName = Annotated[str, Query(alias="format", description="json, or text for a table to read.", examples=["text"])]
Place = Annotated[int, Query(description="Of the unit on its map, from 0.", examples=[0])]

index = APIRouter(tags=["models"])
router = APIRouter(tags=["models"])


@index.get("/v1/models")
async def list_models(engine: EngineOf) -> ModelsAnswer:
    """Every version of every model, also those that failed to load, with the reason."""
    device = engine.device
    return ModelsAnswer(
        device=DeviceAnswer(requested=device.requested, used=device.used, reason=device.reason),
        models=[describe(engine, entry) for entry in engine.registry.entries],
    )


@router.get("", responses=problem_responses(404))
async def show_model(request: Request, engine: EngineOf, model: str) -> ModelAnswer:
    """One version of a model: the one in the path, or the one that answers where none is named."""
    return describe(engine, engine.registry.entry(model, request.path_params.get("version")))


@router.get(
    "/layers",
    response_model=LayersAnswer,
    responses=problem_responses(400, 404, 503) | {200: {"content": {"text/plain": {}}}},
)
async def list_layers(model: ModelOf, format_: FormatName = "json") -> Response:
    """Every layer whose feature maps can be fetched, in order of execution: json, or text as a table to read."""
    if format_ == "text":
        return PlainTextResponse(listing.text(model.layers))
    if format_ != "json":
        raise ParameterError(f"format is {format_!r}; accepted: json, text")
    rows = [describe_layer(layer) for layer in model.layers]
    answer = LayersAnswer(model=model.name, version=model.version, layers=rows)
    return Response(answer.model_dump_json(), media_type="application/json")


@router.get("/layers/{layer:path}/receptive-field", responses=problem_responses(400, 404, 503))
async def show_receptive_field(model: ModelOf, layer: str, row: Place, column: Place) -> UnitAnswer:
    """The box of input pixels that one unit of a layer sees, clipped to the input."""
    found = model.layers.find(layer)
    box = found.receptive_field.box(row, column)
    spec = model.metadata.input if model.metadata else None
    return UnitAnswer(
        model=model.name,
        version=model.version,
        layer=found.path,
        row=row,
        column=column,
        status=found.receptive_field.status,
        box=BoxAnswer.model_validate(box, from_attributes=True) if box else None,
        height=spec.height if spec else None,
        width=spec.width if spec else None,
    )


def describe(engine: Engine, entry: Entry) -> ModelAnswer:
    """One row of the list of models."""
    model = entry.model
    metadata = model.metadata if model else None
    labels = metadata.output.labels if metadata else None
    return ModelAnswer(
        model=entry.folder.name,
        version=entry.folder.version,
        versions=[other.folder.version for other in engine.registry.versions(entry.folder.name)],
        state=entry.state,
        reason=entry.reason,
        summary=metadata.summary if metadata else None,
        device=model.device.used if model else None,
        input=InputAnswer.model_validate(metadata.input, from_attributes=True) if metadata else None,
        classes=len(labels) if labels else None,
        layers=len(model.layers) if model else None,
        parameters=metadata.source.parameters if metadata else None,
        license=metadata.source.license if metadata else None,
        measured=list(metadata.measured) if metadata else [],
        reported=list(metadata.reported) if metadata else [],
    )


def describe_layer(layer: Layer) -> LayerAnswer:
    """One row of the layer table."""
    window, cost, seen = layer.window, layer.cost, layer.receptive_field
    return LayerAnswer(
        index=layer.index,
        path=layer.path,
        aliases=list(layer.aliases),
        operator=layer.operator,
        shape=_list(layer.shape),
        kernel=_list(window.kernel) if window else None,
        stride=_list(window.stride) if window else None,
        padding=_list(window.padding) if window else None,
        dilation=_list(window.dilation) if window else None,
        groups=window.groups if window else None,
        parameters=layer.parameters,
        multiply_adds=cost.multiply_adds if cost else None,
        flops=cost.flops if cost else None,
        bytes=cost.bytes if cost else None,
        cumulative=SumsAnswer.model_validate(cost.cumulative, from_attributes=True) if cost else None,
        receptive_field=ReceptiveFieldAnswer(
            status=seen.status, size=_list(seen.size), step=_list(seen.step), start=_list(seen.start)
        ),
        dense=DenseAnswer.model_validate(cost.dense, from_attributes=True) if cost and cost.dense else None,
    )


def _list(values: tuple[T, ...] | None) -> list[T] | None:
    return None if values is None else list(values)

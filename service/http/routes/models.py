"""What is served: the models, and the layers of each."""

import dataclasses

from fastapi import APIRouter, Request

from service.engine import Engine
from service.http.calls import EngineOf, ModelOf, problem_responses
from service.http.schemas import DeviceAnswer, InputAnswer, LayerAnswer, LayersAnswer, ModelAnswer, ModelsAnswer
from service.layers import Layer
from service.registry import Entry

index = APIRouter(tags=["models"])
router = APIRouter(tags=["models"])


@index.get("/v1/models")
async def list_models(engine: EngineOf) -> ModelsAnswer:
    """Every version of every model, also those that failed to load, with the reason."""
    return ModelsAnswer(
        device=DeviceAnswer(**dataclasses.asdict(engine.device)),
        models=[describe(engine, entry) for entry in engine.registry.entries],
    )


@router.get("", responses=problem_responses(404))
async def show_model(request: Request, engine: EngineOf, model: str) -> ModelAnswer:
    """One version of a model: the one in the path, or the one that answers where none is named."""
    return describe(engine, engine.registry.entry(model, request.path_params.get("version")))


@router.get("/layers", responses=problem_responses(404, 503))
async def list_layers(model: ModelOf) -> LayersAnswer:
    """Every layer whose feature maps can be fetched, in order of execution."""
    return LayersAnswer(
        model=model.name, version=model.version, layers=[describe_layer(layer) for layer in model.layers]
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
    return LayerAnswer(
        index=layer.index,
        path=layer.path,
        aliases=list(layer.aliases),
        operator=layer.operator,
        shape=list(layer.shape) if layer.shape is not None else None,
        parameters=layer.parameters,
    )

"""What a model is: ready, its metadata, its configuration, its statistics."""

from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter, Request

from service.engine import Engine
from service.http.calls import EngineOf, ModelOf
from service.model import Model
from service.protocol import description

index = APIRouter(tags=["open inference protocol"])
router = APIRouter(tags=["open inference protocol"])


@router.get("")
async def show_metadata(request: Request, engine: EngineOf, model: ModelOf) -> dict[str, Any]:
    """The inputs and outputs of a model."""
    return description.metadata(model, versions=_versions(request, engine, model))


@index.get("/v2/models/stats")
async def show_all_statistics(engine: EngineOf) -> dict[str, Any]:
    """The statistics of every model that is ready."""
    return _statistics(engine, [entry.model for entry in engine.registry.entries if entry.model])


@router.get("/stats")
async def show_statistics(request: Request, engine: EngineOf, model: ModelOf) -> dict[str, Any]:
    """How often a model was asked, and where the time went: each version, or the one in the path."""
    if "version" in request.path_params:
        return _statistics(engine, [model])
    return _statistics(engine, [entry.model for entry in engine.registry.versions(model.name) if entry.model])


@router.get("/ready")
async def show_ready(model: ModelOf) -> dict[str, Any]:
    """Whether a model can be asked; 503 where it is known, and cannot."""
    return {"name": model.name, "ready": True}


@router.get("/config")
async def show_configuration(engine: EngineOf, model: ModelOf) -> dict[str, Any]:
    """The configuration of a model, as Triton has it."""
    return description.configuration(
        model, max_batch_size=engine.settings.max_images, instances=engine.threads if model.device.used == "cpu" else 1
    )


def _statistics(engine: Engine, models: Sequence[Model]) -> dict[str, Any]:
    return {"model_stats": [engine.statistics.of(model.name, model.version) for model in models]}


def _versions(request: Request, engine: Engine, model: Model) -> list[int]:
    """The versions that are ready; of a path that names one, that one."""
    if "version" in request.path_params:
        return [model.version]
    return [entry.folder.version for entry in engine.registry.versions(model.name) if entry.model]

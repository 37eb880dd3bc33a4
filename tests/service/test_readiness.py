"""Promises of service.readiness."""

from pathlib import Path

import pytest

from service.engine import open_engine
from service.readiness import why_not_ready
from service.registry import Registry
from service.settings import Settings
from tests import tiny_models


@pytest.fixture
def registry(repository: Path, settings: Settings) -> Registry:
    """One that has not begun to load `broken`, and `brightness`, whose version 2 is broken too."""
    tiny_models.publish(repository)
    (tiny_models.publish(repository, version=2) / "model.onnx").write_bytes(b"cut")
    (tiny_models.publish(repository, name="broken") / "model.onnx").write_bytes(b"cut")
    return open_engine(settings).registry


def test_nothing_is_ready_before_it_is_loaded(registry: Registry) -> None:
    """Whether or not a model is named."""
    assert why_not_ready(registry, []) == (
        "brightness version 1 loading, brightness version 2 loading, broken version 1 loading"
    )
    assert why_not_ready(registry, ["broken"]) == "broken version 1 loading"


def test_one_model_is_enough_where_none_is_named(registry: Registry) -> None:
    """A broken one takes nothing down."""
    registry.load_all()
    assert why_not_ready(registry, []) is None


def test_each_model_that_is_named_must_be_ready(registry: Registry) -> None:
    """In one version; what is missing is told."""
    registry.load_all()
    assert why_not_ready(registry, ["brightness"]) is None
    assert why_not_ready(registry, ["brightness", "broken", "absent"]) == (
        "broken version 1 failed, absent is required, and not in the repository"
    )
    registry.unload("brightness")
    assert why_not_ready(registry, ["brightness"]) == "brightness is required, and not in the repository"


def test_no_model_is_not_ready(settings: Settings) -> None:
    """There is nothing to ask."""
    registry = open_engine(settings).registry
    registry.load_all()
    assert why_not_ready(registry, []) == "there are no models in the repository"

"""Promises of service.registry."""

from pathlib import Path

import pytest

from service.engine import open_engine
from service.errors import ModelNotReadyError, UnknownModelError, UnknownVersionError
from service.registry import Registry
from service.settings import Settings
from tests import tiny_models


def loaded(settings: Settings) -> Registry:
    """A registry whose models are loaded, as far as they can be."""
    registry = open_engine(settings).registry
    registry.load_all()
    return registry


def test_no_models_are_not_ready(settings: Settings) -> None:
    """A service with nothing to ask is not ready."""
    assert not loaded(settings).ready


def test_a_model_is_not_ready_before_it_is_loaded(repository: Path, settings: Settings) -> None:
    """While models are loading they are listed, and refused with that reason."""
    tiny_models.publish(repository)
    registry = open_engine(settings).registry
    assert [entry.state for entry in registry.entries] == ["loading"]
    assert not registry.ready
    with pytest.raises(ModelNotReadyError, match="'brightness' version 1 is still loading"):
        registry.find("brightness")


def test_the_highest_version_answers(repository: Path, settings: Settings) -> None:
    """Where no version is named; each can be named."""
    for version in (1, 2, 10):
        tiny_models.publish(repository, version=version)
    registry = loaded(settings)
    assert registry.find("brightness").version == 10
    assert registry.find("brightness", "2").version == 2


def test_a_broken_version_leaves_the_one_before_it(repository: Path, settings: Settings) -> None:
    """The highest version that loads answers; the broken one says what is wrong."""
    tiny_models.publish(repository, version=1)
    broken = tiny_models.publish(repository, version=2) / "model.onnx"
    broken.write_bytes(broken.read_bytes()[:200])
    registry = loaded(settings)
    assert registry.ready
    assert registry.find("brightness").version == 1
    with pytest.raises(ModelNotReadyError, match="version 2 failed to load: model.onnx has 200 bytes"):
        registry.find("brightness", "2")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda folder: (folder / "model.onnx").unlink(), id="no model"),
        pytest.param(lambda folder: (folder / "model.onnx").write_bytes(b""), id="empty model"),
        pytest.param(lambda folder: (folder / "metadata.json").write_text("{"), id="broken metadata"),
        pytest.param(lambda folder: (folder / "metadata.json").write_bytes(b"\xff\xfe"), id="metadata no text"),
    ],
)
def test_a_broken_model_takes_nothing_down(repository: Path, settings: Settings, damage: object) -> None:
    """The others are served."""
    assert callable(damage)
    damage(tiny_models.publish(repository, name="broken"))
    tiny_models.publish(repository, name="good")
    registry = loaded(settings)
    assert {entry.folder.name: entry.state for entry in registry.entries} == {"broken": "failed", "good": "ready"}
    with pytest.raises(ModelNotReadyError, match="'broken' version 1 failed to load"):
        registry.find("broken")


def test_unknown_names_bring_the_nearest(repository: Path, settings: Settings) -> None:
    """For models and for versions."""
    tiny_models.publish(repository)
    registry = loaded(settings)
    with pytest.raises(UnknownModelError, match="no model 'brigthness'; the nearest: brightness"):
        registry.find("brigthness")
    for version in ("2", "01", "latest", ""):
        with pytest.raises(UnknownVersionError, match=f"no version '{version}'; the nearest: 1"):
            registry.find("brightness", version)


def test_one_model_is_loaded_alone(repository: Path, settings: Settings) -> None:
    """A command that needs one model does not wait for the others."""
    tiny_models.publish(repository, name="a")
    tiny_models.publish(repository, name="b")
    registry = open_engine(settings).registry
    assert registry.load("b").name == "b"
    assert [entry.state for entry in registry.entries] == ["loading", "ready"]

"""Promises of service.command_line.models."""

from pathlib import Path

from tests import tiny_models
from tests.service.command_line.conftest import Striate


def test_models_are_listed_with_their_state(striate: Striate, repository: Path) -> None:
    """A broken one with the reason, one from elsewhere as tensors."""
    tiny_models.publish(repository, name="good")
    tiny_models.publish(repository, name="plain", described=False)
    (tiny_models.publish(repository, name="broken") / "model.onnx").write_bytes(b"")
    rows = striate("models", "list", "--models", repository).out.splitlines()
    assert [row.split()[:3] for row in rows[1:]] == [
        ["broken", "1", "failed"],
        ["good", "1", "ready"],
        ["plain", "1", "ready"],
    ]
    assert "model.onnx has 0 bytes" in rows[1]
    assert "2x2 grey" in rows[2]
    assert "without metadata.json" in rows[3]


def test_an_empty_repository_says_so(striate: Striate, repository: Path) -> None:
    """Instead of an empty table alone."""
    assert f"there are no models in {repository}" in striate("models", "list", "--models", repository).out


def test_a_model_is_shown_with_its_layers(striate: Striate, repository: Path) -> None:
    """Facts, then a row for each layer."""
    tiny_models.publish(repository)
    found = striate("models", "show", "brightness", "--models", repository)
    assert "Tells dark, middle and bright pictures apart." in found.out
    assert found.out.splitlines()[-1].split() == ["3", "head", "Gemm", "3", "6"]


def test_a_model_from_elsewhere_is_shown_too(striate: Striate, repository: Path) -> None:
    """By its tensors."""
    tiny_models.publish(repository, described=False)
    found = striate("models", "show", "brightness", "--models", repository)
    assert "It has no metadata.json" in found.out
    assert "relu_out" in found.out


def test_an_unknown_model_is_one_line(striate: Striate, repository: Path) -> None:
    """With the nearest name."""
    tiny_models.publish(repository)
    found = striate("models", "show", "bright", "--models", repository)
    assert (found.status, found.err) == (1, "error: no model 'bright'; the nearest: brightness\n")


def test_the_layers_of_a_model_are_a_table(striate: Striate, repository: Path) -> None:
    """The one that `GET …/layers?format=text` gives."""
    tiny_models.publish(repository)
    rows = striate("models", "layers", "brightness", "--models", repository).out.splitlines()
    assert rows[1].split() == ["0", "conv", "Conv", "1x2x2", "1x1/1x1", "1x1", "step", "1x1", "2", "4", "57.1", "%"]
    assert len(rows) == 5

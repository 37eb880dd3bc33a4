"""Copies in other numbers: made, judged beside the original, served, verified."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Final

import numpy as np
import pytest
from PIL import Image
from typer.testing import CliRunner

from export import card, publishing
from export.command_line import app
from export.conversion import Converted
from export.errors import ArtifactError, DataError, DropError, ExportError
from export.publishing import Candidate
from export.verification import Parity
from service.engine import open_engine
from service.filters import filters
from service.metadata import ClassOutput, ImageInput, Source
from service.model import Model
from service.settings import Settings

MODELS: Final = Path(__file__).parents[2] / "models"
COMMANDS: Final = {"int8": "quantize", "fp16": "half"}
# Of the largest value of a layer.
TOLERANCE: Final = {"int8": 0.2, "fp16": 0.005}

Copy = Callable[..., Path]


def invoke(*arguments: str | Path) -> None:
    """Run a command; errors of ours come through as they are."""
    CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def models(tmp_path: Path) -> Path:
    """A folder of models with lenet5 in it."""
    folder = tmp_path / "models"
    shutil.copytree(MODELS / "lenet5", folder / "lenet5")
    return folder


@pytest.fixture
def photos(tmp_path: Path) -> Path:
    """Twelve pictures of bright boxes, each of another shape."""
    folder = tmp_path / "photos"
    folder.mkdir()
    for index in range(12):
        write_box(folder / f"{index:02}.png", width=2 + 2 * index, height=26 - 2 * index)
    return folder


def write_box(path: Path, *, width: int, height: int, level: int = 200) -> None:
    """A picture of 28x28 pixels with a box in its middle."""
    picture = np.zeros((28, 28), np.uint8)
    picture[14 - height // 2 : 14 + height // 2, 14 - width // 2 : 14 + width // 2] = level
    Image.fromarray(picture).save(path)


def load(folder: Path) -> Model:
    """A version as the service loads it."""
    engine = open_engine(Settings(models=folder.parents[1], device="cpu"))
    try:
        return engine.registry.load(folder.parent.name, folder.name)
    finally:
        engine.close()


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_copy_is_a_model_of_its_own_measured_beside_its_original(models: Path, dataset: Path, kind: str) -> None:
    """Its figures, the original's in the same run, sizes and times are in its metadata and on its card."""
    invoke(COMMANDS[kind], "lenet5", "--data", dataset, "--max-drop", "1", "--models", models)
    original = publishing.read(models / "lenet5" / "1").metadata
    folder = models / f"lenet5-{kind}" / "1"
    facts = publishing.read(folder).metadata
    assert facts.copy_of is not None
    assert (facts.copy_of.name, facts.copy_of.version, facts.copy_of.artifact) == ("lenet5", 1, original.artifact)
    assert facts.artifact.bytes < 0.6 * original.artifact.bytes
    assert facts.copy_of.gone == ()
    assert [entry.path for entry in facts.layers] == [entry.path for entry in original.layers]
    [before], [after] = facts.copy_of.before, facts.measured
    assert (before.metric, before.split, before.images) == (after.metric, after.split, after.images)
    assert (after.metric, after.split, after.images) == ("top-1 accuracy", "test", 40)
    assert after.source == f"`striate export {COMMANDS[kind]} lenet5 --max-drop 1.0`"
    assert all(speed.original > 0 < speed.copied for speed in facts.copy_of.speed)
    text = (folder / "README.md").read_text()
    assert text == card.text(card.read(folder))
    assert f"| model.onnx, bytes | {original.artifact.bytes:,} | {facts.artifact.bytes:,} (" in text
    assert "## Against lenet5, version 1" in text
    confusion = card.read_confusion((folder / card.CONFUSION).read_text())
    assert sum(map(sum, confusion.counts)) == 40
    assert sum(row[i] for i, row in enumerate(confusion.counts)) == round(40 * after.value)


@pytest.mark.parametrize("kind", COMMANDS)
def test_a_copy_is_served_like_its_original(models: Path, photos: Path, kind: str) -> None:
    """Classes, every layer, what the layers cost and their kernels: the same up to the rounding."""
    invoke(COMMANDS[kind], "lenet5", "--images", photos, "--max-drop", "1", "--models", models)
    original, copied = load(models / "lenet5" / "1"), load(models / f"lenet5-{kind}" / "1")
    # Among those that the ranges were taken from: boxes of other shapes would be cut off.
    pixels = np.stack([np.asarray(Image.open(path))[..., None] for path in sorted(photos.iterdir())[1::2]])
    np.testing.assert_allclose(copied.probabilities(pixels), original.probabilities(pixels), atol=0.25)
    maps = zip(
        original.feature_maps(pixels, list(original.layers)),
        copied.feature_maps(pixels, list(copied.layers)),
        strict=True,
    )
    for (right, found), layer in zip(maps, original.layers, strict=True):
        assert found.dtype == np.float32
        assert np.abs(found - right).max() <= TOLERANCE[kind] * np.abs(right).max(), layer.path
    for one, other in zip(original.layers, copied.layers, strict=True):
        assert (other.path, other.operator, other.shape) == (one.path, one.operator, one.shape)
        assert (other.parameters, other.window, other.receptive_field) == (
            one.parameters,
            one.window,
            one.receptive_field,
        )
        assert one.cost is not None
        assert other.cost is not None
        assert other.cost.cumulative == one.cost.cumulative
    assert copied.layers.multiply_adds == original.layers.multiply_adds
    for path in ("conv1", "fc3"):
        right = filters(original, original.layers.find(path)).values
        found = filters(copied, copied.layers.find(path)).values
        assert np.abs(found - right).max() <= 0.01 * np.abs(right).max()


def test_maps_of_an_int8_copy_are_those_that_it_computes_with(models: Path, photos: Path) -> None:
    """A map has at most 256 values; the logits are not rounded."""
    invoke("quantize", "lenet5", "--images", photos, "--max-drop", "1", "--models", models)
    copied = load(models / "lenet5-int8" / "1")
    pixels = np.random.default_rng(0).integers(0, 256, (40, 28, 28, 1), np.uint8)
    relu, logits = copied.feature_maps(pixels, copied.layers.find_all(["relu1", "fc3"]))
    assert len(np.unique(relu)) <= 256 < relu.size
    assert len(np.unique(logits)) > 256


def test_a_copy_is_verified_against_its_original(models: Path, photos: Path) -> None:
    """It fails where the original is another one, is gone, or where a layer is further off than it was."""
    invoke("quantize", "lenet5", "--images", photos, "--max-drop", "1", "--models", models)
    invoke("verify", "lenet5-int8", "--models", models)
    parity = models / "lenet5-int8" / "1" / card.PARITY
    rows = parity.read_text()
    parity.write_text("layer,shape,difference\nrelu2,16x10x10,0.0e+00\n")
    with pytest.raises(ExportError, match="1 of 1 failed"):
        invoke("verify", "lenet5-int8", "--models", models)
    parity.write_text(rows)
    shutil.rmtree(models / "lenet5")
    with pytest.raises(ExportError, match="1 of 1 failed"):
        invoke("verify", "lenet5-int8", "--models", models)


def test_layers_that_are_folded_into_others_are_told(
    converted: Converted, trap_input: ImageInput, trap_output: ClassOutput, photos: Path, tmp_path: Path
) -> None:
    """The convolution in front of a batch norm is gone from an int8 copy; a float16 copy has every layer."""
    folder = publishing.publish(candidate(converted, trap_input, trap_output), tmp_path)
    assert folder == tmp_path / "trap" / "1"
    for command in COMMANDS.values():
        invoke(command, "trap", "--images", photos, "--max-drop", "1", "--models", tmp_path)
    facts = {kind: publishing.read(tmp_path / f"trap-{kind}" / "1").metadata for kind in COMMANDS}
    gone = {kind: each.copy_of.gone for kind, each in facts.items() if each.copy_of is not None}
    assert gone == {"int8": ("conv1",), "fp16": ()}
    assert {entry.path for entry in facts["int8"].layers} == {entry.path for entry in converted.layers} - {"conv1"}
    text = (tmp_path / "trap-int8" / "1" / "README.md").read_text()
    assert "cannot be fetched any more:\n`conv1`.\n" in text
    assert "| top-1 agreement with the original, 6 images | 100 %, by definition | " in text


def candidate(converted: Converted, spec: ImageInput, output: ClassOutput) -> Candidate:
    """A small model that was never trained."""
    return Candidate(
        name="trap",
        summary="A small network.",
        converted=converted,
        input=spec,
        output=output,
        source=Source(
            architecture="trap",
            parameters=1300,
            paper="none",
            weights="random",
            license="Apache-2.0",
            dataset="nothing",
            command="none",
            recipe={},
            tools={},
        ),
        reported=(),
        measured=(),
        limits=(),
        parity=tuple(Parity(entry.path, (), 0.0) for entry in converted.layers),
        extras={},
    )


def test_a_copy_that_answers_worse_than_allowed_is_not_published(models: Path, photos: Path) -> None:
    """Ranges taken from black pictures cut everything off; the message says what bound would accept it."""
    for path in sorted(photos.iterdir())[1::2]:
        write_box(path, width=2, height=2, level=1)
    with pytest.raises(DropError, match=r"falls from 100.00 % to .* nothing was published. --max-drop 0\.\d\d would"):
        invoke("quantize", "lenet5", "--images", photos, "--models", models)
    assert [path.name for path in models.iterdir()] == ["lenet5"]


def test_what_cannot_be_copied_is_told(models: Path, photos: Path) -> None:
    """No such model, a copy, maps without classes, no test images."""
    invoke("half", "lenet5", "--images", photos, "--max-drop", "1", "--models", models)
    with pytest.raises(ArtifactError, match="holds no model lenet6; it holds lenet5"):
        invoke("quantize", "lenet6", "--images", photos, "--models", models)
    with pytest.raises(ArtifactError, match="is a copy itself; make this one from lenet5"):
        invoke("quantize", "lenet5-fp16", "--images", photos, "--models", models)
    shutil.copytree(MODELS / "filter-bank", models / "filter-bank")
    with pytest.raises(ArtifactError, match="filter-bank is no classifier"):
        invoke("quantize", "filter-bank", "--images", photos, "--models", models)
    shutil.copytree(MODELS / "efficientnet-lite0", models / "efficientnet-lite0")
    with pytest.raises(DataError, match="no test images of efficientnet-lite0 .* pass --images"):
        invoke("quantize", "efficientnet-lite0", "--models", models)


def test_photos_that_cannot_be_used_are_told(models: Path, photos: Path, tmp_path: Path) -> None:
    """No folder, too few, or files that are no images; each of those is named."""
    with pytest.raises(DataError, match="there is no folder nowhere"):
        invoke("quantize", "lenet5", "--images", "nowhere", "--models", models)
    few = tmp_path / "few"
    few.mkdir()
    write_box(few / "one.png", width=2, height=2)
    with pytest.raises(DataError, match="holds 1 photos; 10 or more are needed"):
        invoke("quantize", "lenet5", "--images", few, "--models", models)
    (photos / "notes.txt").write_text("no image")
    (photos / "03.png").write_bytes((photos / "03.png").read_bytes()[:40])
    with pytest.raises(DataError, match=r"2 files in .* are no images: 03.png: .*notes.txt: "):
        invoke("quantize", "lenet5", "--images", photos, "--models", models)

"""`striate export`, from the data set to a model that runs."""

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from typer.testing import CliRunner, Result

from export import card, publishing
from export.command_line import app
from export.errors import ArtifactError, DataError, ExportError, PublishError, RecipeError, VersionExistsError
from service import graph, runtime


def invoke(*arguments: str | Path) -> Result:
    """Run a command; errors of ours come through as they are."""
    return CliRunner().invoke(app, [str(argument) for argument in arguments], catch_exceptions=False)


@pytest.fixture
def trained(dataset: Path, tmp_path: Path) -> Path:
    """The folder of a model that was trained for a few steps."""
    models = tmp_path / "models"
    result = invoke(
        "train", "lenet5", "--data", dataset, "--epochs", "2", "--limit-batches", "2", "--seed", "3", "--models", models
    )
    assert result.exit_code == 0
    return models / "lenet5" / "1"


def test_training_a_few_steps_publishes_a_model_that_runs(trained: Path) -> None:
    """From pictures to ten logits, with a card that quotes the command and shows a curve."""
    published = publishing.read(trained)
    spec = published.metadata.input
    session = runtime.Session(graph.with_pixels(published.model, spec), device=runtime.open_device("cpu"), threads=1)
    answers = session.run({graph.PIXELS: np.zeros((3, 28, 28, 1), np.uint8)})
    assert answers["logits"].shape == (3, 10)
    assert {path.name for path in trained.iterdir()} == {
        "model.onnx",
        "metadata.json",
        "README.md",
        "parity.csv",
        "history.csv",
        "curve.png",
    }
    text = (trained / "README.md").read_text()
    assert "    striate export train lenet5 --epochs 2 --seed 3 --limit-batches 2\n" in text
    assert "![Loss and accuracy by epoch](curve.png)" in text
    assert text == card.text(card.read(trained))
    assert (trained / "curve.png").read_bytes().startswith(b"\x89PNG")


def test_the_metadata_says_how_it_was_trained_and_what_it_reached(trained: Path) -> None:
    """Hyper-parameters as they were, not as the recipe has them; the accuracy of the test images."""
    facts = publishing.read(trained).metadata
    assert facts.source.recipe is not None
    assert (facts.source.recipe["epochs"], facts.source.recipe["seed"]) == (2, 3)
    assert facts.source.parameters == 61_706
    [figure] = facts.measured
    assert (figure.metric, figure.split, figure.images) == ("top-1 accuracy", "test", 40)
    assert 0 <= figure.value <= 1


def test_a_published_model_is_verified_without_its_checkpoint(trained: Path) -> None:
    """The weights are read back from the ONNX file."""
    result = invoke("verify", "lenet5", "--models", trained.parents[1])
    assert result.exit_code == 0
    assert "12 layers agree" in result.output


def test_every_model_that_is_named_is_verified_and_the_failed_ones_are_listed(trained: Path) -> None:
    """One that is damaged does not keep the next one from being checked."""
    models = trained.parents[1]
    second = trained.with_name("2")
    second.mkdir()
    for path in trained.iterdir():
        (second / path.name).write_bytes(path.read_bytes().replace(b'"version": 1,', b'"version": 2,'))
    with (trained / "model.onnx").open("ab") as file:
        file.write(b"more")
    with pytest.raises(ExportError, match="1 of 2 failed: lenet5/1"):
        invoke("verify", "--all", "--models", models)
    assert invoke("verify", "lenet5/2", "--models", models).exit_code == 0


def test_weights_of_another_network_are_found_out(trained: Path) -> None:
    """The file must hold what the architecture that it names needs."""
    from export.stages import network_of  # noqa: PLC0415  (PyTorch takes seconds)

    published = publishing.read(trained)
    [weight] = [tensor for tensor in published.model.graph.initializer if tensor.name == "fc3.weight"]
    weight.CopyFrom(numpy_helper.from_array(np.zeros((10, 83), np.float32), "fc3.weight"))
    with pytest.raises(ArtifactError, match="weights of other shapes"):
        network_of(published)
    published.model.graph.initializer.remove(weight)
    with pytest.raises(ArtifactError, match=r"lacks weights of the network: fc3\.weight"):
        network_of(published)


@pytest.fixture
def untrained(tmp_path: Path) -> Path:
    """The folder of a model with random weights."""
    models = tmp_path / "models"
    assert invoke("random", "lenet5", "--seed", "3", "--models", models).exit_code == 0
    return models / "lenet5-random" / "1"


def test_a_random_network_is_published_as_what_it_is(untrained: Path) -> None:
    """Metadata and card leave no doubt that it was never trained."""
    facts = publishing.read(untrained).metadata
    assert facts.summary == "LeNet-5 with random weights: its answers mean nothing."
    assert facts.output.labels is None
    assert (facts.source.weights, facts.source.dataset) == ("random numbers, drawn with seed 3", "nothing")
    assert facts.source.recipe == {"seed": 3}
    assert (facts.reported, facts.measured) == ((), ())
    text = (untrained / "README.md").read_text()
    assert "    striate export random lenet5 --seed 3\n" in text
    assert "`logits`: float32 (batch, 10), logits. The classes have no names." in text
    assert text == card.text(card.read(untrained))


def test_a_random_network_is_verified_like_the_others(untrained: Path) -> None:
    """Its weights are read back from the ONNX file."""
    assert invoke("verify", "lenet5-random", "--models", untrained.parents[1]).exit_code == 0


def test_a_random_network_can_have_a_name_and_a_version(tmp_path: Path) -> None:
    """Both are in the metadata, and the name in the command that makes it again."""
    arguments = ("random", "lenet5", "--name", "noise", "--version", "7", "--models", tmp_path)
    invoke(*arguments)
    facts = publishing.read(tmp_path / "noise" / "7").metadata
    assert (facts.name, facts.version) == ("noise", 7)
    assert facts.source.command == "striate export random lenet5 --name noise"
    with pytest.raises(VersionExistsError):
        invoke(*arguments)
    assert invoke(*arguments, "--replace").exit_code == 0


def test_a_name_that_is_no_folder_is_refused_at_once(tmp_path: Path) -> None:
    """Nothing is written beside the folder of all models."""
    with pytest.raises(PublishError, match=r"cannot be called '\.\./noise'; accepted are letters"):
        invoke("random", "lenet5", "--name", "../noise", "--models", tmp_path / "models")
    assert list(tmp_path.iterdir()) == []


def test_a_version_that_is_there_is_refused_before_training(trained: Path) -> None:
    """Nobody waits for ten minutes to be told; not even the data set is looked for."""
    with pytest.raises(VersionExistsError):
        invoke("train", "lenet5", "--data", "nowhere", "--version", "1", "--models", trained.parents[1])


def test_a_missing_data_set_is_told_before_training(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(DataError, match="there is no folder nowhere"):
        invoke("train", "lenet5", "--data", "nowhere", "--models", tmp_path)


@pytest.mark.parametrize("command", [("train", "lenet4"), ("pretrained", "efficientnet"), ("random", "resnet")])
def test_an_unknown_name_is_answered_with_the_known_ones(command: tuple[str, str]) -> None:
    """The message lists what there is."""
    with pytest.raises(RecipeError, match="there are: "):
        invoke(*command)


def test_verify_says_what_it_wants(tmp_path: Path) -> None:
    """No name, or one that is not there."""
    with pytest.raises(ExportError, match="name models to verify"):
        invoke("verify", "--models", tmp_path)
    with pytest.raises(ExportError, match=r"holds no model vgg; it holds nothing"):
        invoke("verify", "vgg", "--models", tmp_path)


@pytest.mark.parametrize("command", ["train", "pretrained", "random", "verify"])
def test_every_help_has_an_example(command: str) -> None:
    """`--help` teaches."""
    assert f"striate export {command}" in invoke(command, "--help").output


def test_without_pytorch_the_commands_are_there_and_say_what_to_install() -> None:
    """Importing the commands does not import PyTorch; running one without it names the extra."""
    program = (
        "import sys; from export.command_line import app; assert 'torch' not in sys.modules; "
        "sys.modules['torch'] = None; app(['train', 'lenet5'], standalone_mode=False)"
    )
    result = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=False)
    assert result.returncode == 1
    assert "ToolsError: exporting needs torch: pip install 'striate[export]'" in result.stderr

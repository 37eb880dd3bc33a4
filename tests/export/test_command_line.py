"""`striate export`, from the data set to a model that runs."""

import hashlib
import importlib
import shutil
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from onnx import numpy_helper
from PIL import Image
from typer.testing import CliRunner, Result

from export import card, publishing
from export.command_line import app
from export.errors import (
    ArtifactError,
    CheckpointError,
    DataError,
    ExportError,
    PublishError,
    RecipeError,
    SpaceError,
    VersionExistsError,
)
from service import graph, runtime
from service.errors import ParameterError
from service.metadata import Artifact


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
        "confusion.csv",
        "confusion.png",
        "filters.png",
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
        invoke("verify", "lenet5", "--models", models)
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


def test_a_network_with_written_weights_is_published_and_verified(tmp_path: Path) -> None:
    """Its card says what the output is, and shows no class and no training; one changed weight is found out."""
    assert invoke("fixed", "filter-bank", "--models", tmp_path).exit_code == 0
    folder = tmp_path / "filter-bank" / "1"
    facts = publishing.read(folder).metadata
    assert (facts.source.weights, facts.source.recipe) == ("written down in the program", None)
    text = (folder / "README.md").read_text()
    assert "    striate export fixed filter-bank\n" in text
    assert "`filters`: float32 (batch, 6, 278, 318), maps.\n" in text
    assert "## Training" not in text
    assert invoke("verify", "filter-bank", "--models", tmp_path).exit_code == 0
    model = publishing.read(folder).model
    [weight] = [tensor for tensor in model.graph.initializer if tensor.name == "sobel_x.weight"]
    weight.CopyFrom(numpy_helper.from_array(np.ones((1, 1, 3, 3), np.float32), weight.name))
    data = model.SerializeToString()
    (folder / "model.onnx").write_bytes(data)
    artifact = Artifact(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data))
    (folder / "metadata.json").write_text(facts.model_copy(update={"artifact": artifact}).to_json())
    with pytest.raises(ExportError, match="1 of 1 failed: filter-bank/1"):
        invoke("verify", "filter-bank", "--models", tmp_path)


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


def test_a_disk_without_room_for_the_model_is_told_before_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Not even the data set is looked for: 61,706 weights have four bytes each."""
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda _: usage._replace(free=200_000))
    with pytest.raises(SpaceError, match=r"the weights of the model take 0\.2 MB, and .* has 0\.2 MB free"):
        invoke("train", "lenet5", "--data", "nowhere", "--models", str(tmp_path / "models"))


def test_a_missing_data_set_is_told_before_training(tmp_path: Path) -> None:
    """The message names the folder."""
    with pytest.raises(DataError, match="there is no folder nowhere"):
        invoke("train", "lenet5", "--data", "nowhere", "--models", tmp_path)


@pytest.mark.parametrize(
    "command", [("train", "lenet4"), ("pretrained", "efficientnet"), ("fixed", "filters"), ("random", "resnet")]
)
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


@pytest.mark.parametrize(
    "command", ["module", "train", "pretrained", "fixed", "random", "verify", "quantize", "half", "card"]
)
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


@pytest.fixture
def colours(tmp_path: Path) -> Path:
    """A folder of red and of blue pictures, eight of each."""
    root = tmp_path / "my colours"
    for name, color in (("red", (200, 20, 0)), ("blue", (0, 20, 200))):
        (root / name).mkdir(parents=True)
        for i in range(8):
            Image.new("RGB", (20, 16), color).save(root / name / f"{i}.png")
    return root


def test_a_folder_of_images_becomes_a_model_that_knows_them(colours: Path, tmp_path: Path) -> None:
    """Named after the folder, with the folders' names as labels; it is verified like the others."""
    models = tmp_path / "models"
    options = ("--size", "16", "--epochs", "6", "--batch-size", "4", "--models", models)
    assert invoke("train", "--data", colours, *options).exit_code == 0
    published = publishing.read(models / "my-colours" / "1")
    facts = published.metadata
    assert facts.output.labels == ("blue", "red")
    assert facts.summary == "resnet20, trained on images of one's own: blue, red."
    assert facts.source.command == "striate export train --data my colours --size 16 --epochs 6 --batch-size 4"
    assert (facts.source.dataset, facts.source.license) == ("my colours: 16 images in 2 classes", "NOASSERTION")
    assert [figure.value for figure in facts.measured] == [1.0]
    assert invoke("verify", "my-colours", "--models", models).exit_code == 0


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((), "name a recipe .* or pass --data with a folder that holds a folder of images for each class"),
        (("lenet5", "--size", "32"), "the recipe lenet5 decides what --size would"),
        (("--data", "x", "--architecture", "lenet6"), "no architecture is called 'lenet6'"),
        (("--data", "x", "--architecture", "lenet5", "--pretrained"), "no trained weights of lenet5 to start from"),
        (("--data", "x", "--architecture", "efficientnet_lite0", "--pretrained", "--size", "64"), "decide what --size"),
    ],
    ids=["nothing", "recipe and size", "unknown", "no weights", "weights and size"],
)
def test_options_that_do_not_go_together_are_told(arguments: tuple[str, ...], message: str) -> None:
    """Before anything is read."""
    with pytest.raises(RecipeError, match=message):
        invoke("train", *arguments)


@pytest.fixture
def own_module(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A working directory with a module and its weights."""
    import torch  # noqa: PLC0415  (PyTorch takes seconds)

    monkeypatch.chdir(tmp_path)
    monkeypatch.syspath_prepend(tmp_path)
    (tmp_path / "own_net.py").write_text(
        "from torch import nn\n\n\n"
        "def build():\n"
        "    return nn.Sequential(nn.Conv2d(1, 2, 3), nn.Flatten(), nn.Linear(72, 3))\n"
    )
    importlib.invalidate_caches()
    network = importlib.import_module("own_net").build()
    torch.save({"state_dict": {f"model.{k}": v for k, v in network.state_dict().items()}}, tmp_path / "own.ckpt")
    (tmp_path / "classes.txt").write_text("a\nb\nc\n")
    return tmp_path


def test_a_module_of_ones_own_becomes_a_model(own_module: Path) -> None:
    """With its weights, however a checkpoint calls them; it is verified by its Python path."""
    flags = ("--size", "8", "--mean", "0.5", "--std", "1/4", "--labels", "classes.txt", "--name", "mine")
    invoke("module", "own_net:build", "--checkpoint", "own.ckpt", *flags)
    facts = publishing.read(own_module / "models" / "mine" / "1").metadata
    assert (facts.source.architecture, facts.source.parameters) == ("own_net:build", 239)
    assert (facts.input.color, facts.input.mean, facts.input.std) == ("grey", (0.5,), (0.25,))
    assert facts.output.labels == ("a", "b", "c")
    assert facts.source.command == (
        "striate export module own_net:build --checkpoint own.ckpt --size 8 --mean 0.5 --std 1/4 "
        "--labels classes.txt --name mine"
    )
    assert invoke("verify", "mine").exit_code == 0


@pytest.mark.usefixtures("own_module")
@pytest.mark.parametrize(
    ("changes", "error", "message"),
    [
        ({"--size": "8x"}, ParameterError, "--size is '8x'; accepted: 64, or height x width"),
        ({"--mean": "much"}, ParameterError, "--mean is 'much'; accepted: numbers"),
        ({"--std": "0.5,0.5"}, ParameterError, "the input cannot be like this: .*std has 2 values"),
        ({"--checkpoint": "gone.pt"}, CheckpointError, r"gone\.pt cannot be read: No such file"),
        ({"--checkpoint": "classes.txt"}, CheckpointError, r"classes\.txt is damaged, or holds more than weights"),
        ({"--size": "9"}, RecipeError, r"does not take images \(1, 9, 9\)"),
    ],
    ids=["size", "mean", "std", "no checkpoint", "no weights", "another size"],
)
def test_a_module_that_cannot_be_taken_is_told(changes: dict[str, str], error: type[Exception], message: str) -> None:
    """Before anything is converted."""
    flags = {"--checkpoint": "own.ckpt", "--size": "8", "--mean": "0.5", "--std": "0.25"} | changes
    with pytest.raises(error, match=message):
        invoke("module", "own_net:build", *(word for flag in flags.items() for word in flag))


def test_a_checkpoint_of_another_network_is_told_with_what_differs(own_module: Path) -> None:
    """The names and shapes."""
    import torch  # noqa: PLC0415  (PyTorch takes seconds)

    torch.save({"0.weight": torch.zeros(2, 1, 5, 5), "1.bias": torch.zeros(2)}, own_module / "own.ckpt")
    flags = ("--checkpoint", "own.ckpt", "--size", "8", "--mean", "0.5", "--std", "0.25")
    with pytest.raises(CheckpointError, match=r"is of another network: .*0\.bias.*1\.bias.*0\.weight"):
        invoke("module", "own_net:build", *flags)

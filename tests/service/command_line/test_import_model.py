"""Promises of service.command_line.import_model."""

import json
from pathlib import Path

import onnx
import pytest
from onnx import ModelProto, helper

from service import metadata
from tests import images, tiny_models
from tests.service.command_line.conftest import Striate

# What no file tells.
PREPROCESSING = (
    *("--crop-fraction", "1", "--interpolation", "nearest", "--rescale-factor", "1/255"),
    *("--mean", "0", "--std", "1"),
)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    """`brightness` as somebody else would send it."""
    return save(tmp_path / "net.onnx", tiny_models.brightness())


def save(path: Path, model: ModelProto) -> Path:
    """Write a model."""
    onnx.save_model(model, path)
    return path


def ending_in(operator: str) -> ModelProto:
    """`brightness` with one more operator at the end."""
    model = tiny_models.brightness()
    model.graph.node.append(helper.make_node(operator, ["logits"], ["scores"]))
    model.graph.output[0].name = "scores"
    return model


def test_an_imported_file_classifies(striate: Striate, repository: Path, file: Path, tmp_path: Path) -> None:
    """With the labels of a file; and it names its layers."""
    labels = tmp_path / "classes.txt"
    labels.write_text("dark\nmiddle\nbright\n")
    photo = tmp_path / "white.png"
    photo.write_bytes(images.plain(255))
    done = striate(
        *("models", "import", file, "--models", repository, *PREPROCESSING),
        *("--output-values", "logits", "--labels", labels),
    )
    assert done.status == 0
    assert f"written to {repository / 'net' / '1'}" in done.out
    assert "bright" in striate("classify", photo, "--model", "net", "--top-k", "1", "--models", repository).out
    facts = metadata.read(repository / "net" / "1" / "metadata.json")
    assert (facts.input.height, facts.input.width, facts.input.color, facts.input.layout) == (2, 2, "grey", "nchw")
    assert [(entry.path, entry.aliases) for entry in facts.layers][:2] == [
        ("conv_out", ("convolution",)),
        ("relu_out", ("detector",)),
    ]
    assert (facts.source.parameters, facts.source.license) == (8, "unknown")


def test_everything_that_is_missing_is_named_at_once(striate: Striate, repository: Path, file: Path) -> None:
    """What was read is shown; nothing is written."""
    refused = striate("models", "import", file, "--models", repository)
    assert refused.status == 1
    for flag in ("crop-fraction", "interpolation", "rescale-factor", "mean", "std", "output-values"):
        assert f"--{flag} (" in refused.err
    for flag in ("height", "width", "color", "input", "output "):
        assert f"--{flag} (" not in refused.err
    rows = {tuple(line.split()) for line in refused.out.splitlines()}
    assert ("height", "2", "read", "from", "the", "file") in rows
    assert ("output", "logits", "read", "from", "the", "file") in rows
    assert ("classes", "3", "read", "from", "the", "file") in rows
    assert list(repository.iterdir()) == []


@pytest.mark.parametrize(
    ("operator", "values"), [("Softmax", "probabilities"), ("Sigmoid", "sigmoid"), ("LogSoftmax", "logits")]
)
def test_the_last_operator_tells_what_the_values_are(
    striate: Striate, repository: Path, tmp_path: Path, operator: str, values: str
) -> None:
    """So that they need not be given."""
    file = save(tmp_path / "net.onnx", ending_in(operator))
    assert striate("models", "import", file, "--models", repository, *PREPROCESSING).status == 0
    output = metadata.read(repository / "net" / "1" / "metadata.json").output
    assert (output.name, output.values, output.labels) == ("scores", values, None)


def test_maps_at_the_end_are_no_classes(striate: Striate, repository: Path, tmp_path: Path) -> None:
    """The model is served for its feature maps."""
    model = tiny_models.brightness()
    del model.graph.node[2:], model.graph.output[:]
    model.graph.output.append(helper.make_tensor_value_info("relu_out", 1, ["batch", 1, 2, 2]))
    file = save(tmp_path / "net.onnx", model)
    assert striate("models", "import", file, "--models", repository, *PREPROCESSING).status == 0
    assert metadata.read(repository / "net" / "1" / "metadata.json").output.values == "none"
    assert "net" in striate("models", "list", "--models", repository).out


def test_a_version_is_never_overwritten(striate: Striate, repository: Path, file: Path) -> None:
    """The next one is taken; naming one that is there is an error."""
    command = ("models", "import", file, "--models", repository, *PREPROCESSING, "--output-values", "logits")
    assert [striate(*command).status for _ in range(2)] == [0, 0]
    refused = striate(*command, "--version", "2")
    assert refused.status == 1
    assert "is there already" in refused.err
    assert sorted(path.name for path in (repository / "net").iterdir()) == ["1", "2"]


def test_a_dry_run_writes_nothing(striate: Striate, repository: Path, file: Path) -> None:
    """It shows what would be written."""
    done = striate(
        *("models", "import", file, "--models", repository, *PREPROCESSING, "--output-values", "logits", "--dry-run")
    )
    assert (done.status, list(repository.iterdir())) == (0, [])


@pytest.mark.parametrize(
    ("flags", "message"),
    [
        pytest.param(["--mean", "0,0"], "mean has 2 values; color 'grey' has 1 channels", id="channels"),
        pytest.param(["--mean", "grey"], "--mean is 'grey'; accepted: numbers", id="no number"),
        pytest.param(["--rescale-factor", "1,2"], "accepted: one number, as 1/255", id="several"),
        pytest.param(
            ["--size", "3"], "has shape (None, 1, 2, 2); metadata.json says (N, *(1, 3, 3))", id="another size"
        ),
        pytest.param(["--input", "pictures"], "the file has no input 'pictures'; it has: 'images'", id="no input"),
        pytest.param(["--name", "a/b"], "the name is 'a/b'", id="name"),
        pytest.param(["--crop-fraction", "2"], "crop_fraction: Input should be less than or equal to 1", id="range"),
    ],
)
def test_what_does_not_fit_is_refused(
    striate: Striate, repository: Path, file: Path, flags: list[str], message: str
) -> None:
    """The error says what would be accepted, and nothing is written."""
    refused = striate(
        *("models", "import", file, "--models", repository, *PREPROCESSING, "--output-values", "logits", *flags)
    )
    assert refused.status == 1
    assert message in refused.err
    assert list(repository.iterdir()) == []


def test_labels_must_be_as_many_as_the_classes(striate: Striate, repository: Path, file: Path, tmp_path: Path) -> None:
    """Also those of a JSON object from number to name."""
    labels = tmp_path / "classes.json"
    command = ("models", "import", file, "--models", repository, *PREPROCESSING, "--output-values", "logits")
    labels.write_text(json.dumps({"0": "dark", "1": "bright"}))
    assert "2 labels; model.onnx has 3 classes" in striate(*command, "--labels", labels).err
    labels.write_text(json.dumps(["dark", "middle", "bright"]))
    assert striate(*command, "--labels", labels).status == 0

"""Every version in `models/` is what its metadata and its card say."""

import io
import os
import re
from collections import Counter
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from onnx import ModelProto, TensorProto
from PIL import Image

from export import card, card_pictures, data, layers, publishing
from export.architectures import ARCHITECTURES, parameters
from export.labels import LABELS
from export.measurement import accuracy
from export.publishing import Published
from export.recipes import DATASETS, FIXED, PRETRAINED, RECIPES
from export.stages import network_of
from service import graph, metadata
from service.graph import dimensions

MODELS: Final = Path(__file__).parents[2] / "models"
VERSIONS: Final = sorted(path.parent for path in MODELS.glob("*/*/metadata.json"))
COPIES: Final = [folder for folder in VERSIONS if metadata.read(folder / metadata.FILE_NAME).copy_of is not None]
LEAST_ACCURACY: Final = {"lenet5": 0.905, "resnet20-fashion": 0.935, "resnet20-fashion-int8": 0.93}
FASHION_MNIST: Final = Path("/usr/share/datasets/fashion-mnist")

# What a path of a machine looks like, in text and within the bytes of a model.
_MACHINE: Final = re.compile(rb"/(?:work|home|root|tmp|Users|opt|srv|mnt)/|site-packages|[A-Z]:\\|\.py\b")


@pytest.fixture(params=VERSIONS, ids=lambda folder: f"{folder.parent.name}/{folder.name}")
def published(request: pytest.FixtureRequest) -> Published:
    """One version; its schema, checksum, size, name and number are checked when it is read."""
    folder: Path = request.param
    return publishing.read(folder)


def test_the_shipped_models_are_there() -> None:
    """A photo classifier, one that was trained here, and one that needs no training."""
    names = {folder.parent.name for folder in VERSIONS if folder not in COPIES}
    assert names >= {"efficientnet-lite0", "lenet5", "filter-bank"}
    assert {folder.parent.name for folder in COPIES} >= {"resnet20-fashion-int8"}
    assert names <= PRETRAINED.keys() | RECIPES.keys() | FIXED.keys()


def test_the_model_is_one_that_any_runtime_reads(published: Published) -> None:
    """Opset 18, IR 10, one file, `images` to `logits` or maps in float32, with a free batch axis."""
    model = published.model
    assert [(opset.domain, opset.version) for opset in model.opset_import] == [("", 18)]
    assert model.ir_version == 10
    spec = published.metadata.input
    [images], [output] = graph.inputs(model), model.graph.output
    any_size = ARCHITECTURES[published.metadata.source.architecture].any_size
    size = (None, None) if any_size else (spec.height, spec.width)
    assert dimensions(images) == (None, spec.channels, *size)
    expected = ARCHITECTURES[published.metadata.source.architecture].output.name
    assert (images.name, output.name) == (spec.name, published.metadata.output.name) == ("images", expected)
    for value in (images, output):
        assert value.type.tensor_type.elem_type == TensorProto.FLOAT
        assert value.type.tensor_type.shape.dim[0].dim_param == "batch"


def test_there_is_one_label_for_each_class(published: Published) -> None:
    """As many as the output has, in the words of the data set; networks whose output are maps have none."""
    labels = published.metadata.output.labels
    if published.metadata.output.values == "none":
        assert labels is None
        return
    [output] = published.model.graph.output
    assert labels is not None
    assert dimensions(output) == (None, len(labels))
    [dataset] = [key for key, text in DATASETS.items() if text == published.metadata.source.dataset]
    assert labels == LABELS[dataset]()


def test_the_parameters_are_as_many_as_stated(published: Published) -> None:
    """Counted in the network, and in the file: weights without the running statistics of batch norms."""
    stated = published.metadata.source.parameters
    network = ARCHITECTURES[published.metadata.source.architecture].build()
    trained = {name for name, _ in network.named_parameters()}
    in_the_file = (tensor for tensor in published.model.graph.initializer if tensor.name in trained)
    assert parameters(network) == stated
    if published.folder in COPIES:
        return  # its weights have other names, and are counted by the service's layer table in `test_copies.py`
    assert sum(int(np.prod(tensor.dims)) for tensor in in_the_file) == stated


def test_every_layer_is_in_the_graph_in_order_and_under_names_of_its_own(published: Published) -> None:
    """Each tensor is computed, each name is used once, and the order is that of execution."""
    table = published.metadata.layers
    computed = [name for node in graph.computed(published.model) for name in node.output]
    positions = [computed.index(entry.tensor) for entry in table]
    assert positions == sorted(set(positions))
    names = Counter(name for entry in table for name in (entry.path, *entry.aliases))
    assert set(names.values()) == {1}


def test_every_module_of_the_network_is_a_layer(published: Published) -> None:
    """What PyTorch calls can be fetched; a copy tells which of its original's layers are gone."""
    if (copy := published.metadata.copy_of) is not None:
        original = publishing.read(MODELS / copy.name / str(copy.version)).metadata
        kept = {entry.path for entry in published.metadata.layers}
        assert kept.isdisjoint(copy.gone)
        assert kept | set(copy.gone) == {entry.path for entry in original.layers}
        return
    spec = published.metadata.input
    images = torch.zeros(1, spec.channels, spec.height, spec.width)
    _, outputs = layers.run(network_of(published), images)
    table = {name for entry in published.metadata.layers for name in (entry.path, *entry.aliases)}
    assert outputs.keys() == table


def test_the_card_is_the_one_that_its_files_give(published: Published) -> None:
    """Nobody wrote into it by hand."""
    assert (published.folder / "README.md").read_text() == card.text(card.read(published.folder))


def test_pictures_are_drawn_from_what_is_stored(published: Published) -> None:
    """Drawn again, they are the same but for the edges of letters, where fonts are drawn by another machine."""
    counts = published.folder / card.CONFUSION
    confusion = card.read_confusion(counts.read_text()) if counts.exists() else None
    drawn = card_pictures.draw(published.model, published.metadata, confusion)
    there = {card.FILTERS_PICTURE, card.CONFUSION_PICTURE} & {path.name for path in published.folder.iterdir()}
    assert drawn.keys() == there
    for name, picture in drawn.items():
        again, stored = (np.asarray(Image.open(file)) for file in (io.BytesIO(picture), published.folder / name))
        assert again.shape == stored.shape
        assert np.mean(again != stored) < 0.01, name


def test_a_count_by_class_adds_up_to_the_accuracy(published: Published) -> None:
    """The figure that was measured is the part of the images on the diagonal."""
    counts = published.folder / card.CONFUSION
    if counts.exists():
        confusion = card.read_confusion(counts.read_text())
        right = sum(row[i] for i, row in enumerate(confusion.counts))
        [figure] = published.metadata.measured
        assert confusion.labels == published.metadata.output.labels
        assert figure.images == sum(map(sum, confusion.counts))
        assert figure.value == pytest.approx(right / figure.images)


def test_no_file_tells_of_the_machine_that_made_it(published: Published) -> None:
    """No path of it in any text, nor in any name within the model."""
    texts = [path for path in published.folder.iterdir() if path.suffix not in {".onnx", ".png"}]
    found = {path.name: _MACHINE.findall(path.read_bytes()) for path in texts}
    found["model.onnx"] = _MACHINE.findall(_without_weights(published.model))
    assert not any(found.values()), found


def test_work_of_others_comes_with_its_licence(published: Published) -> None:
    """Weights that were trained elsewhere have the licence text and whose work they are beside them."""
    if published.metadata.name in PRETRAINED:
        assert "Apache License" in (published.folder / "LICENSE").read_text()
        assert "Copyright" in (published.folder / "NOTICE").read_text()


def test_a_trained_model_shows_its_curve(published: Published) -> None:
    """History and picture are there where there was a recipe, and only there."""
    trained = published.metadata.source.recipe is not None and published.folder not in COPIES
    assert (published.folder / card.HISTORY).exists() == (published.folder / card.CURVE).exists() == trained


def test_the_accuracies_are_as_stated() -> None:
    """Measured again on the 10,000 test images, through the graph that is served; at least what each must have."""
    if not FASHION_MNIST.is_dir():
        reason = f"Debian's package dataset-fashion-mnist is not installed ({FASHION_MNIST})"
        assert os.environ.get("CI") != "true", reason
        pytest.skip(reason)
    images = data.test_images(FASHION_MNIST, "fashion-mnist")
    for folder in (folder for folder in VERSIONS if folder.parent.name in LEAST_ACCURACY):
        version = publishing.read(folder)
        facts = version.metadata
        [figure] = facts.measured
        pixels = images.pixels.numpy()
        found = accuracy(version.model, facts.input, facts.output.name, pixels=pixels, labels=images.labels.numpy())
        assert figure.images == len(images) == 10_000
        # Another processor adds up in another order: an image or two on the fence may fall to the other side, and a few
        # more where sums are rounded to 256 levels.
        assert found == pytest.approx(figure.value, abs=0.003 if folder in COPIES else 0.0003)
        assert found >= LEAST_ACCURACY[folder.parent.name]


def _without_weights(model: ModelProto) -> bytes:
    """The bytes of a model without its numbers, which could look like anything."""
    copy = ModelProto()
    copy.CopyFrom(model)
    for tensor in copy.graph.initializer:
        tensor.ClearField("raw_data")
        tensor.ClearField("float_data")
    return bytes(copy.SerializeToString())

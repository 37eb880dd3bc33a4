"""The feature maps that are served, against PyTorch: every layer of the shipped networks and of those of the texts.

The maps take the way of a request: photos are decoded, and the graph cut at the layers normalises and computes.
PyTorch's come from forward hooks, on pixels that are normalised here.
"""

import shutil
from collections.abc import Iterator, Mapping
from contextlib import AbstractContextManager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
import pytest
import torch
from numpy.typing import NDArray

from export import layers, publishing, stages
from export.recipes import UNTRAINED
from export.stages import Destination
from export.verification import TOLERANCE, relative_difference
from service import metadata
from service.engine import open_engine
from service.image import decode_all
from service.metadata import ImageInput
from service.model import Model
from service.settings import Settings
from tests.conftest import PHOTOS

MODELS: Final = Path(__file__).parents[2] / "models"
# A copy in other numbers has no twin in PyTorch; `tests/export/test_copies.py` compares one with its original.
SHIPPED: Final = sorted(path.parent for path in MODELS.glob("*/*/metadata.json") if metadata.read(path).copy_of is None)
# One of each family of the texts; `striate export verify --all` proves the others too.
RANDOM: Final = (
    *("lenet5_1998", "alexnet", "vgg16", "googlenet", "resnet50", "densenet121"),
    *("all_conv", "fixed_cnn", "variable_cnn", "fully_conv_cnn"),
)

# Of a network with random weights so many layers are fetched alone, the first and the last among them.
SAMPLE: Final = 12
# Hardly any: each session of VGG-16 takes half a gigabyte.
CACHE_BYTES: Final = 1

Maps = Mapping[str, NDArray[np.float32]]


@dataclass(frozen=True)
class Served:
    """A loaded model, and both sides of the comparison.

    Args:
        model: As the service loads it.
        pixels: Two photos, decoded.
        maps: Every layer by its path, all from one run of the whole graph.
        expected: What PyTorch's hooks give, by each name of a module call.
    """

    model: Model
    pixels: NDArray[np.uint8]
    maps: Maps
    expected: Maps


@pytest.fixture(
    scope="module", params=[*SHIPPED, *RANDOM], ids=lambda param: param if isinstance(param, str) else param.parent.name
)
def served(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Served]:
    """One network after the other: published, loaded, and run by both."""
    if isinstance(request.param, Path):
        yield serve(request.param)
        return
    models = tmp_path_factory.mktemp("models")
    yield serve(random(request.param, models))
    shutil.rmtree(models)


def random(architecture: str, models: Path) -> Path:
    """Publish a network with random weights."""
    made_from = UNTRAINED[architecture]
    return stages.random(
        made_from, Destination(models), name=made_from.name, seed=1, command="a test", step=silent_step
    )


def silent_step(what: str) -> AbstractContextManager[object]:
    """Tells nobody."""
    del what
    return nullcontext()


def serve(folder: Path) -> Served:
    """Load a version as the service does, and compute every layer on both sides."""
    settings = Settings(models=folder.parents[1], device="cpu", session_cache_bytes=CACHE_BYTES)
    engine = open_engine(settings)
    try:
        model = engine.registry.load(folder.parent.name, folder.name)
    finally:
        engine.close()
    photos = [(PHOTOS / name).read_bytes() for name in ("chelsea.jpg", "coffee.jpg")]
    pixels = decode_all(photos, model.image_input, max_pixels=settings.max_pixels)
    paths = [layer.path for layer in model.layers]
    maps = dict(zip(paths, model.feature_maps(pixels, list(model.layers)), strict=True))
    network = stages.network_of(publishing.read(folder))
    images = torch.from_numpy(normalised(pixels, model.image_input))
    _, expected = layers.run(network, images)
    # A module in front that does nothing, as a dropout, has no map of its own.
    own = {name: value.numpy() for name, value in expected.items() if not torch.equal(value, images)}
    return Served(model, pixels, maps, own)


def normalised(pixels: NDArray[np.uint8], spec: ImageInput) -> NDArray[np.float32]:
    """(N, height, width, C) bytes to (N, C, height, width), by the formula of the metadata, in double precision."""
    values = (pixels.astype(np.float64) * spec.rescale_factor - np.array(spec.mean)) / np.array(spec.std)
    return np.ascontiguousarray(values.transpose(0, 3, 1, 2), dtype=np.float32)


def test_every_served_map_is_what_pytorch_computes(served: Served) -> None:
    """Under each of its names, within 1e-4 of the largest value of the layer."""
    names = {name: layer.path for layer in served.model.layers for name in (layer.path, *layer.aliases)}
    assert names.keys() == served.expected.keys()
    differences = {name: relative_difference(served.maps[path], served.expected[name]) for name, path in names.items()}
    assert {name: value for name, value in differences.items() if not value <= TOLERANCE} == {}


def test_a_map_says_something(served: Served) -> None:
    """A network whose maps are constant would agree with anything."""
    flat = [path for path, values in served.maps.items() if values.std() < 1e-3 * np.abs(values).max()]
    assert flat == []


def test_the_cut_graph_gives_what_the_uncut_one_does(served: Served) -> None:
    """Every layer of a shipped model alone, and some of each other one, from all depths."""
    table = list(served.model.layers)
    others = served.model.folder.path.parents[1] != MODELS
    chosen = np.linspace(0, len(table) - 1, SAMPLE).round().astype(int) if others else range(len(table))
    differences = {}
    for layer in (table[i] for i in chosen):
        (alone,) = served.model.feature_maps(served.pixels, [layer])
        differences[layer.path] = relative_difference(alone, served.maps[layer.path])
    assert {name: value for name, value in differences.items() if not value <= TOLERANCE} == {}

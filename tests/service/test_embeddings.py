"""Promises of service.embeddings."""

from pathlib import Path

import numpy as np
import pytest

from service.embeddings import EmbeddingRequest, Pooling, embed
from service.engine import open_engine
from service.layers import Layer, table
from service.settings import Settings
from service.timing import Timings
from tests import images, tiny_models

CONV, *_, HEAD = table(tiny_models.brightness(), tiny_models.LAYERS)
MAPS = np.array([[[[0, 6]], [[4, 4]]], [[[0, 0]], [[0, 0]]]], np.float32)  # two images of two channels, 1x2 each


@pytest.mark.parametrize(
    ("reduce", "expected"), [("mean", [3, 4]), ("max", [6, 4]), ("flatten", [0, 6, 4, 4])], ids=["mean", "max", "flat"]
)
def test_maps_are_pooled(reduce: Pooling, expected: list[float]) -> None:
    """One vector for each image."""
    assert EmbeddingRequest(CONV, reduce, l2=False).of(MAPS).tolist() == [expected, [0] * len(expected)]


def test_a_vector_has_the_length_1_or_0() -> None:
    """Zeros stay zeros: there is no NaN."""
    found = EmbeddingRequest(CONV).of(MAPS)
    np.testing.assert_allclose(found, [[0.6, 0.8], [0.0, 0.0]], rtol=1e-6)
    assert found.dtype == np.float32


def test_a_vector_is_its_own_mean() -> None:
    """A layer without maps."""
    data = np.array([[3, 4]], np.float32)
    np.testing.assert_allclose(EmbeddingRequest(HEAD).of(data), [[0.6, 0.8]], rtol=1e-6)


def test_a_number_for_each_image_is_a_vector_of_one() -> None:
    """A layer whose output is (N,)."""
    assert EmbeddingRequest(HEAD, l2=False).of(np.array([1, 2], np.float32)).tolist() == [[1], [2]]


@pytest.mark.parametrize(
    ("layer", "reduce", "size"),
    [(CONV, "mean", 1), (CONV, "max", 1), (CONV, "flatten", 4), (HEAD, "mean", 3), (HEAD, "flatten", 3)],
)
def test_the_size_is_known_before(layer: Layer, reduce: Pooling, size: int) -> None:
    """From the table alone."""
    assert EmbeddingRequest(layer, reduce).size == size


def test_images_become_vectors(repository: Path, settings: Settings) -> None:
    """White has the logits (0, 1, 2), black all zeros."""
    tiny_models.publish(repository)
    model = open_engine(settings).registry.load("brightness")
    pictures = [images.plain(255), images.plain(0)]
    request = EmbeddingRequest(model.layers.find("head"))
    found = embed(model, pictures, request, max_pixels=100, timings=Timings())
    np.testing.assert_allclose(found, [[0, 1 / np.sqrt(5), 2 / np.sqrt(5)], [0, 0, 0]], rtol=1e-6)

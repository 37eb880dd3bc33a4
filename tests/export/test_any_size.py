"""Networks that take images of any height and width."""

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import httpx2
import pytest
import torch
from torch import nn

from export import conversion, publishing, stages, untrained
from export.architectures import ARCHITECTURES
from export.errors import ShapeMismatchError, VerificationError
from export.recipes import UNTRAINED
from export.verification import relative_difference, second_size, verify
from service import layers
from service.metadata import ClassOutput, ImageInput
from service.receptive_field import ReceptiveField
from tests.e2e.conftest import started

LOGITS = ClassOutput(name="logits", values="logits", labels=None)


@contextmanager
def silent(what: str) -> Iterator[None]:
    """Tells nobody."""
    del what
    yield


@pytest.fixture
def small_input(trap_input: ImageInput) -> ImageInput:
    """Images of 16x24 pixels."""
    return trap_input.model_copy(update={"height": 16, "width": 24})


def axes(converted: conversion.Converted) -> list[list[str | int]]:
    """Of the input and the output."""
    values = (*converted.model.graph.input, *converted.model.graph.output)
    return [[d.dim_param or d.dim_value for d in value.type.tensor_type.shape.dim] for value in values]


def pooled() -> nn.Module:
    """Windows, and an average of the whole."""
    torch.manual_seed(0)
    windows = nn.Sequential(nn.Conv2d(3, 4, 3, padding=1), nn.MaxPool2d(2, ceil_mode=True), nn.AdaptiveAvgPool2d(1))
    return nn.Sequential(*windows, nn.Flatten(), nn.Linear(4, 5)).eval()


@pytest.mark.parametrize("windows_only", [False, True])
def test_height_and_width_are_free_and_a_second_size_is_compared(
    small_input: ImageInput, *, windows_only: bool
) -> None:
    """By symbols, and by a trace at one size."""
    network = pooled()
    converted = conversion.convert(network, small_input, any_size=True, windows_only=windows_only)
    assert axes(converted) == [["batch", 3, "height", "width"], ["batch", 5]]
    assert len(verify(network, converted, small_input, LOGITS, any_size=True)) == 5


def test_the_second_size_has_odd_sides_of_another_shape(small_input: ImageInput) -> None:
    """So that what holds for halves and squares alone is found out."""
    other = second_size(small_input)
    assert (other.height, other.width) == (11, 19)


def test_a_network_that_computes_with_sizes_is_found_out(small_input: ImageInput) -> None:
    """Traced at one size, it keeps that size; the second one tells."""

    class Centre(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.convolution = nn.Conv2d(3, 2, 1)
            self.mean = nn.AdaptiveAvgPool2d(1)
            self.flatten = nn.Flatten()

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            quarter = images.shape[2] // 4
            logits: torch.Tensor = self.flatten(self.mean(self.convolution(images[:, :, quarter:-quarter])))
            return logits

    network = Centre().eval()
    converted = conversion.convert(network, small_input, any_size=True, windows_only=True)
    with pytest.raises(VerificationError) as caught:
        verify(network, converted, small_input, LOGITS, any_size=True)
    assert isinstance(caught.value.failures[0], ShapeMismatchError)
    assert str(caught.value.failures[0]).startswith("convolution at 11x19 pixels has shape")
    honest = conversion.convert(network, small_input, any_size=True)
    assert verify(network, honest, small_input, LOGITS, any_size=True)


def test_a_fixed_size_where_any_is_promised_is_refused(small_input: ImageInput) -> None:
    """And the other way round."""
    network = pooled()
    fixed, free = (conversion.convert(network, small_input, any_size=value) for value in (False, True))
    with pytest.raises(VerificationError, match=r"images has axes \('batch', 3, 16, 24\); they should be"):
        verify(network, fixed, small_input, LOGITS, any_size=True)
    with pytest.raises(VerificationError, match=r"images has axes \('batch', 3, 'height', 'width'\)"):
        verify(network, free, small_input, LOGITS)


def test_the_layer_table_is_right_for_the_size_of_the_metadata() -> None:
    """Shapes, receptive fields and what each unit of the grid sees, as in a network of a fixed size."""
    spec = UNTRAINED["variable_cnn"].input.model_copy(update={"height": 64, "width": 64})
    network = untrained.build(ARCHITECTURES["variable_cnn"].build, spec, seed=0)
    found = conversion.convert(network, spec, any_size=True)
    table = layers.table(found.model, found.layers, image=spec)
    assert [layer.shape for layer in table] == [
        *((64, 64, 64), (64, 64, 64), (64, 16, 16), (64, 16, 16), (64, 16, 16)),
        *((64, 3, 3), (576,), (1000,)),
    ]
    fields: list[ReceptiveField] = [table.find(name).receptive_field for name in ("conv1", "pool1", "conv2")]
    assert [(field.size, field.step, field.start) for field in fields] == [
        ((3, 3), (1, 1), (-1, -1)),
        ((6, 6), (4, 4), (-1, -1)),
        ((14, 14), (4, 4), (-5, -5)),
    ]
    assert table.multiply_adds == 64 * 64 * 64 * 27 + 16 * 16 * 64 * 64 * 9 + 576 * 1000


def test_a_served_network_answers_tensors_of_another_size(tmp_path: Path) -> None:
    """Through the Open Inference Protocol, its maps too; what it answers is what PyTorch does."""
    made_from = UNTRAINED["variable_cnn"]
    folder = stages.random(made_from, stages.Destination(tmp_path), name="net", seed=0, command="x", step=silent)
    images = torch.rand(2, 3, 61, 90, generator=torch.Generator().manual_seed(0))
    network = stages.network_of(publishing.read(folder))
    with torch.inference_mode():
        expected = network(images)
    tensor = {"name": "images", "datatype": "FP32", "shape": list(images.shape), "data": images.flatten().tolist()}
    outputs = [{"name": "logits"}, {"name": "conv2"}]
    with started(tmp_path) as server, httpx2.Client(base_url=server.url, timeout=60) as http:
        shape = http.get("/v2/models/net").json()["inputs"][0]["shape"]
        answer = http.post("/v2/models/net/infer", json={"inputs": [tensor], "outputs": outputs})
    assert shape == [-1, 3, -1, -1]
    assert answer.status_code == 200, answer.text
    logits, conv2 = answer.json()["outputs"]
    assert conv2["shape"] == [2, 64, 15, 22]
    assert relative_difference(torch.tensor(logits["data"]).reshape(2, 1000).numpy(), expected.numpy()) < 1e-4

"""A layer on three ways: as PyTorch computes it, as the exported model does, and by its definition."""

from collections.abc import Callable

import numpy as np
import torch
from numpy.typing import NDArray
from onnx import ModelProto
from torch import nn

from export.conversion import OUTPUT, Converted, convert
from export.verification import TOLERANCE, relative_difference
from service.metadata import ImageInput
from tests import reach
from tests.export.blocks.definitions import Array

Definition = Callable[[Array], Array]


def picture_input(channels: int, height: int, width: int) -> ImageInput:
    """Maps of some size, as they are."""
    return ImageInput(
        name="images",
        height=height,
        width=width,
        color="grey" if channels == 1 else "rgb",
        crop_fraction=1.0,
        interpolation="nearest",
        rescale_factor=1.0,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )


def random_maps(*shape: int, seed: int = 0) -> NDArray[np.float32]:
    """Values around 0, half of them below it."""
    return np.random.default_rng(seed).standard_normal(shape).astype(np.float32)


def exported(block: nn.Module, shape: tuple[int, ...]) -> Converted:
    """A layer as a model of its own, by the way of every network; shape is (C, H, W), C being 1 or 3."""
    return convert(block.eval(), picture_input(*shape))


def run(model: ModelProto, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """What ONNX Runtime computes."""
    found: NDArray[np.float32] = reach.session(model).run({"images": maps})[OUTPUT]
    return found


def computed(block: nn.Module, maps: NDArray[np.float32]) -> NDArray[np.float32]:
    """What a layer gives, after ONNX Runtime and PyTorch were found to agree, with one image and with all of them."""
    model = exported(block, maps.shape[1:]).model
    found = run(model, maps)
    with torch.inference_mode():
        expected = block(torch.from_numpy(maps)).numpy()
    assert found.shape == expected.shape
    assert relative_difference(found, expected) <= TOLERANCE
    assert relative_difference(run(model, maps[:1]), expected[:1]) <= TOLERANCE
    return found


def check(block: nn.Module, definition: Definition, maps: NDArray[np.float32]) -> None:
    """Layer, exported model and definition agree on each image."""
    found = computed(block, maps)
    for image, got in zip(maps.astype(np.float64), found, strict=True):
        expected = definition(image)
        assert got.shape == expected.shape
        assert relative_difference(got, expected) <= TOLERANCE


def numbers(values: torch.Tensor | None) -> Array:
    """The weights of a layer."""
    assert values is not None
    return values.detach().numpy().astype(np.float64)

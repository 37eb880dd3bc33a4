"""Networks whose output is a picture or a map."""

from collections.abc import Mapping, Sequence

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch import Tensor, nn

from export import layers, untrained
from export.architectures import ARCHITECTURES
from export.conversion import convert
from export.recipes import FIXED, RECIPES, UNTRAINED
from export.verification import inputs, verify
from service.metadata import ImageInput
from tests.export.blocks import definitions

MAPS = ("conv_autoencoder", "filter_bank", "pixel_labeler", "spatial_transducer")

Kernel = Sequence[Sequence[float]]

# Of each filter, as its definition has it: rows of the kernel.
SOBEL_X = [[-1, 0, 1], [-2, 0, 2], [-1, 0, 1]]
SOBEL_Y = [[-1, -2, -1], [0, 0, 0], [1, 2, 1]]
EDGE = [[-1, 1]]
BLUR = [[0.0625, 0.125, 0.0625], [0.125, 0.25, 0.125], [0.0625, 0.125, 0.0625]]
SHARPEN = [[0, -1, 0], [-1, 5, -1], [0, -1, 0]]


def run(name: str, images: Tensor) -> tuple[Tensor, Mapping[str, Tensor]]:
    """The output and every layer of a network with random weights, or with those that are written down."""
    architecture = ARCHITECTURES[name]
    network: nn.Module
    if architecture.pretrained is not None:
        network = architecture.pretrained()
    else:
        network = untrained.build(architecture.build, UNTRAINED[name].input, seed=0)
    return layers.run(network, images)


def filtered(images: NDArray[np.float64], kernel: Kernel) -> NDArray[np.float64]:
    """A kernel over each grey picture, not flipped."""
    return np.array([definitions.cross_correlation(image, np.array([[kernel]])) for image in images])


@pytest.mark.parametrize("name", MAPS)
def test_its_output_is_no_class(name: str) -> None:
    """And has a name of its own."""
    output = ARCHITECTURES[name].output
    assert output.values == "none"
    assert output.labels is None
    assert output.name != "logits"


@pytest.mark.parametrize("name", ["conv_autoencoder", "pixel_labeler", "spatial_transducer"])
def test_it_can_be_published_with_random_weights(name: str) -> None:
    """One that is to be trained; the filter bank, whose weights are written down, has nothing to draw."""
    assert name in UNTRAINED
    assert "filter_bank" not in UNTRAINED


def test_a_reconstruction_is_a_picture_like_its_input() -> None:
    """As large, and from 0 to 1, as the pixels that it is given."""
    spec = RECIPES["conv-autoencoder"].input
    images = inputs(spec, 2)
    assert 0 <= images.min() < images.max() <= 1
    reconstruction, maps = run("conv_autoencoder", images)
    assert reconstruction.shape == images.shape == (2, 1, 28, 28)
    assert 0 < reconstruction.min() < reconstruction.max() < 1
    assert torch.equal(maps["reconstruction"], reconstruction)
    # 28 to 14 to 7, and back.
    sizes = [maps[name].shape[2] for name in ("encode1", "encode2.pooling.maximum", "bottleneck", "unpool", "upsample")]
    assert sizes == [14, 7, 7, 14, 28]
    assert maps["bottleneck"][0].numel() * 2 == images[0].numel()


def test_unpooling_puts_the_values_where_the_largest_were() -> None:
    """In each square one value, at the place of the largest of the detector."""
    _, maps = run("conv_autoencoder", inputs(RECIPES["conv-autoencoder"].input, 1))
    squares = nn.functional.pixel_unshuffle(maps["unpool"], 2).reshape(1, 32, 4, 7, 7)
    detectors = nn.functional.pixel_unshuffle(maps["encode2.detector"], 2).reshape(1, 32, 4, 7, 7)
    assert (squares.count_nonzero(dim=2) <= 1).all()
    assert torch.equal(squares.sum(2), maps["relu1"])
    filled = squares.sum(2) != 0
    assert torch.equal(squares.argmax(2)[filled], detectors.argmax(2)[filled])


def test_every_pixel_gets_a_probability_for_each_class() -> None:
    """`S[i, j, k]` adds up to 1 over the classes, at each pixel, in each guess."""
    guess, maps = run("pixel_labeler", inputs(UNTRAINED["pixel_labeler"].input, 2))
    assert guess.shape == (2, 8, 128, 128)
    for name in ("guess:1", "guess:2", "guess"):
        assert maps[name].min() >= 0
        torch.testing.assert_close(maps[name].sum(1), torch.ones(2, 128, 128))
    assert torch.equal(maps["guess"], guess)


def test_a_guess_is_refined_by_those_of_the_neighbours() -> None:
    """Each guess is another one, made by the same weights, and one pixel reaches farther each time."""
    images = inputs(UNTRAINED["pixel_labeler"].input, 1)
    changed = images.clone()
    changed[:, :, 64, 64] += 3
    before, after = (run("pixel_labeler", given)[1] for given in (images, changed))
    reach = []
    for name in ("guess:1", "guess:2", "guess:3"):
        rows = (before[name] != after[name]).any(dim=1)[0].any(dim=1).nonzero()
        reach.append(int(rows.max() - rows.min()) + 1)
    assert reach == [5, 9, 13]
    assert not torch.equal(before["guess:1"], before["guess:2"])


@pytest.mark.parametrize("size", [(128, 128), (81, 97), (40, 200), (5, 5)])
def test_the_output_of_a_transducer_scales_with_its_input(size: tuple[int, int]) -> None:
    """Half as high and as wide, rounded up; every layer with weights is a convolution."""
    spec = UNTRAINED["spatial_transducer"].input.model_copy(update={"height": size[0], "width": size[1]})
    output, _ = run("spatial_transducer", inputs(spec, 1))
    assert output.shape == (1, 3, -(-size[0] // 2), -(-size[1] // 2))
    parts = [module for module in ARCHITECTURES["spatial_transducer"].build().children() if list(module.parameters())]
    assert all(isinstance(module, nn.Conv2d) for module in parts)


def test_a_network_for_any_size_is_proven_at_two_and_described_at_one() -> None:
    """The shapes of its layers are those for the input that its metadata state."""
    made_from, architecture = UNTRAINED["spatial_transducer"], ARCHITECTURES["spatial_transducer"]
    network = untrained.build(architecture.build, made_from.input, seed=0)
    converted = convert(
        network, made_from.input, output=architecture.output.name, any_size=True, windows_only=architecture.windows_only
    )
    parities = verify(network, converted, made_from.input, architecture.output, any_size=True)
    assert {parity.layer: parity.shape for parity in parities}["conv4"] == (3, 64, 64)


@pytest.fixture(scope="module")
def colours() -> Tensor:
    """Small pictures in colour: (2, 3, 9, 11), from 0 to 1."""
    return torch.rand(2, 3, 9, 11, generator=torch.Generator().manual_seed(0))


@pytest.fixture(scope="module")
def filters(colours: Tensor) -> Mapping[str, Tensor]:
    """The layers of the filter bank."""
    return run("filter_bank", colours)[1]


@pytest.fixture(scope="module")
def grey(colours: Tensor) -> NDArray[np.float64]:
    """The luminance after ITU-R BT.601."""
    red, green, blue = colours.numpy().astype(np.float64).transpose(1, 0, 2, 3)
    luminance: NDArray[np.float64] = 0.299 * red + 0.587 * green + 0.114 * blue
    return luminance[:, None]


@pytest.mark.parametrize(
    ("layer", "kernel"),
    [("sobel_x", SOBEL_X), ("sobel_y", SOBEL_Y), ("edge", EDGE), ("blur", BLUR), ("sharpen", SHARPEN)],
)
def test_a_filter_is_its_kernel(
    filters: Mapping[str, Tensor], grey: NDArray[np.float64], layer: str, kernel: Kernel
) -> None:
    """Over the luminance, where it fits into the picture."""
    np.testing.assert_allclose(filters[layer], filtered(grey, kernel), atol=1e-6)


def test_luminance_and_gradient_norm_are_their_formulas(
    filters: Mapping[str, Tensor], grey: NDArray[np.float64]
) -> None:
    """The first of all filters, and one that is made of two."""
    np.testing.assert_allclose(filters["luminance"], grey, atol=1e-6)
    norm = np.hypot(filtered(grey, SOBEL_X), filtered(grey, SOBEL_Y))
    np.testing.assert_allclose(filters["gradient_norm"], norm, atol=1e-6)


def test_the_filters_lie_side_by_side_at_the_same_pixels(
    filters: Mapping[str, Tensor], grey: NDArray[np.float64]
) -> None:
    """The edge of a pixel is its difference from its left neighbour."""
    bank = filters["filters"]
    assert bank.shape == (2, 6, 7, 9)
    for place, name in enumerate(("sobel_x", "sobel_y", "gradient_norm", None, "blur", "sharpen")):
        if name is not None:
            assert torch.equal(bank[:, place], filters[name][:, 0])
    inner = grey[:, 0, 1:-1, 1:-1] - grey[:, 0, 1:-1, :-2]
    np.testing.assert_allclose(bank[:, 3], inner, atol=1e-6)


def test_the_gradient_of_a_ramp_is_its_slope() -> None:
    """Eight times the slope, to the right or downwards; the other one is 0."""
    spec: ImageInput = FIXED["filter-bank"].input
    ramp = torch.arange(spec.width).expand(1, 3, spec.height, spec.width) / 1000
    _, maps = run("filter_bank", ramp)
    torch.testing.assert_close(maps["sobel_x"], torch.full((1, 1, 278, 318), 8 / 1000), atol=1e-5, rtol=0)
    torch.testing.assert_close(maps["sobel_y"], torch.zeros(1, 1, 278, 318), atol=1e-5, rtol=0)
    torch.testing.assert_close(maps["gradient_norm"], torch.full((1, 1, 278, 318), 8 / 1000), atol=1e-5, rtol=0)

"""The networks."""

import inspect
import re

import pytest
import torch
from torch import nn

from export import layers
from export.architectures import ARCHITECTURES, figure_9_11, lenet5_1998, parameters
from export.architectures.local_response_norm import LocalResponseNorm
from export.recipes import UNTRAINED


@pytest.mark.parametrize("name", ARCHITECTURES)
def test_an_architecture_file_opens_with_its_facts(name: str) -> None:
    """Paper, differences, parameters and licence are at the top, and the parameters are counted again.

    A file with several networks says which is which: `11,689,512 (resnet18), 25,557,032 (resnet50)`.
    """
    build = ARCHITECTURES[name].build
    text = inspect.getdoc(inspect.getmodule(build)) or ""
    for fact in ("Paper: ", "Differs from the paper: ", "Parameters: ", "Licence: "):
        assert fact in text
    stated = re.search(rf"^Parameters: (?:.*?([\d,]+) \({name}\)|([\d,]+)$)", text, flags=re.MULTILINE)
    assert stated is not None
    with torch.device("meta"):
        assert parameters(build()) == int((stated[1] or stated[2]).replace(",", ""))


@pytest.mark.parametrize(
    ("name", "count"),
    [("resnet50", 25_557_032), ("vgg16", 138_357_544), ("googlenet", 6_624_904), ("densenet121", 7_978_856)],
)
def test_torchvisions_networks_are_the_usual_ones(name: str, count: int) -> None:
    """As many parameters as everyone counts, without auxiliary heads; pictures are not transformed inside."""
    with torch.device("meta"):
        network = ARCHITECTURES[name].build()
    assert parameters(network) == count
    assert not getattr(network, "transform_input", False)


def test_lenet5_has_the_parameters_that_its_layers_add_up_to() -> None:
    """Weights and biases of two convolutions and three linear layers, counted by hand."""
    by_hand = (6 * 25 + 6) + (16 * 6 * 25 + 16) + (120 * 400 + 120) + (84 * 120 + 84) + (10 * 84 + 10)
    assert by_hand == 61_706
    assert parameters(ARCHITECTURES["lenet5"].build()) == by_hand


def test_lenet5_has_each_stage_as_a_module() -> None:
    """Convolution, ReLU and pooling can each be fetched, by paths that read well."""
    network = ARCHITECTURES["lenet5"].build()
    paths = [path for path, _ in network.named_children()]
    assert paths[:6] == ["conv1", "relu1", "pool1", "conv2", "relu2", "pool2"]
    assert network(torch.zeros(2, 1, 28, 28)).shape == (2, 10)


# What the texts and the papers say; a file that has another number says why.
@pytest.mark.parametrize(
    ("name", "count"),
    [
        ("lenet5_1998", 60_000),
        ("alexnet", 60_965_224),
        ("zfnet", 62_357_608),
        ("vgg16", 138_357_544),
        ("densenet190", 25_624_430),
        ("all_conv", 1_369_738),
    ],
)
def test_our_own_networks_have_the_parameters_of_the_paper(name: str, count: int) -> None:
    """Exactly."""
    assert parameters(ARCHITECTURES[name].build()) == count


@pytest.mark.parametrize(
    ("name", "layer", "shape"),
    [
        ("lenet5_1998", "c3", (16, 10, 10)),
        ("lenet5_1998", "c5", (120, 1, 1)),
        ("alexnet", "conv1", (96, 55, 55)),
        ("alexnet", "pool5", (256, 6, 6)),
        ("zfnet", "conv1", (96, 110, 110)),
        ("zfnet", "pool1", (96, 55, 55)),
        ("zfnet", "conv2", (256, 26, 26)),
        ("zfnet", "pool2", (256, 13, 13)),
        ("all_conv", "conv9", (10, 6, 6)),
        ("fixed_cnn", "pool1", (64, 64, 64)),
        ("fixed_cnn", "flatten", (16_384,)),
        ("variable_cnn", "pool2", (64, 3, 3)),
        ("variable_cnn", "flatten", (576,)),
        ("fully_conv_cnn", "conv3", (1000, 16, 16)),
        ("fully_conv_cnn", "pool3", (1000, 1, 1)),
        ("densenet190", "features.denseblock3", (2190, 8, 8)),
    ],
)
def test_maps_have_the_sizes_of_the_paper(name: str, layer: str, shape: tuple[int, ...]) -> None:
    """For an image of the size that the network is meant for."""
    with torch.device("meta"):
        _, maps = layers.run(ARCHITECTURES[name].build().eval(), torch.zeros(2, *UNTRAINED[name].input.shape))
    assert tuple(maps[layer].shape[1:]) == shape


def test_alexnet_is_where_its_parameters_are() -> None:
    """96 % are in the three linear layers."""
    with torch.device("meta"):
        network = ARCHITECTURES["alexnet"].build()
    linear = sum(parameters(layer) for layer in network.modules() if isinstance(layer, nn.Linear))
    assert round(100 * linear / parameters(network)) == 96


def test_the_layers_of_lenet5_have_the_parameters_of_the_paper() -> None:
    """156 + 12 + 1,516 + 32 + 48,120 + 10,164; the codes of the digits are not trained."""
    counts = {path: parameters(layer) for path, layer in ARCHITECTURES["lenet5_1998"].build().named_children()}
    assert {path: count for path, count in counts.items() if count} == {
        "c1": 156,
        "s2": 12,
        "c3": 1516,
        "s4": 32,
        "c5": 48_120,
        "f6": 10_164,
    }


def test_a_map_of_c3_sees_the_maps_that_the_table_gives_it() -> None:
    """A change of one map of s2 reaches ten of sixteen maps of c3, and the others not."""
    convolution = lenet5_1998.PartialConvolution(lenet5_1998.CONNECTIONS, 5)
    maps = torch.randn(1, 6, 14, 14)
    for changed in range(6):
        other = maps.clone()
        other[0, changed] += 1
        differs = (convolution(maps) != convolution(other)).flatten(2).any(2)[0].tolist()
        assert differs == [changed in seen for seen in lenet5_1998.CONNECTIONS]
        assert sum(differs) == 10


def test_subsampling_is_four_units_times_one_weight_plus_one_bias() -> None:
    """By hand."""
    pool = lenet5_1998.Subsampling(1)
    pool.weight.data.fill_(0.5)
    pool.bias.data.fill_(1.0)
    assert pool(torch.tensor([[[[1.0, 2.0], [3.0, 4.0]]]])).item() == 6.0


def test_a_drawn_digit_answers_with_itself() -> None:
    """Each code is at distance nothing of itself, and at least 4 units from each other one."""
    codes = lenet5_1998.codes()
    assert codes.shape == (10, 84)
    distances = -lenet5_1998.DistanceToCodes()(codes)
    assert distances.diagonal().tolist() == [0.0] * 10
    assert distances[~torch.eye(10, dtype=torch.bool)].min() >= 4 * 4


def test_response_normalisation_is_the_formula_of_the_paper() -> None:
    """Written out, with the ends where there are fewer neighbours."""
    maps = 50 * torch.randn(1, 7, 1, 1, generator=torch.Generator().manual_seed(0))
    values = maps.flatten().tolist()
    expected = [
        value / (2 + 1e-4 * sum(v * v for v in values[max(0, i - 2) : i + 3])) ** 0.75 for i, value in enumerate(values)
    ]
    assert LocalResponseNorm()(maps).flatten().tolist() == pytest.approx(expected, rel=1e-5)


@pytest.mark.parametrize("size", [(3, 3), (4, 4), (7, 13), (64, 5), (1, 2)])
def test_a_pooling_to_a_grid_is_pytorchs(size: tuple[int, int]) -> None:
    """Whatever the size, also where it is no multiple and where cells overlap."""
    maps = torch.randn(2, 3, *size)
    assert torch.equal(figure_9_11.GridMaxPool(3)(maps), nn.AdaptiveMaxPool2d(3)(maps))

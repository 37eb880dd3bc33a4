"""The networks."""

import inspect
import re

import pytest
import torch

from export.architectures import ARCHITECTURES, parameters


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

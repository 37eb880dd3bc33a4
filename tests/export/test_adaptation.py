"""Networks for other channels and classes."""

import pytest
import torch
from torch import nn

from export.adaptation import adapt
from export.architectures import ARCHITECTURES
from export.errors import RecipeError
from export.recipes import RECIPES

GREY = RECIPES["resnet20-fashion"].input
COLOUR = RECIPES["resnet20-cifar10"].input


def test_the_first_and_the_last_layer_fit_and_all_others_stay() -> None:
    """From one channel and ten classes to three of each."""
    network = ARCHITECTURES["resnet20"].build()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    adapt(network, COLOUR, classes=3)
    after = network.state_dict()
    changed = {name for name in after if after[name].shape != before[name].shape}
    assert changed == {"conv1.weight", "fc.weight", "fc.bias"}
    assert all(torch.equal(after[name], before[name]) for name in after.keys() - changed)
    assert network(torch.zeros(2, *COLOUR.shape)).shape == (2, 3)


def test_a_network_that_fits_is_left_as_it_is() -> None:
    """Not even chance is drawn from: a recipe gives the same network as before."""
    network = ARCHITECTURES["lenet5"].build()
    before = {name: value.clone() for name, value in network.state_dict().items()}
    chance = torch.get_rng_state()
    adapt(network, GREY, classes=10)
    assert torch.equal(torch.get_rng_state(), chance)
    assert all(torch.equal(value, before[name]) for name, value in network.state_dict().items())


def test_a_size_that_the_network_does_not_take_is_told() -> None:
    """LeNet-5 has a linear layer that counts on 28x28 pixels."""
    with pytest.raises(RecipeError, match="does not take images of 32x32 pixels"):
        adapt(ARCHITECTURES["lenet5"].build(), COLOUR, classes=10)


@pytest.mark.parametrize(
    ("network", "message"),
    [
        (nn.Sequential(nn.Flatten(), nn.Linear(784, 10)), "no convolution to begin with"),
        (nn.Conv2d(1, 4, 3), "does not answer with one number for each class"),
        (
            nn.Sequential(
                nn.Conv2d(1, 4, 3),
                nn.Flatten(),
                nn.Linear(2704, 6),
                nn.Unflatten(1, (3, 2)),
                nn.Flatten(0, 1),
                nn.Flatten(),
            ),
            "cannot be given 10 classes",
        ),
    ],
    ids=["no convolution", "maps", "another last layer"],
)
def test_a_network_that_cannot_be_adapted_is_refused(network: nn.Module, message: str) -> None:
    """The reason is told, before any training."""
    with pytest.raises(RecipeError, match=message):
        adapt(network, GREY, classes=10)

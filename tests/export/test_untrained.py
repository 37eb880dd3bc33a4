"""Networks with random weights."""

import pytest
import torch
from torch import Tensor, nn

from export import layers, untrained
from export.architectures import ARCHITECTURES
from export.recipes import UNTRAINED
from export.verification import TOLERANCE, inputs, relative_difference
from service.metadata import ImageInput
from tests.export.conftest import Trap


def weights(network: nn.Module) -> dict[str, Tensor]:
    """All numbers of a network but the counters of its batch norms."""
    return {name: value for name, value in network.state_dict().items() if value.dtype == torch.float32}


def same(first: nn.Module, second: nn.Module) -> bool:
    """Whether two networks have the same numbers."""
    return all(torch.equal(value, weights(second)[name]) for name, value in weights(first).items())


def test_the_same_seed_gives_the_same_network(trap_input: ImageInput) -> None:
    """And another seed another one, whatever was drawn before; what is drawn afterwards does not depend on it."""
    torch.manual_seed(5)
    expected = torch.rand(1)
    torch.manual_seed(5)
    first = untrained.build(Trap, trap_input, seed=1)
    assert torch.equal(torch.rand(1), expected)
    assert same(first, untrained.build(Trap, trap_input, seed=1))
    assert not same(first, untrained.build(Trap, trap_input, seed=2))


def test_no_number_is_trivial(trap_input: ImageInput) -> None:
    """No bias of zeros, no scale of ones, and statistics that are not those of a new batch norm."""
    network = untrained.build(Trap, trap_input, seed=1)
    for name, values in weights(network).items():
        assert len(set(values.flatten().tolist())) == values.numel(), name
    assert not network.training


def test_a_branch_that_starts_at_zero_starts_low(trap_input: ImageInput) -> None:
    """As its builder wants it, and still not at zero."""

    def make() -> nn.Module:
        network = Trap()
        nn.init.zeros_(network.bn1.weight)
        return network

    scale = weights(untrained.build(make, trap_input, seed=1))["bn1.weight"]
    assert 0.1 < scale.min() < scale.max() < 0.5


@pytest.mark.parametrize(
    "architecture", ["densenet121", "efficientnet_lite0", "googlenet", "inception_v3", "resnet152"]
)
def test_a_deep_network_is_as_tame_as_a_trained_one(architecture: str) -> None:
    """It neither dies out nor blows up, and rounding stays small, on pictures that it was not drawn from."""
    made_from = UNTRAINED[architecture]
    network = untrained.build(ARCHITECTURES[architecture].build, made_from.input, seed=1)
    images = inputs(made_from.input, 1)
    _, outputs = layers.run(network, images)
    largest = {name: float(values.abs().max()) for name, values in outputs.items()}
    assert {name: value for name, value in largest.items() if not 0.1 < value < 1000} == {}
    _, exact = layers.run(network.double(), images.double())
    rounding = {name: relative_difference(outputs[name].numpy(), exact[name].numpy()) for name in outputs}
    assert {name: value for name, value in rounding.items() if not value <= TOLERANCE / 2} == {}

"""The layer table."""

import torch
from torch import nn

from export import layers
from export.conversion import Converted, convert
from service.metadata import ImageInput
from tests.export.conftest import Trap


def entries(converted: Converted) -> list[tuple[str, tuple[str, ...]]]:
    """Paths and aliases, in order."""
    return [(entry.path, entry.aliases) for entry in converted.layers]


def test_the_table_has_every_module_call_in_order_of_execution(converted: Converted) -> None:
    """Calls are numbered, a dropout is its input, containers are their last module; the input itself is no layer."""
    assert entries(converted) == [
        ("conv1", ()),
        ("bn1", ()),
        ("relu:1", ("dropout",)),
        ("conv2", ()),
        ("relu:2", ("relu",)),
        ("head.0.0", ()),
        ("head.0.1", ("head.0", "head.1", "head")),
    ]


def test_tensors_have_the_names_of_their_modules(converted: Converted) -> None:
    """Whoever opens the file sees the paths that PyTorch uses; the output keeps its own name."""
    tensors = [entry.tensor for entry in converted.layers]
    assert tensors == ["conv1", "bn1", "relu:1", "conv2", "relu:2", "head.0.0", "logits"]


def test_a_tensor_in_the_way_of_a_path_makes_room(trap_input: ImageInput) -> None:
    """The exporter calls the result of the addition `add`, and so is a module called."""

    class Clash(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.add = nn.Conv2d(3, 3, kernel_size=1)
            self.pool = nn.AvgPool2d((6, 8))

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            pooled: torch.Tensor = self.pool(torch.add(self.add(images + images), images))
            return pooled.flatten(1)

    converted = convert(Clash().eval(), trap_input)
    outputs = [name for node in converted.model.graph.node for name in node.output]
    assert entries(converted) == [("add", ()), ("pool", ())]
    assert len(outputs) == len(set(outputs))
    producer = {name: node.op_type for node in converted.model.graph.node for name in node.output}
    assert producer["add"] == "Conv"


def test_a_module_registered_twice_has_both_paths(trap_input: ImageInput) -> None:
    """Either path finds the tensor."""

    class Twice(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.conv = nn.Conv2d(3, 2, kernel_size=1)
            self.again = self.conv

        def forward(self, images: torch.Tensor) -> torch.Tensor:
            return torch.mean(self.conv(images), (2, 3))

    assert entries(convert(Twice().eval(), trap_input)) == [("conv", ("again",))]


def test_outputs_are_taken_before_something_overwrites_them(trap: Trap) -> None:
    """The in-place ReLU leaves the batch norm's output as it was, negative values and all."""
    _, outputs = layers.run(trap, torch.randn(2, 3, 6, 8))
    assert outputs["bn1"].min() < 0
    assert torch.equal(outputs["relu:1"], outputs["bn1"].clamp(min=0))


def test_a_network_is_as_it_was_afterwards(trap: Trap) -> None:
    """No hook stays behind."""
    images = torch.randn(1, 3, 6, 8)
    before = trap(images)
    layers.run(trap, images)
    assert torch.equal(trap(images), before)


def test_outputs_that_are_no_tensors_are_left_out() -> None:
    """A module that gives several tensors has no map of its own; the modules inside it have."""

    class Pair(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.inner = nn.ReLU()

        def forward(self, x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
            return self.inner(x), x

    class Sum(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.pair = Pair()

        def forward(self, x: torch.Tensor) -> torch.Tensor:
            first, second = self.pair(x)
            total: torch.Tensor = first + second
            return total

    _, outputs = layers.run(Sum().eval(), torch.ones(1, 2))
    assert list(outputs) == ["pair.inner"]

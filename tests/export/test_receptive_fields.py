"""The receptive fields of LeNet-5, VGG-16 and ResNet-50, held against what bright pixels really reach."""

from collections.abc import Sequence

import pytest
import torch
import torchvision
from onnx import ModelProto
from torch import nn

from export.architectures import ARCHITECTURES
from export.conversion import convert
from service import graph, layers
from service.layers import LayerTable
from service.metadata import ImageInput
from service.receptive_field import Box
from tests import reach

# (layer, size, step, start, a unit whose box lies within the picture), as published for these networks.
Known = tuple[str, int, int, int, int]
LENET = [("conv1", 5, 1, -2, 9), ("pool1", 6, 2, -2, 7), ("conv2", 14, 2, -2, 5), ("pool2", 16, 4, -2, 2)]
VGG = [("0", 3, 1, -1, 9), ("4", 6, 2, -2, 8), ("16", 44, 8, -18, 12), ("28", 196, 16, -90, 7), ("30", 212, 32, -90, 3)]
RESNET = [
    ("conv1", 7, 2, -3, 100),
    ("maxpool", 11, 4, -5, 50),
    ("layer1", 35, 4, -17, 50),
    ("layer2", 91, 8, -45, 28),
    ("layer3", 267, 16, -133, 14),
    ("layer4", 427, 32, -213, 7),
]


def see_through(network: nn.Module) -> nn.Module:
    """Every weight positive, no offsets: a bright pixel raises every unit that it reaches, and nothing else does."""
    torch.manual_seed(0)
    for module in network.modules():
        if isinstance(module, nn.Conv2d | nn.Linear):
            fan_in = module.weight[0].numel()
            nn.init.uniform_(module.weight, 0.5 / fan_in, 1.5 / fan_in)
            if module.bias is not None:
                nn.init.zeros_(module.bias)
    return network.eval()


def picture(size: int, *, color: str) -> ImageInput:
    """Pixels as they are."""
    channels = 3 if color == "rgb" else 1
    return ImageInput(
        name="images",
        height=size,
        width=size,
        color=color,  # type: ignore[arg-type]  # one of the two
        crop_fraction=1.0,
        interpolation="bilinear",
        rescale_factor=1.0,
        mean=(0.0,) * channels,
        std=(1.0,) * channels,
    )


def converted(network: nn.Module, spec: ImageInput) -> tuple[ModelProto, LayerTable]:
    """The model, and its layer table."""
    found = convert(see_through(network), spec)
    return found.model, layers.table(found.model, found.layers)


def check(model: ModelProto, table: LayerTable, known: Sequence[Known], shape: Sequence[int]) -> None:
    """The rule of each layer is the published one; the boxes of a unit in the middle and of one in a corner hold."""
    for name, size, step, start, unit in known:
        layer = table.find(name)
        field = layer.receptive_field
        assert (field.status, field.size, field.step, field.start) == ("exact", (size,) * 2, (step,) * 2, (start,) * 2)
        place = start + unit * step
        assert field.box(unit, unit) == Box(place, place, place + size, place + size)
        assert field.units is not None
        run = reach.session(graph.cut(model, [layer.tensor]))
        for row, column in ((unit, unit), (0, field.units[1] - 1)):
            box = field.box(row, column)
            assert box is not None
            outside, edges = reach.inside_and_outside(box, shape)
            assert not reach.reached(run, outside)[0, row, column]
            assert [reach.reached(run, edge)[0, row, column] for edge in edges] == [True] * 4


def test_lenet5() -> None:
    """Two convolutions and two poolings; its dense layers see everything."""
    model, table = converted(ARCHITECTURES["lenet5"].build(), picture(28, color="grey"))
    check(model, table, LENET, (1, 28, 28))
    assert [table.find(name).receptive_field.status for name in ("fc1", "fc2", "fc3")] == ["whole input"] * 3


def test_vgg16() -> None:
    """Its convolutions and poolings; 212 pixels with the last pooling."""
    model, table = converted(torchvision.models.vgg16(weights=None).features, picture(224, color="rgb"))
    check(model, table, VGG, (3, 224, 224))


def unshaped(model: ModelProto) -> ModelProto:
    """A copy in which only the input has a size."""
    copy = ModelProto()
    copy.CopyFrom(model)
    del copy.graph.value_info[:]
    return copy


@pytest.fixture(scope="module")
def resnet() -> tuple[ModelProto, LayerTable]:
    """ResNet-50 as torchvision has it, for pictures that are larger than its receptive field."""
    return converted(torchvision.models.resnet50(weights=None), picture(448, color="rgb"))


def test_resnet50(resnet: tuple[ModelProto, LayerTable]) -> None:
    """Stride in the 3x3 convolutions: 427 pixels, where most sources give 483 for strides in the 1x1."""
    model, table = resnet
    check(model, table, RESNET, (3, 448, 448))
    assert table.find("avgpool").receptive_field.status == "whole input"


def test_resnet50_with_the_stride_in_the_1x1(resnet: tuple[ModelProto, LayerTable]) -> None:
    """As the paper has it: 483 pixels, step 32."""
    model = unshaped(resnet[0])
    strides = {f"layer{i}.0.conv{j}": [2, 2] if j == 1 else [1, 1] for i in (2, 3, 4) for j in (1, 2)}
    for node in model.graph.node:
        for attribute in node.attribute:
            if attribute.name == "strides" and node.output[0] in strides:
                attribute.ints[:] = strides[node.output[0]]
    field = layers.table(model, None).find("layer4.2.relu:3").receptive_field
    assert (field.status, field.size, field.step) == ("exact", (483, 483), (32, 32))


def test_the_multiply_adds_of_resnet50(resnet: tuple[ModelProto, LayerTable]) -> None:
    """As torchvision states them for 224x224, 4.089 thousand million, and its parameters."""
    model = unshaped(resnet[0])
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_value = 224
    table = layers.table(model, None)
    assert table.multiply_adds == 4_089_184_256
    cost = table.find("-1").cost
    assert cost is not None
    assert cost.cumulative.parameters == 25_557_032 - 1000  # the biases of the classes are 0 here, and left out

"""What the service tells of the layers: which pixels their units see, held against what bright pixels really reach."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Final

import pytest
import torch
from torch import Tensor, nn

from export.blocks.connections import DenseConnection, Inception, Shortcut
from export.blocks.convolution import Convolution
from export.blocks.maxout import Maxout
from export.blocks.pooling import DistanceWeightedPool, SumPool
from export.blocks.separable import DepthwiseSeparable, SpatiallySeparable
from export.blocks.sparse_matrix import SparseMatrixProduct
from export.blocks.three_stages import ThreeStages
from export.blocks.unpooling import BedOfNails, MaxPoolWithPositions, MaxUnpool
from export.blocks.unshared import LocallyConnected, Tiled
from service import graph, layers
from service.receptive_field import Status
from tests import reach
from tests.export.blocks.proof import exported


@dataclass(frozen=True)
class Case:
    """A layer on maps of three channels, 8x12, and what is promised of its units."""

    make: Callable[[], nn.Module]
    status: Status


class ThereAndBack(nn.Module):
    """Max pooling and its unpooling."""

    def __init__(self) -> None:
        """Squares of 2x2."""
        super().__init__()
        self.pool = MaxPoolWithPositions(2)
        self.unpool = MaxUnpool(2)

    def forward(self, maps: Tensor) -> Tensor:
        """(N, C, H, W), and so the result."""
        unpooled: Tensor = self.unpool(*self.pool(maps))
        return unpooled


def sparse() -> nn.Module:
    """The product is for one map: the three are added up first."""
    return nn.Sequential(nn.Conv2d(3, 1, 1), SparseMatrixProduct(torch.ones(2, 3), (8, 12)))


CASES: Final[Mapping[str, Case]] = {
    "convolution with a flip": Case(lambda: Convolution(3, 4, (3, 2)), "exact"),
    "dilated": Case(lambda: nn.Conv2d(3, 4, 3, dilation=2), "exact"),
    "strided": Case(lambda: nn.Conv2d(3, 4, 3, stride=2, padding=1), "exact"),
    "pointwise": Case(lambda: nn.Conv2d(3, 4, 1), "exact"),
    "grouped": Case(lambda: nn.Conv2d(3, 6, 3, groups=3), "exact"),
    "spatially separable": Case(lambda: SpatiallySeparable(3, 2, (3, 5)), "exact"),
    "depthwise separable": Case(lambda: DepthwiseSeparable(3, 2, (3, 3)), "exact"),
    "transposed": Case(lambda: nn.ConvTranspose2d(3, 2, 4, stride=2, padding=1), "upper bound"),
    "locally connected": Case(lambda: LocallyConnected(3, 2, (8, 12), (3, 2)), "upper bound"),
    "tiled": Case(lambda: Tiled(3, 2, (3, 3), tiles=2), "upper bound"),
    # The columns of its entries are followed no more than the edges of any graph would be.
    "sparse matrix": Case(sparse, "unknown"),
    "max pooling": Case(lambda: nn.MaxPool2d(3, 2, ceil_mode=True), "exact"),
    "average pooling": Case(lambda: nn.AvgPool2d(2), "exact"),
    "sum pooling": Case(lambda: SumPool(3, stride=2), "exact"),
    "L2 pooling": Case(lambda: nn.LPPool2d(2, 3, 1), "exact"),
    "weighted pooling": Case(lambda: DistanceWeightedPool(3, stride=1), "exact"),
    "adaptive pooling": Case(lambda: nn.AdaptiveAvgPool2d((4, 3)), "exact"),
    "nearest unpooling": Case(lambda: nn.Upsample(scale_factor=2, mode="nearest"), "upper bound"),
    "bed of nails": Case(lambda: BedOfNails(2), "upper bound"),
    "max unpooling": Case(ThereAndBack, "upper bound"),
    "maxout": Case(lambda: Maxout(3), "exact"),
    "three stages": Case(lambda: ThreeStages(nn.Conv2d(3, 4, 3), nn.ReLU(), nn.MaxPool2d(2)), "exact"),
    "shortcut": Case(lambda: Shortcut(nn.Conv2d(3, 3, 3, padding=1)), "exact"),
    "Inception module": Case(lambda: Inception(3, ones=1, threes=(1, 2), fives=(1, 2), pooled=1), "exact"),
    "dense connection": Case(lambda: DenseConnection(*(nn.Conv2d(c, 2, 3, padding=1) for c in (3, 5))), "exact"),
    "dense layer": Case(lambda: nn.Sequential(nn.Flatten(), nn.Linear(3 * 8 * 12, 4)), "whole input"),
}


def see_through(network: nn.Module) -> nn.Module:
    """Every weight positive, no biases: a bright pixel raises every unit that it reaches, and nothing else does."""
    torch.manual_seed(0)
    for name, parameter in network.named_parameters():
        if name.endswith("bias"):
            nn.init.zeros_(parameter)
        else:
            nn.init.uniform_(parameter, 0.1, 1)
    return network


@pytest.mark.parametrize("name", CASES)
def test_a_layer_tells_what_its_units_see_or_that_it_does_not_know(name: str) -> None:
    """Where it is exact, the box around what reaches a unit is the one that is told; else it is within that."""
    case = CASES[name]
    made = exported(nn.Sequential(see_through(case.make()), nn.Identity()), (3, 8, 12))
    layer = layers.table(made.model, made.layers).find("0")
    field = layer.receptive_field
    assert field.status == case.status
    if field.units is None or len(layer.shape or ()) != 3:
        return
    found = reach.boxes(reach.session(graph.cut(made.model, [layer.tensor])), (3, 8, 12))
    assert (len(found), len(found[0])) == field.units
    for row, boxes in enumerate(found):
        for column, reached in enumerate(boxes):
            told = field.box(row, column)
            assert told is not None
            if field.status == "exact":
                assert reached == told
            elif reached.right > reached.left:
                assert told.left <= reached.left < reached.right <= told.right
                assert told.top <= reached.top < reached.bottom <= told.bottom

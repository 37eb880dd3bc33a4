"""LeNet-5 as in the paper: chosen connections, trained subsampling, and a drawn code for each digit.

Paper: Y. LeCun, L. Bottou, Y. Bengio, P. Haffner, "Gradient-based learning applied to document recognition",
    Proceedings of the IEEE 86(11), 1998, https://doi.org/10.1109/5.726791
Differs from the paper: the codes of the digits, which it prints as a picture only (figure 3), are drawn anew.  The
    output is the distance to each code with its sign turned (the paper: the distance), so that the largest wins.
Parameters: 60,000
    156 in c1, 12 in s2, 1,516 in c3, 32 in s4, 48,120 in c5 and 10,164 in f6, each as in the paper; the codes are
    not trained.
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

import torch
from torch import Tensor, nn

PAPER: Final = "Gradient-based learning applied to document recognition (1998), https://doi.org/10.1109/5.726791"

# Table I: the maps of s2 that each map of c3 sees.
CONNECTIONS: Final = (
    *((0, 1, 2), (1, 2, 3), (2, 3, 4), (3, 4, 5), (0, 4, 5), (0, 1, 5)),
    *((0, 1, 2, 3), (1, 2, 3, 4), (2, 3, 4, 5), (0, 3, 4, 5), (0, 1, 4, 5), (0, 1, 2, 5)),
    *((0, 1, 3, 4), (1, 2, 4, 5), (0, 2, 3, 5)),
    (0, 1, 2, 3, 4, 5),
)
# Seven wide and twelve high; two rows of digits, which stand on a common line.
CODES: Final = (
    """
    .......  .......  .......  .......  .......
    ..###..  ...#...  ..###..  ..###..  ....##.
    .#...#.  ..##...  .#...#.  .#...#.  ...#.#.
    #.....#  .#.#...  #.....#  ......#  ..#..#.
    #.....#  ...#...  ......#  ......#  .#...#.
    #.....#  ...#...  .....#.  ...###.  #....#.
    #.....#  ...#...  ....#..  .....#.  #######
    #.....#  ...#...  ...#...  ......#  .....#.
    #.....#  ...#...  ..#....  ......#  .....#.
    .#...#.  ...#...  .#.....  .#...#.  .....#.
    ..###..  .#####.  #######  ..###..  .....#.
    .......  .......  .......  .......  .......
    """,
    """
    .......  .......  .......  .......  .......
    #######  ..####.  #######  ..###..  ..###..
    #......  .#.....  ......#  .#...#.  .#...#.
    #......  #......  .....#.  #.....#  #.....#
    #.###..  #......  .....#.  .#...#.  #.....#
    ##...#.  #.###..  ....#..  ..###..  .#...##
    ......#  ##...#.  ....#..  .#...#.  ..###.#
    ......#  #.....#  ...#...  #.....#  ......#
    #.....#  #.....#  ...#...  #.....#  ......#
    .#...#.  .#...#.  ..#....  .#...#.  .....#.
    ..###..  ..###..  ..#....  ..###..  .####..
    .......  .......  .......  .......  .......
    """,
)


class Squash(nn.Module):
    """`1.7159 * tanh(2/3 * a)`, which is 1 at 1 and -1 at -1 (appendix A)."""

    def forward(self, sums: Tensor) -> Tensor:
        """Squash; any shape."""
        return 1.7159 * torch.tanh(sums * (2 / 3))


class Subsampling(nn.Module):
    """The sum of each 2x2 square, times one trained coefficient a map, plus one trained bias a map.

    Args:
        maps: How many.
    """

    def __init__(self, maps: int) -> None:
        super().__init__()
        self.mean = nn.AvgPool2d(2)
        self.weight = nn.Parameter(torch.empty(maps, 1, 1).uniform_(0.1, 0.4))
        self.bias = nn.Parameter(torch.zeros(maps, 1, 1))

    def forward(self, maps: Tensor) -> Tensor:
        """Subsample.

        Shape:
            maps (N, C, H, W), to (N, C, H/2, W/2).
        """
        sums = 4 * self.mean(maps)
        scaled: Tensor = sums * self.weight + self.bias
        return scaled


class PartialConvolution(nn.Module):
    """A convolution of which each map of the output sees some maps of the input.

    Args:
        connections: For each map of the output, the maps of the input that it sees.
        kernel: Its size, each way.
    """

    def __init__(self, connections: tuple[tuple[int, ...], ...], kernel: int) -> None:
        super().__init__()
        self.maps = nn.ModuleList(nn.Conv2d(len(seen), 1, kernel) for seen in connections)
        for index, seen in enumerate(connections):
            self.register_buffer(f"_seen{index}", torch.tensor(seen), persistent=False)

    def forward(self, maps: Tensor) -> Tensor:
        """Convolve.

        Shape:
            maps (N, C, H, W), to (N, len(connections), H - kernel + 1, W - kernel + 1).
        """
        parts = (maps.index_select(1, self.get_buffer(f"_seen{index}")) for index in range(len(self.maps)))
        return torch.cat([convolve(part) for convolve, part in zip(self.maps, parts, strict=True)], 1)


class DistanceToCodes(nn.Module):
    """How near the 84 units are to the drawn code of each class: the squared distance with its sign turned.

    `softmax` of it is what the paper's second loss (equation 9) compares, without its constant.
    """

    def __init__(self) -> None:
        super().__init__()
        self.register_buffer("codes", codes())

    def forward(self, units: Tensor) -> Tensor:
        """Compare.

        Shape:
            units (N, 84), to (N, 10).
        """
        apart = units.unsqueeze(1) - self.get_buffer("codes")  # (N, 10, 84)
        return -(apart * apart).sum(2)


def codes() -> Tensor:
    """The code of each digit: 1 for ink and -1 for paper, row by row.

    Shape:
        (10, 84) float32.
    """
    rows = [[row.split() for row in five.split("\n") if row.strip()] for five in CODES]
    drawn = ["".join(row[digit] for row in five) for five in rows for digit in range(5)]
    return torch.tensor([[1.0 if dot == "#" else -1.0 for dot in picture] for picture in drawn])


def build() -> nn.Sequential:
    """LeNet-5 of 1998 with random weights.

    Shape:
        (N, 1, 32, 32) float32, paper at -0.1 and ink at 1.175, to logits (N, 10).
    """
    layers: list[tuple[str, nn.Module]] = [
        ("c1", nn.Conv2d(1, 6, kernel_size=5)),  # (N, 6, 28, 28)
        ("squash1", Squash()),
        ("s2", Subsampling(6)),  # (N, 6, 14, 14)
        ("squash2", Squash()),
        ("c3", PartialConvolution(CONNECTIONS, 5)),  # (N, 16, 10, 10)
        ("squash3", Squash()),
        ("s4", Subsampling(16)),  # (N, 16, 5, 5)
        ("squash4", Squash()),
        ("c5", nn.Conv2d(16, 120, kernel_size=5)),  # (N, 120, 1, 1)
        ("squash5", Squash()),
        ("flatten", nn.Flatten()),  # (N, 120)
        ("f6", nn.Linear(120, 84)),
        ("squash6", Squash()),
        ("output", DistanceToCodes()),  # (N, 10)
    ]
    return nn.Sequential(OrderedDict(layers))

"""Filters whose weights are written down: nothing is trained.

Paper: I. Sobel, G. Feldman, "A 3x3 isotropic gradient operator for image processing", a talk at the Stanford
    Artificial Intelligence Project 1968, told in https://www.researchgate.net/publication/239398674; the edge example
    is figure 9.6 of I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016,
    https://www.deeplearningbook.org/contents/convnets.html
Differs from the paper: in nothing; the kernels are not flipped (cross-correlation), and written so that a map is
    positive where it gets brighter to the right or downwards.  Luminance is that of ITU-R BT.601; blur is binomial, and
    sharpen adds the Laplacian of the four neighbours with its sign turned.
Parameters: 41
    All of them are in this file.
Licence: written for Striate, Apache-2.0
"""

from typing import Final

import torch
from torch import Tensor, nn

from service.metadata import ClassOutput

PAPER: Final = (
    "A 3x3 isotropic gradient operator for image processing (1968), https://www.researchgate.net/publication/239398674"
)
OUTPUT: Final = ClassOutput(name="filters", values="none", labels=None)

Kernel = tuple[tuple[float, ...], ...]

RED_GREEN_BLUE: Final = (0.299, 0.587, 0.114)
SOBEL_X: Final[Kernel] = ((-1, 0, 1), (-2, 0, 2), (-1, 0, 1))
SOBEL_Y: Final[Kernel] = ((-1, -2, -1), (0, 0, 0), (1, 2, 1))
EDGE: Final[Kernel] = ((-1, 1),)
BLUR: Final[Kernel] = ((1 / 16, 2 / 16, 1 / 16), (2 / 16, 4 / 16, 2 / 16), (1 / 16, 2 / 16, 1 / 16))
SHARPEN: Final[Kernel] = ((0, -1, 0), (-1, 5, -1), (0, -1, 0))


class GradientNorm(nn.Module):
    """How steep the brightness is: `sqrt(gx² + gy²)`."""

    def forward(self, right: Tensor, down: Tensor) -> Tensor:
        """Combine two maps of one shape, whichever."""
        return torch.sqrt(right * right + down * down)


class SideBySide(nn.Module):
    """Maps of one size as the channels of one tensor."""

    def forward(self, *maps: Tensor) -> Tensor:
        """Each (N, 1, H, W), to (N, as many, H, W)."""
        return torch.cat(maps, 1)


class FilterBank(nn.Module):
    """Six filters of the luminance, side by side.

    No border is made up: a map ends where its kernel would leave the picture.
    """

    def __init__(self) -> None:
        super().__init__()
        self.luminance = _convolution(torch.tensor(RED_GREEN_BLUE).reshape(1, 3, 1, 1))
        self.sobel_x = _filter(SOBEL_X)
        self.sobel_y = _filter(SOBEL_Y)
        self.gradient_norm = GradientNorm()
        self.edge = _filter(EDGE)
        self.blur = _filter(BLUR)
        self.sharpen = _filter(SHARPEN)
        self.filters = SideBySide()

    def forward(self, images: Tensor) -> Tensor:
        """Filter.

        Shape:
            images (N, 3, H, W) float32, from 0 to 1, to (N, 6, H - 2, W - 2): sobel_x, sobel_y, gradient_norm, edge,
            blur and sharpen, at the pixels that have neighbours on all sides.
        """
        grey = self.luminance(images)  # (N, 1, H, W)
        right, down = self.sobel_x(grey), self.sobel_y(grey)  # (N, 1, H - 2, W - 2) each
        norm = self.gradient_norm(right, down)
        edge = self.edge(grey)  # (N, 1, H, W - 1), of which the first unit belongs to the second pixel
        inner = edge[:, :, 1:-1, :-1]  # (N, 1, H - 2, W - 2)
        filters: Tensor = self.filters(right, down, norm, inner, self.blur(grey), self.sharpen(grey))
        return filters


def build() -> nn.Module:
    """The filter bank.

    Shape:
        (N, 3, H, W) float32, from 0 to 1, any size, to (N, 6, H - 2, W - 2).
    """
    return FilterBank()


def _filter(kernel: Kernel) -> nn.Conv2d:
    return _convolution(torch.tensor(kernel, dtype=torch.float32).expand(1, 1, -1, -1).clone())


def _convolution(weight: Tensor) -> nn.Conv2d:
    outputs, inputs, height, width = weight.shape
    convolution = nn.Conv2d(inputs, outputs, (height, width), bias=False)
    convolution.weight = nn.Parameter(weight)
    return convolution

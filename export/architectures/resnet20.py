"""ResNet-20, the residual network for small pictures.

Paper: K. He, X. Zhang, S. Ren, J. Sun, "Deep residual learning for image recognition", CVPR 2016, section 4.2 (n = 3),
    https://arxiv.org/abs/1512.03385
Differs from the paper: one channel of colour (the paper: three), and 28x28 pixels as it is trained here (the paper:
    32x32; it takes any size).  The shortcuts are the paper's: where the map is halved they take every second pixel
    and fill the new channels with zeros, which costs no parameters (its option A).
Parameters: 269,434
    The paper says 0.27 million; with three channels of colour it is 269,722.
Licence: written for Striate, Apache-2.0
"""

from collections import OrderedDict
from typing import Final

from torch import Tensor, nn
from torch.nn.functional import pad

PAPER: Final = "Deep residual learning for image recognition (2016), https://arxiv.org/abs/1512.03385"

_BLOCKS: Final = 3


def build() -> nn.Sequential:
    """ResNet-20 with random weights, drawn as He et al. do (https://arxiv.org/abs/1502.01852).

    Shape:
        (N, 1, height, width) float32, normalised, to logits (N, 10); the shapes below are those of 28x28 pixels.
    """
    layers: list[tuple[str, nn.Module]] = [
        ("conv1", nn.Conv2d(1, 16, kernel_size=3, padding=1, bias=False)),  # (N, 16, 28, 28)
        ("bn1", nn.BatchNorm2d(16)),
        ("relu", nn.ReLU()),
        ("layer1", _stage(16, 16)),  # (N, 16, 28, 28)
        ("layer2", _stage(16, 32)),  # (N, 32, 14, 14)
        ("layer3", _stage(32, 64)),  # (N, 64, 7, 7)
        ("avgpool", nn.AdaptiveAvgPool2d(1)),  # (N, 64, 1, 1)
        ("flatten", nn.Flatten()),  # (N, 64)
        ("fc", nn.Linear(64, 10)),
    ]
    network = nn.Sequential(OrderedDict(layers))
    for module in network.modules():
        if isinstance(module, nn.Conv2d):
            nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
    return network


def _stage(channels: int, wider: int) -> nn.Sequential:
    """Blocks in a row; the first one halves the map where it makes it wider."""
    return nn.Sequential(_Block(channels, wider), *(_Block(wider, wider) for _ in range(_BLOCKS - 1)))


class _Block(nn.Module):
    """Two convolutions and a shortcut around them."""

    def __init__(self, channels: int, wider: int) -> None:
        super().__init__()
        stride = 1 if wider == channels else 2
        self.conv1 = nn.Conv2d(channels, wider, kernel_size=3, stride=stride, padding=1, bias=False)
        self.bn1 = nn.BatchNorm2d(wider)
        self.relu1 = nn.ReLU()
        self.conv2 = nn.Conv2d(wider, wider, kernel_size=3, padding=1, bias=False)
        self.bn2 = nn.BatchNorm2d(wider)
        self.shortcut = nn.Identity() if wider == channels else _Halved(wider - channels)
        self.relu2 = nn.ReLU()

    def forward(self, x: Tensor) -> Tensor:
        branch = self.bn2(self.conv2(self.relu1(self.bn1(self.conv1(x)))))
        sum_: Tensor = self.relu2(branch + self.shortcut(x))
        return sum_


class _Halved(nn.Module):
    """Every second pixel, and channels of zeros, half of them in front and half behind."""

    def __init__(self, more: int) -> None:
        super().__init__()
        self.more = more

    def forward(self, x: Tensor) -> Tensor:
        # (N, C, H, W) to (N, C + more, ceil(H / 2), ceil(W / 2))
        return pad(x[:, :, ::2, ::2], (0, 0, 0, 0, self.more // 2, self.more - self.more // 2))

"""Convolution as mathematics defines it, and what goes with it: padding and sizes.

Source: I. Goodfellow, Y. Bengio, A. Courville, "Deep learning", MIT Press 2016, chapter 9.1 and 9.5,
    https://www.deeplearningbook.org/contents/convnets.html
"""

from torch import Tensor, nn

Size = tuple[int, int]
"""Height and width."""


class Convolution(nn.Conv2d):
    """`S(i, j) = Σ I(i - m, j - n) K(m, n)`: the kernel is flipped, so that input and kernel can change places.

    `nn.Conv2d`, whose arguments it takes, does not flip: that is cross-correlation.
    """

    def forward(self, input: Tensor) -> Tensor:  # noqa: A002  (PyTorch's name of it)
        """Convolve.

        Shape:
            input (N, C, H, W), to (N, channels, rows, columns), each as `output_size` says.
        """
        sums: Tensor = self._conv_forward(input, self.weight.flip(2, 3), self.bias)
        return sums


def full_padding(kernel: Size, *, dilation: int = 1) -> Size:
    """The padding at each end with which every pixel is seen by as many units as the kernel has weights.

    The map grows by `kernel - 1`.  Without padding (valid) it shrinks by as much; with half of it (same) it stays.

    >>> full_padding((3, 5))
    (2, 4)
    """
    return (kernel[0] - 1) * dilation, (kernel[1] - 1) * dilation


def output_size(size: int, kernel: int, *, padding: int = 0, stride: int = 1, dilation: int = 1) -> int:
    """The units of one axis behind a convolution or a pooling: `(W - F + 2P) / S + 1`, rounded down.

    Args:
        size: W, the units before it.
        kernel: F, the units that the kernel covers where it is not dilated.
        padding: P, at each end.
        stride: S, units from one place of the kernel to the next.
        dilation: Units from one value of the kernel to the next.

    >>> output_size(28, 5)
    24
    """
    covered = (kernel - 1) * dilation + 1
    return (size - covered + 2 * padding) // stride + 1

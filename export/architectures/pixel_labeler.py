"""A recurrent network that labels every pixel: a first guess, and two more that look at the guesses of the neighbours.

Paper: P. H. O. Pinheiro, R. Collobert, "Recurrent convolutional neural networks for scene labeling", ICML 2014,
    https://proceedings.mlr.press/v32/pinheiro14.html; drawn as in I. Goodfellow, Y. Bengio, A. Courville, "Deep
    learning", MIT Press 2016, figure 9.17, https://www.deeplearningbook.org/contents/convnets.html
Differs from the paper: the form is the book's, whose U, W and V are called `see`, `neighbours` and `score` here.  All
    guesses are made at the full size of the image (the paper: a scaled image goes in again each time, and pooling makes
    the map of labels smaller).  Sizes and number of maps are chosen for a quick demonstration; the 8 classes are as
    many as those of the paper's Stanford Background data set.
Parameters: 4,552
Licence: written for Striate, Apache-2.0
"""

from typing import Final

from torch import Tensor, nn

from service.metadata import ClassOutput

PAPER: Final = (
    "Recurrent convolutional neural networks for scene labeling (2014), "
    "https://proceedings.mlr.press/v32/pinheiro14.html"
)
OUTPUT: Final = ClassOutput(name="pixel_probabilities", values="none", labels=None)

_CLASSES: Final = 8
_HIDDEN: Final = 16
_REFINEMENTS: Final = 2


class PixelLabeler(nn.Module):
    """`S[i, j, k]`, the probability that the pixel in row j and column k is of class i, guessed and refined.

    The weights are the same each time.  Each guess is a call of `guess`: `guess:1` is the first.
    """

    def __init__(self) -> None:
        super().__init__()
        self.see = nn.Conv2d(3, _HIDDEN, 5, padding=2)
        self.neighbours = nn.Conv2d(_CLASSES, _HIDDEN, 5, padding=2, bias=False)
        self.relu = nn.ReLU()
        self.score = nn.Conv2d(_HIDDEN, _CLASSES, 1)
        self.guess = nn.Softmax(dim=1)

    def forward(self, images: Tensor) -> Tensor:
        """Label.

        Shape:
            images (N, 3, H, W) float32, to probabilities (N, 8, H, W).
        """
        seen = self.see(images)  # (N, 16, H, W)
        guess: Tensor = self.guess(self.score(self.relu(seen)))  # (N, 8, H, W)
        for _ in range(_REFINEMENTS):
            guess = self.guess(self.score(self.relu(seen + self.neighbours(guess))))
        return guess


def build() -> nn.Module:
    """The labeler with random weights.

    Shape:
        (N, 3, H, W) float32, normalised, any size, to probabilities (N, 8, H, W), which add up to 1 over the classes.
    """
    return PixelLabeler()

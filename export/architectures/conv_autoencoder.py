"""A convolutional autoencoder: an image becomes a code of half its numbers, and the code an image like it.

Paper: J. Masci, U. Meier, D. Cireşan, J. Schmidhuber, "Stacked convolutional auto-encoders for hierarchical feature
    extraction", ICANN 2011, https://doi.org/10.1007/978-3-642-21735-7_7; the decoder follows H. Noh, S. Hong, B. Han,
    "Learning deconvolution network for semantic segmentation", ICCV 2015, https://arxiv.org/abs/1505.04366
Differs from the paper: trained as a whole (the paper: layer by layer), with ReLU (the paper: scaled tanh); the decoder
    has weights of its own (the paper: those of the encoder, turned round), and goes back from 7x7 by max unpooling and
    from 14x14 by a transposed convolution with stride 2, so that both can be seen.
Parameters: 18,329
Licence: written for Striate, Apache-2.0
"""

from typing import Final

from torch import Tensor, nn

from export.blocks.three_stages import ThreeStages
from export.blocks.unpooling import MaxPoolWithPositions, MaxUnpool
from service.metadata import ClassOutput

PAPER: Final = (
    "Stacked convolutional auto-encoders for hierarchical feature extraction (2011), "
    "https://doi.org/10.1007/978-3-642-21735-7_7"
)
OUTPUT: Final = ClassOutput(name="reconstruction", values="none", labels=None)


class ConvAutoencoder(nn.Module):
    """`h(x) ≈ x`, where `x` has to pass through a code.

    What else passes is where the largest values of `encode2` were.
    """

    def __init__(self) -> None:
        super().__init__()
        self.encode1 = ThreeStages(nn.Conv2d(1, 16, 3, padding=1), nn.ReLU(), nn.MaxPool2d(2))
        self.encode2 = ThreeStages(nn.Conv2d(16, 32, 3, padding=1), nn.ReLU(), MaxPoolWithPositions(2))
        self.bottleneck = nn.Conv2d(32, 8, 3, padding=1)
        self.widen = nn.Conv2d(8, 32, 3, padding=1)
        self.relu1 = nn.ReLU()
        self.unpool = MaxUnpool(2)
        self.decode = nn.Conv2d(32, 16, 3, padding=1)
        self.relu2 = nn.ReLU()
        self.upsample = nn.ConvTranspose2d(16, 16, 4, stride=2, padding=1)
        self.relu3 = nn.ReLU()
        self.draw = nn.Conv2d(16, 1, 3, padding=1)
        self.reconstruction = nn.Sigmoid()

    def forward(self, images: Tensor) -> Tensor:
        """Encode and decode.

        Shape:
            images (N, 1, 28, 28) float32, from 0 to 1, and so the reconstructions.
        """
        maps = self.encode1(images)  # (N, 16, 14, 14)
        maps, positions = self.encode2(maps)  # (N, 32, 7, 7) each
        code = self.bottleneck(maps)  # (N, 8, 7, 7)
        maps = self.relu1(self.widen(code))  # (N, 32, 7, 7)
        maps = self.unpool(maps, positions)  # (N, 32, 14, 14)
        maps = self.relu2(self.decode(maps))  # (N, 16, 14, 14)
        maps = self.relu3(self.upsample(maps))  # (N, 16, 28, 28)
        reconstructions: Tensor = self.reconstruction(self.draw(maps))  # (N, 1, 28, 28)
        return reconstructions


def build() -> nn.Module:
    """The autoencoder with random weights.

    Shape:
        (N, 1, 28, 28) float32, from 0 to 1, to reconstructions (N, 1, 28, 28), from 0 to 1.
    """
    return ConvAutoencoder()

"""The names of the classes of each data set, in the order of the outputs."""

from collections.abc import Callable, Mapping
from typing import Final

from torchvision.models import EfficientNet_B0_Weights

FASHION_MNIST: Final = (
    "T-shirt/top",
    "Trouser",
    "Pullover",
    "Dress",
    "Coat",
    "Sandal",
    "Shirt",
    "Sneaker",
    "Bag",
    "Ankle boot",
)
MNIST: Final = tuple("0123456789")
CIFAR_10: Final = ("airplane", "automobile", "bird", "cat", "deer", "dog", "frog", "horse", "ship", "truck")


def imagenet() -> tuple[str, ...]:
    """The 1,000 names that torchvision publishes with its weights (the same for each of its networks)."""
    return tuple(EfficientNet_B0_Weights.IMAGENET1K_V1.meta["categories"])


LABELS: Final[Mapping[str, Callable[[], tuple[str, ...]]]] = {
    "cifar-10": lambda: CIFAR_10,
    "fashion-mnist": lambda: FASHION_MNIST,
    "imagenet-1k": imagenet,
    "mnist": lambda: MNIST,
}

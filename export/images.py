"""Pictures with their classes, and a data set of them in three parts."""

import hashlib
from dataclasses import dataclass

import numpy as np
from torch import Tensor


@dataclass(frozen=True)
class Images:
    """Pictures with their classes.

    Args:
        pixels: 0 to 255.
        labels: The number of the class of each, from 0.

    Shape:
        pixels (N, height, width, C) uint8; labels (N,) int64.
    """

    pixels: Tensor
    labels: Tensor

    def __len__(self) -> int:
        """The number of pictures."""
        return len(self.labels)

    def take(self, indices: Tensor) -> "Images":
        """Some of the pictures, in another order.

        Shape:
            indices (M,) int64.
        """
        return Images(self.pixels[indices], self.labels[indices])


@dataclass(frozen=True)
class Splits:
    """A data set in three parts: to learn from, to choose the best epoch by, and to measure on.

    Args:
        train: To learn from.
        validation: To choose the best epoch by.
        test: To measure on.
        classes: The name of each class, in order.
        about: What the data set is, for people.
    """

    train: Images
    validation: Images
    test: Images
    classes: tuple[str, ...]
    about: str

    def digest(self) -> str:
        """SHA-256 of what is learnt from, so that a training never goes on with other images than it began with."""
        hashed = hashlib.sha256()
        for images in (self.train, self.validation):
            hashed.update(np.ascontiguousarray(images.pixels).data)
            hashed.update(np.ascontiguousarray(images.labels).data)
        return hashed.hexdigest()

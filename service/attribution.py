"""Where in an image the evidence for a class is: the arithmetic of four methods, none of which needs a gradient.

Values are not scaled: what they count is said for each method.
"""

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

Floats = NDArray[np.float32]
Pixels = NDArray[np.uint8]

# Images (n, height, width, C) to the score of a class in each, (n,).
Scorer = Callable[[Pixels], NDArray[np.floating]]

_BATCH: Final = 8  # images in one run


def class_activation_map(maps: Floats, weights: Floats) -> Floats:
    """The maps in front of global average pooling, weighted as the linear layer behind it weights their means.

    The mean of the result, with the bias of the class, is its logit: each place has its share.  It is Grad-CAM of
    those maps, times the number of places, before the rectifier.  With the difference of two classes' weights it tells
    why the one rather than the other, and the mean is the difference of their logits, but for the biases.

    B. Zhou et al., "Learning Deep Features for Discriminative Localization", https://arxiv.org/abs/1512.04150;
    R. R. Selvaraju et al., "Grad-CAM", https://arxiv.org/abs/1610.02391; for two classes Z. Zhang et al.,
    "Finer-CAM", https://arxiv.org/abs/2501.11309 (with alpha = 1 and one other class).

    Shape:
        maps: (C, H, W).  weights: (C,).  Returns (H, W).
    """
    found: Floats = np.einsum("c,chw->hw", weights, maps, dtype=np.float64).astype(np.float32)
    return found


def eigen_cam(maps: Floats) -> Floats:
    """The maps projected on the direction in which they answer most; no class is asked for.

    The direction is the first right singular vector of the matrix (places, channels), not centred, as the paper has
    it.  Its sign is free: the one is taken with which the mean of the result is not negative.

    M. B. Muhammad, M. Yeasin, "Eigen-CAM", https://arxiv.org/abs/2008.00299.

    Shape:
        maps: (C, H, W).  Returns (H, W).
    """
    channels, height, width = maps.shape
    places = np.nan_to_num(maps).reshape(channels, -1).T.astype(np.float64)  # (H * W, C)
    # Of the two matrices of products the smaller one: both lead to the same projection.
    if len(places) < channels:
        values, vectors = np.linalg.eigh(places @ places.T)  # ascending
        projection = vectors[:, -1] * np.sqrt(max(values[-1], 0.0))  # (H * W,)
    else:
        projection = places @ np.linalg.eigh(places.T @ places)[1][:, -1]
    sign = -1.0 if projection.sum() < 0 else 1.0
    found: Floats = (sign * projection).reshape(height, width).astype(np.float32)
    return found


def strongest(maps: Floats, count: int) -> NDArray[np.int64]:
    """The numbers of the channels with the largest means, the largest first.

    Shape:
        maps: (C, H, W).  Returns (count,), or (C,) where there are fewer.
    """
    means = np.nan_to_num(maps).mean(axis=(1, 2))  # (C,)
    return np.argsort(-means, kind="stable")[:count]


def score_cam(image: Pixels, maps: Floats, score: Scorer, baseline: NDArray[np.floating]) -> Floats:
    """The maps weighted by the score of the class where only what each map marks is seen.

    Each map, enlarged to the image and stretched from 0 to 1, is a mask.  Masking is done on the bytes that the
    network sees: `baseline + mask * (image - baseline)`, rounded.  With the mean colour for a baseline that is the
    paper's product of mask and normalised image.  The weights are the softmax of the scores.

    H. Wang et al., "Score-CAM", https://arxiv.org/abs/1910.01279.

    Args:
        image: What the network sees.
        maps: Of this image; each costs one run.
        score: Of the class.
        baseline: The colour of what is hidden, 0 to 255.

    Shape:
        image: (height, width, C).  maps: (K, H, W).  baseline: (C,).  Returns (H, W).
    """
    scores = _scores((_masked(image, one, baseline) for one in maps), score)  # (K,)
    weights = np.exp(scores - scores.max())
    return class_activation_map(maps, (weights / weights.sum()).astype(np.float32))


@dataclass(frozen=True)
class Windows:
    """Squares that cover an image row by row; the last of a row or column is moved in, up to the edge.

    Args:
        height: Of the image, in pixels.
        width: Of the image, in pixels.
        side: Of a square, in pixels.
        stride: From one square to the next, in pixels.
    """

    height: int
    width: int
    side: int
    stride: int

    def __len__(self) -> int:
        return len(_starts(self.height, self.side, self.stride)) * len(_starts(self.width, self.side, self.stride))

    def __iter__(self) -> Iterator[tuple[slice, slice]]:
        """Rows and columns of each square."""
        for top in _starts(self.height, self.side, self.stride):
            for left in _starts(self.width, self.side, self.stride):
                yield slice(top, top + self.side), slice(left, left + self.side)


def occlusion(image: Pixels, windows: Windows, score: Scorer, baseline: NDArray[np.floating]) -> Floats:
    """By how much the score of the class falls when a place is hidden, averaged over the windows that hide it.

    M. D. Zeiler, R. Fergus, "Visualizing and Understanding Convolutional Networks", https://arxiv.org/abs/1311.2901;
    windows that overlap are averaged as in Captum's `Occlusion`.

    Args:
        image: What the network sees.
        windows: What is hidden, one after the other; each costs one run.
        score: Of the class.
        baseline: The colour of what is hidden, 0 to 255.

    Shape:
        image: (height, width, C).  baseline: (C,).  Returns (height, width).
    """
    colour = np.rint(baseline).astype(np.uint8)
    drops = float(score(image[np.newaxis])[0]) - _scores((_hidden(image, w, colour) for w in windows), score)
    total, count = np.zeros((2, *image.shape[:2]))
    for window, drop in zip(windows, drops, strict=True):
        total[window] += drop
        count[window] += 1
    found: Floats = (total / count).astype(np.float32)
    return found


def resized(values: NDArray[np.floating], height: int, width: int, resampling: Image.Resampling) -> Floats:
    """Enlarge or shrink one map; values are interpolated between the centres of its cells.

    Shape:
        values: (H, W).  Returns (height, width).
    """
    return np.asarray(Image.fromarray(values.astype(np.float32)).resize((width, height), resampling))


def _masked(image: Pixels, values: Floats, baseline: NDArray[np.floating]) -> Pixels:
    mask = resized(np.nan_to_num(values), image.shape[0], image.shape[1], Image.Resampling.BILINEAR)  # (height, width)
    low, high = mask.min(), mask.max()
    # A map that is the same everywhere marks nothing.
    mask = (mask - low) / (high - low) if high > low else np.zeros_like(mask)
    seen: Pixels = np.rint(baseline + mask[..., np.newaxis] * (image - baseline)).astype(np.uint8)
    return seen


def _hidden(image: Pixels, window: tuple[slice, slice], colour: Pixels) -> Pixels:
    hidden = image.copy()
    hidden[window] = colour
    return hidden


def _scores(images: Iterable[Pixels], score: Scorer) -> NDArray[np.float64]:
    """The scores of images, of which a few at a time are made."""
    waiting, found = iter(images), list[NDArray[np.floating]]()
    while some := list(islice(waiting, _BATCH)):
        found.append(score(np.stack(some)))
    return np.concatenate(found).astype(np.float64)


def _starts(length: int, side: int, stride: int) -> list[int]:
    """Where windows start along an axis; the last one ends at its end."""
    last = length - side
    starts = list(range(0, last, stride))
    return [*starts, last]

"""Which pixels reach a unit, found by trying: the measure of every receptive field that is said to be one."""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from service.receptive_field import Box
from service.runtime import Array, Session, open_device

# A network without biases whose weights are all positive gives 0 for a black picture, and more than 0 exactly where a
# bright pixel reaches: nothing cancels out, and nothing is too small to be seen.


def session(model: ModelProto) -> Session:
    """A session on the CPU."""
    return Session(model, device=open_device("cpu"), threads=2)


def reached(run: Session, pictures: NDArray[np.float32], *, channels_last: bool = False) -> Array:
    """Which units of the map of each picture are above 0, in any channel.

    Shape:
        pictures: as the model takes them.  Returns (N, rows, columns) bool.
    """
    (name,) = run.inputs
    (values,) = run.run({name: pictures}).values()
    return np.asarray((values > 0).any(axis=-1 if channels_last else 1))


def boxes(run: Session, shape: Sequence[int]) -> list[list[Box]]:
    """The smallest box around the pixels that reach each unit, by lighting up every pixel on its own.

    Args:
        run: A network from (N, C, height, width) to maps.
        shape: (C, height, width).
    """
    channels, height, width = shape
    pictures = np.zeros((height * width, channels, height, width), np.float32)
    for i in range(height * width):
        pictures[i, :, i // width, i % width] = 1
    hits = reached(run, pictures).reshape(height, width, *reached(run, pictures[:1]).shape[1:])
    return [[_around(hits[:, :, row, column]) for column in range(hits.shape[3])] for row in range(hits.shape[2])]


def _around(hit: NDArray[np.bool_]) -> Box:
    rows, columns = np.flatnonzero(hit.any(axis=1)), np.flatnonzero(hit.any(axis=0))
    if not len(rows):
        return Box(0, 0, 0, 0)
    return Box(int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1)


def inside_and_outside(box: Box, shape: Sequence[int]) -> tuple[NDArray[np.float32], list[NDArray[np.float32]]]:
    """Pictures that tell whether a box is the smallest one.

    Args:
        box: Of a unit.
        shape: (C, height, width) of the picture.

    Returns:
        One picture that is bright everywhere but in the box, and four that are black but for its first row, last row,
        first column and last column.
    """
    outside = np.ones((1, *shape), np.float32)
    outside[..., box.top : box.bottom, box.left : box.right] = 0
    edges = []
    for rows, columns in (
        (slice(box.top, box.top + 1), slice(box.left, box.right)),
        (slice(box.bottom - 1, box.bottom), slice(box.left, box.right)),
        (slice(box.top, box.bottom), slice(box.left, box.left + 1)),
        (slice(box.top, box.bottom), slice(box.right - 1, box.right)),
    ):
        edge = np.zeros((1, *shape), np.float32)
        edge[..., rows, columns] = 1
        edges.append(edge)
    return outside, edges

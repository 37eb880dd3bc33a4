"""The classification extension: the best classes of an output, as strings `value:index:label`."""

import math
from collections.abc import Sequence

import numpy as np

from service.errors import ParameterError
from service.protocol.datatypes import Datatype
from service.protocol.tensors import Array


def classes(
    array: Array, name: str, datatype: Datatype, labels: Sequence[str] | None, *, top_k: int, batched: bool
) -> Array:
    """The best classes, the best first; of equal values the lower index first, and NaN last.

    Args:
        array: An output.
        name: Its name, for messages.
        datatype: Its datatype.
        labels: Of each class, or None.
        top_k: How many classes are wanted; where there are fewer, all are given.
        batched: Whether the first axis is that of the batch.

    Shape:
        array: (N, …) where it is batched; what is behind N is taken as one axis.  Returns (N, k) or (k,), elements
            `bytes`.

    Raises:
        ParameterError: Its values cannot be put in order.

    >>> from service.protocol.datatypes import FP32
    >>> classes(np.array([[0.1, 0.7]], "<f4"), "y", FP32, ["cat", "dog"], top_k=1, batched=True).tolist()
    [[b'0.700000:1:dog']]
    """
    if datatype.kind not in ("int", "float") or datatype.name == "FP16":
        raise ParameterError(
            f"class result not available for output {name!r}, whose datatype is {datatype.name};"
            " accepted: integers, FP32, FP64"
        )
    rows = array.reshape(len(array), math.prod(array.shape[1:])) if batched else array.reshape(1, -1)  # (N, values)
    top_k = min(top_k, rows.shape[1])
    found = np.empty((len(rows), top_k), object)
    for row, texts in zip(rows, found, strict=True):
        texts[:] = [_text(row[i], int(i), labels) for i in _order(row)[:top_k]]
    return found if batched else found[0]


def _order(row: Array) -> Array:
    """Indices from the largest value to the smallest."""
    keys = np.where(np.isnan(row), -np.inf, row) if row.dtype.kind == "f" else row
    # Sorted from behind and turned round, so that of equal values the first comes first, also for unsigned types.
    order: Array = len(row) - 1 - np.argsort(keys[::-1], kind="stable")[::-1]
    return order


def _text(value: np.generic, index: int, labels: Sequence[str] | None) -> bytes:
    number = f"{value:f}" if value.dtype.kind == "f" else str(value)
    label = f":{labels[index]}" if labels is not None and index < len(labels) else ""
    return f"{number}:{index}{label}".encode()

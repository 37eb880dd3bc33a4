"""Probabilities become the best classes."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import orjson
from numpy.typing import NDArray

from service.errors import ParameterError


@dataclass(frozen=True)
class Prediction:
    """One class of one image: its number from 0, its label (None where there are none), its probability."""

    class_id: int
    label: str | None
    probability: float


def best(probabilities: NDArray[np.float32], labels: Sequence[str] | None, *, top_k: int) -> tuple[Prediction, ...]:
    """The most probable classes of one image, the best first; of equal ones the lower number first.

    Args:
        probabilities: Of each class.
        labels: Of each class, or None.
        top_k: How many are wanted, from 1 to the number of classes.

    Shape:
        probabilities: (classes,).

    Raises:
        ParameterError: `top_k` is out of range.

    >>> best(np.array([0.2, 0.7, 0.1], np.float32), ["cat", "dog", "owl"], top_k=1)
    (Prediction(class_id=1, label='dog', probability=0.7),)
    """
    check_top_k(top_k, classes=len(probabilities))
    order = (-probabilities).argsort(kind="stable")[:top_k]  # (top_k,)
    names: Sequence[str | None] = labels if labels is not None else [None] * len(probabilities)
    return tuple(
        Prediction(i, names[i], p) for i, p in zip(order.tolist(), _shortest(probabilities[order]), strict=True)
    )


def _shortest(values: NDArray[np.float32]) -> list[float]:
    """The decimals with the fewest digits that are these float32: 0.7, where plain conversion gives 0.699999988079071.

    A formatter that knows float32 writes them, and they are read again: several at once, since each by itself takes as
    long as all.
    """
    found: list[float | None] = orjson.loads(orjson.dumps(values, option=orjson.OPT_SERIALIZE_NUMPY))
    # JSON has no NaN, which a network may put out all the same.
    if None in found:
        return [float(value) for value in values]
    return found  # type: ignore[return-value]  # there is no None


def check_top_k(top_k: int, *, classes: int) -> None:
    """Refuse a number of classes that a model does not have.

    Raises:
        ParameterError: `top_k` is out of range.
    """
    if not 1 <= top_k <= classes:
        raise ParameterError(f"top_k is {top_k}; accepted: 1 to {classes}, the number of classes of this model")

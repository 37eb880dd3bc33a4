"""What the output of a layer is like, in a few numbers."""

from dataclasses import dataclass
from typing import Final

import numpy as np
from numpy.typing import NDArray

QUANTILES: Final = (0.01, 0.05, 0.25, 0.5, 0.75, 0.95, 0.99)


@dataclass(frozen=True)
class Statistics:
    """The output of one layer for one image.

    Mean, deviation, extremes and quantiles are of the finite values; None where there are none.

    Args:
        values: How many numbers there are.
        mean: Their mean.
        deviation: Their standard deviation (divided by n).
        min: The smallest.
        max: The largest.
        quantiles: Each of `QUANTILES` and its value, linearly interpolated.
        sparsity: The part of all values that is exactly 0, from 0 to 1.
        dead_channels: The numbers of the channels that are 0 everywhere.
        nan: How many are not a number.
        infinite: How many are infinite.
    """

    values: int
    mean: float | None
    deviation: float | None
    min: float | None
    max: float | None
    quantiles: dict[str, float | None]
    sparsity: float
    dead_channels: list[int]
    nan: int
    infinite: int


def statistics(data: NDArray[np.float32]) -> Statistics:
    """Describe the output of a layer for one image.

    Shape:
        data: (C, …).
    """
    finite = data[np.isfinite(data)].astype(np.float64)  # (values,)
    quantiles = np.quantile(finite, QUANTILES).tolist() if finite.size else [None] * len(QUANTILES)
    zeros = (data == 0).reshape(len(data), -1)  # (C, values)
    return Statistics(
        values=data.size,
        mean=_number(finite.mean()) if finite.size else None,
        deviation=_number(finite.std()) if finite.size else None,
        min=_number(finite.min()) if finite.size else None,
        max=_number(finite.max()) if finite.size else None,
        quantiles={str(q): value for q, value in zip(QUANTILES, quantiles, strict=True)},
        sparsity=_number(zeros.mean()) if data.size else 0.0,
        dead_channels=np.flatnonzero(zeros.all(axis=1)).tolist() if data.size else [],
        nan=int(np.isnan(data).sum()),
        infinite=int(np.isinf(data).sum()),
    )


def _number(value: np.floating) -> float:
    return float(value)

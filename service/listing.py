"""The layer table as text, for people."""

from collections.abc import Iterable, Sequence
from typing import Final

from service.layers import Layer, LayerTable
from service.receptive_field import ReceptiveField

_HEAD: Final = (
    "index",
    "layer",
    "operator",
    "shape",
    "kernel/stride",
    "receptive field",
    "parameters",
    "multiply-adds",
    "share",
)
_NUMBERS: Final = frozenset({"index", "parameters", "multiply-adds", "share"})


def text(layers: LayerTable) -> str:
    """The table: a line for each layer.

    `share` is what has to be computed to get a layer, in % of the multiply-adds of the whole model.
    """
    return _aligned([_HEAD, *(_row(layer, layers.multiply_adds) for layer in layers)])


def _row(layer: Layer, total: int | None) -> tuple[str, ...]:
    work = layer.cost.multiply_adds if layer.cost else None
    return (
        str(layer.index),
        layer.path,
        layer.operator,
        shape(layer.shape),
        _window(layer),
        _seen(layer.receptive_field),
        f"{layer.parameters:,}",
        "?" if work is None else f"{work:,}",
        _share(layer, total),
    )


def shape(sizes: Sequence[int | None] | None) -> str:
    """Sizes with a cross between them, `?` for one that is not fixed.

    >>> shape((64, None, 56)), shape(None)
    ('64x?x56', 'unknown')
    """
    return "unknown" if sizes is None else _crossed("?" if size is None else size for size in sizes)


def _window(layer: Layer) -> str:
    return f"{_crossed(layer.window.kernel)}/{_crossed(layer.window.stride)}" if layer.window else ""


def _seen(field: ReceptiveField) -> str:
    if field.status in ("unknown", "whole input") or field.size is None or field.step is None:
        return field.status
    bound = "at most " if field.status == "upper bound" else ""
    return f"{bound}{_crossed(field.size)} step {_crossed(f'{step:g}' for step in field.step)}"


def _share(layer: Layer, total: int | None) -> str:
    done = layer.cost.cumulative.multiply_adds if layer.cost else None
    return "?" if done is None or not total else f"{100 * done / total:.1f} %"


def _crossed(values: Iterable[object]) -> str:
    return "x".join(map(str, values))


def _aligned(rows: Sequence[Sequence[str]]) -> str:
    widths = [max(map(len, column)) for column in zip(*rows, strict=True)]
    return "".join(_line(row, widths) + "\n" for row in rows)


def _line(row: Sequence[str], widths: Sequence[int]) -> str:
    cells = (
        cell.rjust(width) if name in _NUMBERS else cell.ljust(width)
        for name, cell, width in zip(_HEAD, row, widths, strict=True)
    )
    return "  ".join(cells).rstrip()

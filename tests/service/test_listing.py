"""Promises of service.listing."""

import re

from service import layers, listing
from tests import tiny_models


def test_a_table_has_a_line_for_each_layer() -> None:
    """With shares of the 7 multiply-adds of the whole network."""
    table = layers.table(tiny_models.brightness(), tiny_models.LAYERS)
    head, *rows = [re.split("  +", line.strip()) for line in listing.text(table).splitlines()]
    assert head == [
        *("index", "layer", "operator", "shape", "kernel/stride", "receptive field"),
        *("parameters", "multiply-adds", "share"),
    ]
    assert rows == [
        ["0", "conv", "Conv", "1x2x2", "1x1/1x1", "1x1 step 1x1", "2", "4", "57.1 %"],
        ["1", "block.relu", "Relu", "1x2x2", "1x1 step 1x1", "0", "0", "57.1 %"],
        ["2", "pool", "GlobalAveragePool", "1x1x1", "whole input", "0", "0", "57.1 %"],
        ["3", "head", "Gemm", "3", "whole input", "6", "3", "100.0 %"],
    ]


def test_columns_stand_below_each_other() -> None:
    """Text to the left, numbers to the right."""
    lines = listing.text(layers.table(tiny_models.brightness(), tiny_models.LAYERS)).splitlines()
    assert {
        line.index(cell) for line, cell in zip(lines, ("operator", "Conv", "Relu", "Global", "Gemm"), strict=True)
    } == {lines[0].index("operator")}
    assert len({len(line) for line in lines}) == 1

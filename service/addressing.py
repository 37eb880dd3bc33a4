"""Names of layers in a request become layers of a table.

A name is one layer (path, alias, index, tensor), or several: a glob (`layer3.*.conv2`), an operator (`type:Conv`).
`default` is the last map that has an extent: what comes before the head pools it away.
"""

import difflib
import fnmatch
import re
from collections.abc import Sequence
from typing import Final

from service.errors import AnswerTooLargeError, ParameterError, UnknownLayerError
from service.layers import Layer, LayerTable

DEFAULT: Final = "default"
OPERATOR_PREFIX: Final = "type:"

# Each is compared with every layer, while nothing else is answered.
MOST_PATTERNS: Final = 100
LONGEST_PATTERN: Final = 1_000

_GLOB: Final = frozenset("*?[")


def find_layers(table: LayerTable, names: Sequence[str]) -> tuple[Layer, ...]:
    """Find the layers of a request, in the order in which they were asked for.

    What several globs match comes once; a layer that is named outright twice is an error.

    Raises:
        UnknownLayerError: Nothing has one of these names.
        ParameterError: There are no names, more patterns than anybody needs, or two names are the same layer.
    """
    if not names:
        raise ParameterError(
            "layer is missing: give a path, an alias, an index, a glob, type:OPERATOR or default, once for each layer"
        )
    patterns = sum(not _GLOB.isdisjoint(name) for name in names)
    if patterns > MOST_PATTERNS:
        raise ParameterError(f"layer is given as {patterns} patterns; at most {MOST_PATTERNS} are accepted")
    found: dict[Layer, bool] = {}
    for name in names:
        layers = match(table, name)
        outright = len(layers) == 1
        if outright and found.get(layers[0]):
            raise ParameterError(f"layer names {layers[0].path!r} twice: {', '.join(names)}")
        found |= {layer: outright or found.get(layer, False) for layer in layers}
    return tuple(found)


def check_count(count: int, *, most: int) -> None:
    """Refuse to answer with more layers than are allowed.

    Raises:
        AnswerTooLargeError: There are more than `most`.
    """
    if count > most:
        raise AnswerTooLargeError(f"{count:,} layers are asked for; {most:,} are allowed (setting max_layers)")


def find_one(table: LayerTable, name: str) -> Layer:
    """Find the one layer that a name stands for.

    Raises:
        UnknownLayerError: It stands for none.
        ParameterError: It stands for several.
    """
    found = match(table, name)
    if len(found) > 1:
        first = ", ".join(layer.path for layer in found[:3])
        raise ParameterError(f"layer is {name!r}, which {len(found)} layers match ({first}, …); accepted is one layer")
    return found[0]


def match(table: LayerTable, name: str) -> tuple[Layer, ...]:
    """Every layer that a name stands for: a name of the table goes before a pattern.

    Raises:
        UnknownLayerError: It stands for none.
        ParameterError: It is longer than any name of a layer.
    """
    if len(name) > LONGEST_PATTERN:
        raise ParameterError(f"a name in layer has {len(name):,} characters; at most {LONGEST_PATTERN:,} are accepted")
    try:
        return (table.find(name),)
    except UnknownLayerError:
        if name == DEFAULT:
            return (default_layer(table),)
        if name.startswith(OPERATOR_PREFIX):
            return _of_operator(table, name.removeprefix(OPERATOR_PREFIX))
        if _GLOB.isdisjoint(name):
            raise
    return _matching(table, name)


def default_layer(table: LayerTable) -> Layer:
    """The last layer whose output for an image is maps (C, H, W) of more than one value each.

    Raises:
        UnknownLayerError: There is none.
    """
    for layer in reversed(tuple(table)):
        if layer.shape is not None and len(layer.shape) == 3 and layer.shape[1:] != (1, 1):
            return layer
    raise UnknownLayerError("this model has no layer with spatial maps, which default would be")


def _of_operator(table: LayerTable, operator: str) -> tuple[Layer, ...]:
    found = tuple(layer for layer in table if layer.operator.lower() == operator.lower())
    if not found:
        operators = sorted({layer.operator for layer in table})
        nearest = difflib.get_close_matches(operator, operators, cutoff=0.4) or operators[:3]
        raise UnknownLayerError(
            f"no layer of type {operator!r}", nearest=[OPERATOR_PREFIX + operator for operator in nearest]
        )
    return found


def _matching(table: LayerTable, pattern: str) -> tuple[Layer, ...]:
    matches = re.compile(fnmatch.translate(pattern)).match
    found = tuple(layer for layer in table if any(map(matches, (layer.path, *layer.aliases))))
    if not found:
        plain = pattern.translate(dict.fromkeys(map(ord, _GLOB)))
        nearest = difflib.get_close_matches(plain, [layer.path for layer in table], cutoff=0.4)
        raise UnknownLayerError(f"no layer matches {pattern!r} among {len(table)}", nearest=nearest)
    return found

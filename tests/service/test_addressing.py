"""Promises of service.addressing."""

import contextlib

import pytest
from hypothesis import given
from hypothesis import strategies as st

from service import layers
from service.addressing import default_layer, find_layers, find_one
from service.errors import ParameterError, RequestError, UnknownLayerError
from service.metadata import LayerEntry
from tests import tiny_models

TABLE = layers.table(tiny_models.brightness(), tiny_models.LAYERS)


@pytest.fixture
def table() -> layers.LayerTable:
    """The layer table of `brightness`: conv, block.relu (alias block), pool, head."""
    return TABLE


@pytest.mark.parametrize(
    ("names", "paths"),
    [
        (["-1", "conv"], ["head", "conv"]),
        (["block*"], ["block.relu"]),
        (["*o*"], ["conv", "block.relu", "pool"]),
        (["?onv", "pool"], ["conv", "pool"]),
        (["*o*", "conv"], ["conv", "block.relu", "pool"]),
        (["pool", "*"], ["pool", "conv", "block.relu", "head"]),
        (["type:Conv"], ["conv"]),
        (["type:relu", "type:Gemm"], ["block.relu", "head"]),
        (["default"], ["block.relu"]),
    ],
)
def test_a_name_may_be_a_pattern(table: layers.LayerTable, names: list[str], paths: list[str]) -> None:
    """Globs over paths and aliases, operators, and the default; each layer once, in the order asked for."""
    assert [layer.path for layer in find_layers(table, names)] == paths


@pytest.mark.parametrize(
    ("names", "message"),
    [
        (["convv*"], r"no layer matches 'convv\*' among 4; the nearest: conv"),
        (["type:Conf"], "no layer of type 'Conf'; the nearest: type:Conv"),
        (["type:"], "no layer of type ''; the nearest: type:Conv"),
        (["conf"], "no layer 'conf'.*the nearest: conv"),
    ],
)
def test_what_stands_for_nothing_is_refused(table: layers.LayerTable, names: list[str], message: str) -> None:
    """With the nearest names."""
    with pytest.raises(UnknownLayerError, match=message):
        find_layers(table, names)


@pytest.mark.parametrize(
    ("names", "message"),
    [([], "layer is missing"), (["0", "conv"], "layer names 'conv' twice"), (["default", "block"], "twice")],
)
def test_no_layer_and_twice_the_same_are_refused(table: layers.LayerTable, names: list[str], message: str) -> None:
    """A layer that is named outright twice would come once only."""
    with pytest.raises(ParameterError, match=message):
        find_layers(table, names)


def test_a_name_goes_before_a_pattern() -> None:
    """A tensor from elsewhere may be called anything."""
    entries = [LayerEntry(path="default", tensor="conv_out", aliases=("*",))]
    table = layers.table(tiny_models.brightness(), entries)
    assert find_layers(table, ["*"]) == find_layers(table, ["default"]) == tuple(table)


def test_a_network_without_maps_has_no_default() -> None:
    """The error says so."""
    entries = [entry for entry in tiny_models.LAYERS if entry.path in ("pool", "head")]
    with pytest.raises(UnknownLayerError, match="no layer with spatial maps"):
        default_layer(layers.table(tiny_models.brightness(), entries))


def test_one_layer_is_found_by_any_of_its_names(table: layers.LayerTable) -> None:
    """By a pattern too, where it matches no other."""
    names = ("block", "1", "block*", "type:Relu", "default")
    assert {find_one(table, name).path for name in names} == {"block.relu"}


def test_several_layers_are_not_one(table: layers.LayerTable) -> None:
    """The error names some of them."""
    with pytest.raises(ParameterError, match=r"3 layers match \(conv, block.relu, pool, …\); accepted is one layer"):
        find_one(table, "*o*")


def test_patterns_are_limited_in_number_and_length(table: layers.LayerTable) -> None:
    """Each is compared with every layer: a query string has room for eight thousand."""
    assert len(find_layers(table, ["*"] * 100)) == 4
    with pytest.raises(ParameterError, match="layer is given as 101 patterns; at most 100 are accepted"):
        find_layers(table, ["*"] * 101)
    with pytest.raises(ParameterError, match="a name in layer has 60,000 characters; at most 1,000 are accepted"):
        find_layers(table, ["*a" * 30_000])


@given(
    names=st.lists(
        st.text(max_size=12) | st.text("*?[]!-co_nv.0", max_size=20) | st.text("a*", min_size=900, max_size=1_000),
        max_size=4,
    )
)
def test_no_name_escapes(names: list[str]) -> None:
    """Whatever is asked for, and however many stars it has: layers, or an error of ours."""
    with contextlib.suppress(RequestError, UnknownLayerError):
        assert find_layers(TABLE, names)

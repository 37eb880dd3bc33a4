"""Promises of service.layers."""

import numpy as np
import pytest
from onnx import helper

from service import layers
from service.errors import ParameterError, UnknownLayerError
from service.metadata import LayerEntry
from tests import tiny_models


@pytest.fixture
def table() -> layers.LayerTable:
    """The layer table of `brightness`: conv, block.relu (alias block), pool, head."""
    return layers.table(tiny_models.brightness(), tiny_models.LAYERS)


@pytest.mark.parametrize(
    ("name", "path"),
    [
        ("conv", "conv"),
        ("block", "block.relu"),
        ("block.relu", "block.relu"),
        ("0", "conv"),
        ("3", "head"),
        ("-1", "head"),
        ("-4", "conv"),
        ("relu_out", "block.relu"),
        ("tensor:relu_out", "block.relu"),
    ],
)
def test_a_layer_has_many_names(table: layers.LayerTable, name: str, path: str) -> None:
    """Path, alias, index from either end, and the name of the tensor."""
    assert table.find(name).path == path


@pytest.mark.parametrize("name", ["", "4", "-5", "99999999999999999999", "1.0", "²", "tensor:", "tensor:conv", "Conv"])
def test_a_name_that_is_not_known_is_refused(table: layers.LayerTable, name: str) -> None:
    """Neither beyond the ends, nor a number in disguise, nor a path where a tensor is meant."""
    with pytest.raises(UnknownLayerError, match="among 4 .index 0 to 3, or -1 to -4"):
        table.find(name)


def test_the_nearest_names_are_told(table: layers.LayerTable) -> None:
    """A misspelt name brings the right one."""
    with pytest.raises(UnknownLayerError) as raised:
        table.find("block.rleu")
    assert raised.value.nearest[0] == "block.relu"


def test_a_path_goes_before_an_index() -> None:
    """A plain sequence of modules has paths 0, 1, …: there, `1` is the module, not the second layer."""
    entries = [LayerEntry(path="1", tensor="conv_out", aliases=()), LayerEntry(path="0", tensor="relu_out", aliases=())]
    table = layers.table(tiny_models.brightness(), entries)
    assert table.find("1").tensor == "conv_out"


def test_several_layers_keep_their_order(table: layers.LayerTable) -> None:
    """Layers come in the order asked for."""
    assert [layer.path for layer in table.find_all(["-1", "conv"])] == ["head", "conv"]


@pytest.mark.parametrize(("names", "message"), [([], "layer is missing"), (["0", "conv"], "the same layer twice")])
def test_no_layer_and_twice_the_same_are_refused(table: layers.LayerTable, names: list[str], message: str) -> None:
    """The error says so."""
    with pytest.raises(ParameterError, match=message):
        table.find_all(names)


def test_a_row_tells_operator_shape_and_parameters(table: layers.LayerTable) -> None:
    """One kernel of 1x1 with a bias has 2 parameters; three classes from one number, with biases, have 6."""
    rows = [(layer.index, layer.operator, layer.shape, layer.parameters) for layer in table]
    assert rows == [
        (0, "Conv", (1, 2, 2), 2),
        (1, "Relu", (1, 2, 2), 0),
        (2, "GlobalAveragePool", (1, 1, 1), 0),
        (3, "Gemm", (3,), 6),
    ]


def test_running_statistics_and_limits_are_no_parameters() -> None:
    """A batch norm learns a scale and an offset for each channel; a clip learns nothing."""
    model = tiny_models.model(
        [
            helper.make_node("BatchNormalization", ["images", "scale", "offset", "mean", "variance"], ["normed"]),
            helper.make_node("Clip", ["normed", "low", "high"], ["clipped"]),
        ],
        {name: np.ones(2, np.float32) for name in ("scale", "offset", "mean", "variance")}
        | {"low": np.array(0, np.float32), "high": np.array(6, np.float32)},
        input_shape=["batch", 2, 2, 2],
        output=("clipped", ["batch", 2, 2, 2]),
    )
    assert [layer.parameters for layer in layers.table(model, None)] == [4, 0]


def test_a_file_from_elsewhere_is_named_by_its_tensors() -> None:
    """Without entries every tensor that depends on the input is a layer; node names are aliases."""
    table = layers.table(tiny_models.brightness(), None)
    assert [layer.path for layer in table] == ["conv_out", "relu_out", "pool_out", "flat", "logits"]
    assert table.find("detector").path == "relu_out"


def test_a_size_that_is_not_fixed_is_none() -> None:
    """A network that takes pictures of any size has maps of any size."""
    model = tiny_models.model(
        [helper.make_node("Relu", ["images"], ["logits"])],
        {},
        input_shape=["batch", 1, "height", "width"],
        output=("logits", ["batch", 1, "height", "width"]),
    )
    (layer,) = layers.table(model, None)
    assert layer.shape == (1, None, None)
    assert layer.values is None


def test_an_entry_without_a_tensor_is_refused() -> None:
    """A layer table of another file does not load."""
    with pytest.raises(UnknownLayerError, match="no tensor 'gone'"):
        layers.table(tiny_models.brightness(), [LayerEntry(path="conv", tensor="gone", aliases=())])

"""Promises of service.receptive_field and service.connectivity, held against what bright pixels really reach."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from service import layers
from service.errors import ParameterError
from service.layers import Layer
from service.receptive_field import Box, ReceptiveField
from tests import reach

SHAPE = (2, 13, 16)  # not square, and even and odd
node = helper.make_node


def ones(*shape: int) -> NDArray[np.float32]:
    """Weights through which every pixel is seen."""
    return np.ones(shape, np.float32)


def integers(*values: int) -> NDArray[np.int64]:
    """Pads, axes, sizes."""
    return np.array(values, np.int64)


def network(nodes: Sequence[NodeProto], weights: Mapping[str, NDArray[Any]]) -> ModelProto:
    """From `images` to the output of the last node, with nothing said of its shape."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", *SHAPE])
    held = [numpy_helper.from_array(array, name) for name, array in weights.items()]
    graph = helper.make_graph(list(nodes), "tiny", [images], [ValueInfoProto(name=nodes[-1].output[0])], held)
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def last(model: ModelProto) -> Layer:
    """The layer whose output is that of the model."""
    return layers.table(model, None).find(f"tensor:{model.graph.output[0].name}")


def conv(source: str, target: str, weights: str = "w", **attributes: Any) -> NodeProto:  # noqa: ANN401
    """A convolution."""
    return node("Conv", [source, weights], [target], **attributes)


def tried_boxes(model: ModelProto) -> list[list[Box]]:
    """By lighting up each pixel."""
    return reach.boxes(reach.session(model), SHAPE)


def told_boxes(field: ReceptiveField) -> list[list[Box | None]]:
    """By asking for each unit."""
    assert field.units is not None
    return [[field.box(row, column) for column in range(field.units[1])] for row in range(field.units[0])]


EXACT = [
    pytest.param([conv("images", "y")], {"w": ones(1, 2, 3, 2)}, id="convolution"),
    pytest.param([conv("images", "y", strides=[2, 3], pads=[1, 0, 2, 1])], {"w": ones(1, 2, 3, 3)}, id="stride, pads"),
    pytest.param([conv("images", "y", dilations=[2, 3])], {"w": ones(1, 2, 3, 3)}, id="dilation"),
    pytest.param(
        [conv("images", "y", auto_pad="SAME_UPPER", strides=[2, 2])], {"w": ones(1, 2, 3, 4)}, id="same upper"
    ),
    pytest.param(
        [conv("images", "y", auto_pad="SAME_LOWER", strides=[2, 2])], {"w": ones(1, 2, 4, 4)}, id="same lower"
    ),
    pytest.param([conv("images", "y", auto_pad="VALID")], {"w": ones(1, 2, 4, 4)}, id="valid"),
    pytest.param([conv("images", "y", group=2)], {"w": ones(2, 1, 3, 3)}, id="groups"),
    pytest.param(
        # Of 13 rows, (13 - 4) / 4 = 2 steps leave the last one unread; the padding behind must not bring it back.
        [conv("images", "x", strides=[4, 4]), conv("x", "y", "v", pads=[1, 1, 1, 1])],
        {"w": ones(1, 2, 4, 4), "v": ones(1, 1, 3, 3)},
        id="pixels that no stride reaches",
    ),
    pytest.param(
        [node("MaxPool", ["images"], ["y"], kernel_shape=[3, 3], strides=[2, 2], ceil_mode=1)],
        {},
        id="pooling, ceiling",
    ),
    pytest.param(
        [node("AveragePool", ["images"], ["y"], kernel_shape=[2, 3], pads=[1, 1, 0, 0])], {}, id="average pooling"
    ),
    pytest.param(
        [node("Pad", ["images", "p"], ["x"]), conv("x", "y", strides=[2, 2])],
        {"p": integers(0, 0, 2, 0, 0, 0, 1, -1), "w": ones(1, 2, 3, 3)},
        id="padding and cropping",
    ),
    pytest.param(
        [node("Pad", ["images", "p"], ["x"], mode="reflect"), conv("x", "y")],
        {"p": integers(0, 0, 2, 2, 0, 0, 2, 2), "w": ones(1, 2, 3, 3)},
        id="reflection",
    ),
    pytest.param(
        [node("Slice", ["images", "from", "to", "axes", "step"], ["x"]), conv("x", "y")],
        {
            "from": integers(-1),
            "to": integers(-(2**62)),
            "axes": integers(3),
            "step": integers(-2),
            "w": ones(1, 2, 3, 3),
        },
        id="mirror and skip",
    ),
    pytest.param(
        [conv("images", "a", pads=[1, 1, 1, 1]), conv("images", "b", "v"), node("Add", ["a", "b"], ["y"])],
        {"w": ones(1, 2, 3, 3), "v": ones(1, 2, 1, 1)},
        id="a branch within another",
    ),
    pytest.param(
        [conv("images", "a", pads=[1, 1, 1, 1]), node("Concat", ["a", "images"], ["y"], axis=1)],
        {"w": ones(1, 2, 3, 3)},
        id="branches side by side",
    ),
    pytest.param(
        [node("ConvTranspose", ["images", "w"], ["y"], pads=[1, 0, 0, 1])], {"w": ones(2, 1, 3, 3)}, id="full"
    ),
    pytest.param(
        [
            node("Transpose", ["images"], ["a"], perm=[0, 2, 3, 1]),
            node("MatMul", ["a", "v"], ["b"]),
            node("Transpose", ["b"], ["c"], perm=[0, 3, 1, 2]),
            conv("c", "y"),
        ],
        {"v": ones(2, 2), "w": ones(1, 2, 3, 3)},
        id="channels last on the way",
    ),
    pytest.param(
        [
            conv("images", "a"),
            node("Reshape", ["a", "split"], ["b"]),
            node("Transpose", ["b"], ["c"], perm=[0, 2, 1, 3, 4]),
            node("Reshape", ["c", "join"], ["d"]),
            conv("d", "y", "v", group=2),
        ],
        {
            "w": ones(4, 2, 3, 3),
            "v": ones(4, 2, 3, 3),
            "split": integers(-1, 2, 2, 11, 14),
            "join": integers(-1, 4, 11, 14),
        },
        id="channel shuffle",
    ),
    pytest.param([node("SpaceToDepth", ["images"], ["y"], blocksize=2)], {}, id="space to depth"),
]


@pytest.mark.parametrize(("nodes", "weights"), EXACT)
def test_exact_is_the_smallest_box_of_every_unit(nodes: list[NodeProto], weights: dict[str, NDArray[Any]]) -> None:
    """Also at the borders of the map: nothing outside reaches the unit, and each edge of the box does."""
    if nodes[0].op_type == "SpaceToDepth":
        nodes = [conv("images", "even", pads=[0, 0, 1, 0]), *nodes]
        weights, nodes[1].input[0] = {"w": ones(1, 2, 1, 1)}, "even"
    model = network(nodes, weights)
    field = last(model).receptive_field
    assert field.status == "exact"
    assert told_boxes(field) == tried_boxes(model)


UPPER = [
    pytest.param(
        [node("ConvTranspose", ["images", "w"], ["y"], strides=[2, 3])], {"w": ones(2, 1, 3, 2)}, id="transposed"
    ),
    *(
        pytest.param(
            [node("Resize", ["images", "", "s"], ["y"], mode=mode, coordinate_transformation_mode=coordinates)],
            {"s": np.array([1, 1, 2, 0.5], np.float32)},
            id=f"{mode}, {coordinates}",
        )
        for mode in ("nearest", "linear")
        for coordinates in ("half_pixel", "asymmetric", "align_corners")
    ),
    pytest.param(
        [
            conv("images", "a", auto_pad="SAME_UPPER"),
            conv("images", "b", "v", auto_pad="SAME_UPPER"),
            node("Add", ["a", "b"], ["y"]),
        ],
        {"w": ones(1, 2, 1, 5), "v": ones(1, 2, 5, 1)},
        id="a cross",
    ),
    pytest.param(
        [
            conv("images", "a", pads=[1, 1, 1, 1]),
            node("Concat", ["a", "images"], ["b"], axis=1),
            node("Slice", ["b", "from", "to", "axes"], ["y"]),
        ],
        {"w": ones(1, 2, 3, 3), "from": integers(1), "to": integers(3), "axes": integers(1)},
        id="channels that see less than others",
    ),
]


@pytest.mark.parametrize(("nodes", "weights"), UPPER)
def test_nothing_outside_an_upper_bound_matters(nodes: list[NodeProto], weights: dict[str, NDArray[Any]]) -> None:
    """Every box that was found by trying lies within the one that is told."""
    model = network(nodes, weights)
    field = last(model).receptive_field
    assert field.status == "upper bound"
    for told_row, tried_row in zip(told_boxes(field), tried_boxes(model), strict=True):
        for told, tried in zip(told_row, tried_row, strict=True):
            assert told is not None
            if tried != Box(0, 0, 0, 0):
                assert told.left <= tried.left < tried.right <= told.right
                assert told.top <= tried.top < tried.bottom <= told.bottom


WHOLE = [
    pytest.param([node("GlobalAveragePool", ["images"], ["y"])], {}, id="global pooling"),
    pytest.param([node("ReduceMean", ["images", "a"], ["y"], keepdims=0)], {"a": integers(2, 3)}, id="mean"),
    pytest.param([node("InstanceNormalization", ["images", "s", "s"], ["y"])], {"s": ones(2)}, id="instance norm"),
    pytest.param(
        [node("Flatten", ["images"], ["f"]), node("Gemm", ["f", "w"], ["y"])], {"w": ones(2 * 13 * 16, 3)}, id="dense"
    ),
    pytest.param(
        [
            conv("images", "x", pads=[1, 1, 1, 1]),
            node("GlobalAveragePool", ["x"], ["s"]),
            node("Mul", ["x", "s"], ["m"]),
            conv("m", "y", "v"),
        ],
        {"w": ones(2, 2, 3, 3), "v": ones(1, 2, 3, 3)},
        id="squeeze and excitation",
    ),
]


@pytest.mark.parametrize(("nodes", "weights"), WHOLE)
def test_what_mixes_all_places_sees_the_whole_input(nodes: list[NodeProto], weights: dict[str, NDArray[Any]]) -> None:
    """Every unit has the same box: all of it."""
    field = last(network(nodes, weights)).receptive_field
    assert (field.status, field.size, field.step, field.start) == ("whole input", (13, 16), (0, 0), (0, 0))
    assert field.box(0, 0) == Box(0, 0, 16, 13)


UNKNOWN = [
    pytest.param([node("CumSum", ["images", "a"], ["y"])], {"a": np.array(3)}, id="an operator without a rule"),
    pytest.param(
        [node("CumSum", ["images", "a"], ["x"]), node("GlobalAveragePool", ["x"], ["y"])],
        {"a": np.array(3)},
        id="behind it",
    ),
    pytest.param([conv("images", "y", "images")], {}, id="weights that are made of the image"),
]


@pytest.mark.parametrize(("nodes", "weights"), UNKNOWN)
def test_what_is_not_understood_is_unknown(nodes: list[NodeProto], weights: dict[str, NDArray[Any]]) -> None:
    """Nothing is said rather than something wrong."""
    field = last(network(nodes, weights)).receptive_field
    assert field == ReceptiveField("unknown")
    assert field.box(0, 0) is None


def test_two_layers_of_width_three_see_five() -> None:
    """The figure of the texts: over five inputs the middle unit sees all."""
    nodes = [conv("images", "x", pads=[1, 1, 1, 1]), conv("x", "y", "v", pads=[1, 1, 1, 1])]
    field = last(network(nodes, {"w": ones(1, 2, 3, 3), "v": ones(1, 1, 3, 3)})).receptive_field
    assert (field.size, field.step, field.start) == ((5, 5), (1, 1), (-2, -2))
    assert field.box(2, 2) == Box(0, 0, 5, 5)


def test_sizes_that_are_not_fixed_have_the_rule_and_no_boxes() -> None:
    """A network for pictures of any size."""
    model = network([conv("images", "y", strides=[2, 2], pads=[1, 1, 1, 1])], {"w": ones(1, 2, 3, 3)})
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"size{axis}"
    field = last(model).receptive_field
    assert (field.status, field.size, field.step, field.start) == ("exact", (3, 3), (2, 2), (-1, -1))
    assert field.box(0, 0) is None


@pytest.mark.parametrize(
    ("row", "column", "message"),
    [(11, 0, "row is 11; accepted: 0 to 10"), (0, -1, "column is -1; accepted: 0 to 13")],
)
def test_a_unit_that_is_not_there_is_refused(row: int, column: int, message: str) -> None:
    """The error says which units there are."""
    field = last(network([conv("images", "y")], {"w": ones(1, 2, 3, 3)})).receptive_field
    with pytest.raises(ParameterError, match=message):
        field.box(row, column)


def test_a_unit_that_sees_only_padding_has_an_empty_box() -> None:
    """Three rows of padding, and a window of two."""
    field = last(network([conv("images", "y", pads=[3, 0, 0, 0])], {"w": ones(1, 2, 2, 2)})).receptive_field
    assert field.box(0, 0) == Box(0, 0, 0, 0)
    assert field.box(2, 0) == Box(0, 0, 2, 1)


def test_pads_that_nodes_compute_are_understood() -> None:
    """Older exporters of PyTorch write the pads of a padding as a little graph of their own."""
    nodes = [
        node("Concat", ["p", "zeros"], ["joined"], axis=0),
        node("Reshape", ["joined", "pairs"], ["table"]),
        node("Transpose", ["table"], ["turned"], perm=[1, 0]),
        node("Reshape", ["turned", "flat"], ["pads"]),
        node("Pad", ["images", "pads"], ["padded"]),
        conv("padded", "y"),
    ]
    weights: dict[str, NDArray[Any]] = {
        "p": integers(0, 0, 0, 0, 2, 1),
        "zeros": integers(1, 1),
        "pairs": integers(4, 2),
        "flat": integers(-1),
        "w": ones(1, 2, 3, 3),
    }
    model = network(nodes, weights)
    field = last(model).receptive_field
    assert field.start == (-2, -1)
    assert told_boxes(field) == tried_boxes(model)

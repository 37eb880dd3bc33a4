"""ONNX files that nobody here exported: old opsets, and habits of other exporters."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from service import graph, layers
from service.compute import Compute
from service.metadata import ClassOutput, LayerEntry
from service.model import Model
from service.repository import scan
from service.runtime import Device
from service.sessions import SessionCache
from tests import tiny_models

BRIGHT = np.full((3, 2, 2, 1), 255, np.uint8)
NAMES = ("/block 1/Conv output", "/block 1/Relu_output_0", "pool:0", "a copy", "flat", "logits")


def foreign(*, opset: int = 7, ir_version: int = 3, shaped: bool = True, constants: bool = False) -> ModelProto:
    """`brightness` as others would write it: a batch of 1, no node names, no shapes inside, weights among the inputs.

    Args:
        opset: Of ONNX.
        ir_version: Of the file.
        shaped: Whether the input has a shape.
        constants: Whether nodes hold the weights.
    """
    conv, relu, pool, copy, flat, logits = NAMES
    nodes = [
        helper.make_node("Conv", ["images", "kernel", "bias"], [conv]),
        helper.make_node("Relu", [conv], [relu]),
        helper.make_node("GlobalAveragePool", [relu], [pool]),
        helper.make_node("Identity", [pool], [copy]),
        helper.make_node("Reshape", [copy, "shape"], [flat]),
        helper.make_node("Gemm", [flat, "weights", "zeros"], [logits]),
    ]
    arrays: dict[str, NDArray[Any]] = {
        "kernel": np.full((1, 1, 1, 1), 2, np.float32),
        "bias": np.array([-1], np.float32),
        "shape": np.array([1 if shaped else -1, 1], np.int64),
        "weights": np.array([[0, 1, 2]], np.float32),
        "zeros": np.zeros(3, np.float32),
    }
    tensors = [numpy_helper.from_array(array, name) for name, array in arrays.items()]
    if constants:
        nodes[:0] = [helper.make_node("Constant", [], [tensor.name], value=tensor) for tensor in tensors]
        tensors = []
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, [1, 1, 2, 2] if shaped else None)
    weights = [helper.make_tensor_value_info(tensor.name, tensor.data_type, tensor.dims) for tensor in tensors]
    made = helper.make_graph(
        nodes, "", [images, *weights], [helper.make_tensor_value_info(logits, TensorProto.FLOAT, None)], tensors
    )
    return helper.make_model(made, opset_imports=[helper.make_opsetid("", opset)], ir_version=ir_version)


def load(root: Path, model: ModelProto, *, described: bool = True) -> Model:
    """Publish and load."""
    table = layers.table(model, None)
    entries = tuple(LayerEntry(path=one.path, tensor=one.tensor, aliases=()) for one in table)
    tiny_models.publish(root, model, described=described, layers=entries)
    (folder,) = scan(root)
    return Model(folder, compute=Compute(Device("cpu", "cpu"), cores=1), cache=SessionCache(max_bytes=2**20))


FILES = [
    pytest.param(foreign(opset=opset, ir_version=ir), id=f"opset {opset}, IR {ir}")
    for opset, ir in ((7, 3), (8, 3), (9, 3), (9, 4), (10, 5), (11, 6), (12, 7), (13, 7), (17, 8), (21, 10))
] + [
    pytest.param(foreign(shaped=False), id="an input without a shape"),
    pytest.param(foreign(constants=True), id="weights in nodes"),
    pytest.param(foreign(opset=13, ir_version=7, constants=True, shaped=False), id="both"),
]


@pytest.mark.parametrize("model", FILES)
def test_a_foreign_file_is_served_like_one_of_ours(repository: Path, model: ModelProto) -> None:
    """Its table, its feature maps by the names of its tensors, and its classes; three images at a time."""
    loaded = load(repository, model)
    assert [layer.path for layer in loaded.layers] == list(NAMES)
    conv, relu, pool, _, _, head = loaded.layers
    assert [layer.shape for layer in (conv, relu, pool, head)] == [(1, 2, 2), (1, 2, 2), (1, 1, 1), (3,)]
    assert [layer.parameters for layer in (conv, relu, pool, head)] == [2, 0, 0, 6]
    assert head.cost is not None
    assert (head.cost.cumulative.multiply_adds, head.cost.cumulative.parameters) == (7, 8)
    assert [layer.receptive_field.status for layer in (conv, pool, head)] == ["exact", "whole input", "whole input"]
    maps = loaded.feature_maps(BRIGHT, [pool, conv])
    assert maps[0].tolist() == [[[[1]]]] * 3
    assert maps[1].tolist() == [[[[1, 1], [1, 1]]]] * 3
    expected = np.exp([0, 1, 2]) / np.exp([0, 1, 2]).sum()
    np.testing.assert_allclose(loaded.probabilities(BRIGHT), [expected] * 3, rtol=1e-6)


@pytest.mark.parametrize("model", FILES)
def test_a_foreign_file_without_metadata_has_a_table(repository: Path, model: ModelProto) -> None:
    """Its layers are known by their tensors, with shapes and costs where the file tells enough."""
    loaded = load(repository, model, described=False)
    assert [layer.tensor for layer in loaded.layers] == list(NAMES)
    assert [layer.parameters for layer in loaded.layers] == [2, 0, 0, 0, 0, 6]


def channels_last() -> ModelProto:
    """(N, height, width, C) in, as TensorFlow has it: a convolution within transpositions; logits (0, mean, 2 mean)."""
    nodes: Sequence[NodeProto] = [
        helper.make_node("Transpose", ["images"], ["planes"], perm=[0, 3, 1, 2]),
        helper.make_node("Conv", ["planes", "kernel"], ["conv"], auto_pad="SAME_UPPER", strides=[2, 2]),
        helper.make_node("Transpose", ["conv"], ["last"], perm=[0, 2, 3, 1]),
        helper.make_node("ReduceMean", ["last"], ["mean"], axes=[1, 2], keepdims=0),
        helper.make_node("Gemm", ["mean", "weights"], ["logits"]),
    ]
    kernel = np.zeros((1, 3, 3, 3), np.float32)
    kernel[0, :, 1, 1] = [0, 0, 1]  # blue
    return tiny_models.model(
        nodes,
        {"kernel": kernel, "weights": np.array([[0, 1, 2]], np.float32)},
        input_shape=["batch", 8, 6, 3],
        output=("logits", ["batch", 3]),
        opset=13,
    )


def test_channels_last_take_pixels_as_they_come(repository: Path) -> None:
    """Nothing is transposed in front; each channel gets its own mean and deviation."""
    spec = tiny_models.image_input(
        channels=3, layout="nhwc", rescale_factor=1.0, mean=(7.0, 7.0, 10.0), std=(1.0, 1.0, 2.0)
    ).model_copy(update={"height": 8, "width": 6})
    model = channels_last()
    assert [node.op_type for node in graph.with_pixels(model, spec).graph.node][:5].count("Transpose") == 0
    tiny_models.publish(repository, model, input=spec, layers=(LayerEntry(path="c", tensor="last", aliases=()),))
    (folder,) = scan(repository)
    loaded = Model(folder, compute=Compute(Device("cpu", "cpu"), cores=1), cache=SessionCache(max_bytes=2**20))
    pixels = np.zeros((1, 8, 6, 3), np.uint8)
    pixels[..., 2] = 30
    (found,) = loaded.feature_maps(pixels, tuple(loaded.layers))
    assert found.shape == (1, 4, 3, 1)
    assert found.ravel().tolist() == [10] * 12  # (30 - 10) / 2
    field = loaded.layers.find("c").receptive_field
    assert (field.status, field.size, field.step, field.start, field.units) == ("exact", (3, 3), (2, 2), (0, 0), (4, 3))


def test_channels_last_are_recognised_without_metadata() -> None:
    """By the 3 at the end of the shape."""
    seen = {layer.tensor: layer.receptive_field for layer in layers.table(channels_last(), None)}
    assert seen["conv"].size == (3, 3)
    assert (seen["logits"].status, seen["logits"].size) == ("whole input", (8, 6))


def test_classes_with_axes_behind_are_classes(repository: Path) -> None:
    """The first networks of the model zoo give (N, classes, 1, 1)."""
    model = tiny_models.model(
        [helper.make_node("Conv", ["images", "w"], ["x"]), helper.make_node("Softmax", ["x"], ["logits"], axis=1)],
        {"w": np.array([1, 2, 3], np.float32).reshape(3, 1, 1, 1)},
        input_shape=[1, 1, 1, 1],
        output=("logits", [1, 3, 1, 1]),
        opset=13,
    )
    spec = tiny_models.image_input(size=1)
    output = ClassOutput(name="logits", values="probabilities", labels=("a", "b", "c"))
    entries = (LayerEntry(path="x", tensor="x", aliases=()),)
    tiny_models.publish(repository, model, input=spec, output=output, layers=entries)
    (folder,) = scan(repository)
    loaded = Model(folder, compute=Compute(Device("cpu", "cpu"), cores=1), cache=SessionCache(max_bytes=2**20))
    found = loaded.probabilities(np.full((2, 1, 1, 1), 255, np.uint8))
    np.testing.assert_allclose(found, [np.exp([1, 2, 3]) / np.exp([1, 2, 3]).sum()] * 2, rtol=1e-6)


def test_half_precision_is_fed_half_precision(repository: Path) -> None:
    """An input of float16 gets float16, and its classes come out as float32."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT16, ["batch", 1, 2, 2])
    made = helper.make_graph(
        [helper.make_node("GlobalAveragePool", ["images"], ["logits"])],
        "half",
        [images],
        [ValueInfoProto(name="logits")],
    )
    model = helper.make_model(made, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    output = ClassOutput(name="logits", values="sigmoid", labels=None)
    entries = (LayerEntry(path="x", tensor="logits", aliases=()),)
    tiny_models.publish(repository, model, output=output, layers=entries)
    (folder,) = scan(repository)
    loaded = Model(folder, compute=Compute(Device("cpu", "cpu"), cores=1), cache=SessionCache(max_bytes=2**20))
    found = loaded.probabilities(BRIGHT)
    assert (found.dtype, found.tolist()) == (np.float32, [[1]] * 3)


def test_weights_that_are_nearly_all_zero_are_weights(repository: Path) -> None:
    """A file may write down the others alone."""
    model = tiny_models.brightness()
    sparse = helper.make_sparse_tensor(
        helper.make_tensor("weights", TensorProto.FLOAT, [2], [1, 2]),
        helper.make_tensor("places", TensorProto.INT64, [2], [1, 2]),
        [1, 3],
    )
    (place,) = (i for i, tensor in enumerate(model.graph.initializer) if tensor.name == "weights")
    del model.graph.initializer[place]
    model.graph.sparse_initializer.append(sparse)
    tiny_models.publish(repository, model)
    (folder,) = scan(repository)
    loaded = Model(folder, compute=Compute(Device("cpu", "cpu"), cores=1), cache=SessionCache(max_bytes=2**20))
    (logits,) = loaded.tensors(BRIGHT[:1], ["logits"])
    assert logits.tolist() == [[0, 1, 2]]

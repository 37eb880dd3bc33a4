"""Networks for tensors of any type, small enough to compute by hand: none takes images."""

from collections.abc import Sequence

import numpy as np
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, checker, helper, numpy_helper

Shape = Sequence[str | int | None]


def simple() -> ModelProto:
    """The sum and the difference of two INT32 tensors (N, 16): the model that Triton's examples use."""
    return _model(
        [
            helper.make_node("Add", ["INPUT0", "INPUT1"], ["OUTPUT0"]),
            helper.make_node("Sub", ["INPUT0", "INPUT1"], ["OUTPUT1"]),
        ],
        [helper.make_tensor_value_info(name, TensorProto.INT32, ["N", 16]) for name in ("INPUT0", "INPUT1")],
        [helper.make_tensor_value_info(name, TensorProto.INT32, ["N", 16]) for name in ("OUTPUT0", "OUTPUT1")],
    )


def identity(element: int, shape: Shape = ("N", "values")) -> ModelProto:
    """Gives `x` back as `y`."""
    return _model(
        [helper.make_node("Identity", ["x"], ["y"])],
        [helper.make_tensor_value_info("x", element, shape)],
        [helper.make_tensor_value_info("y", element, shape)],
    )


def product() -> ModelProto:
    """Three values of each row added up: the file leaves their number open, and the network can compute with 3 only."""
    weights = numpy_helper.from_array(np.ones((3, 1), np.float32), "ones")
    return _model(
        [helper.make_node("MatMul", ["x", "ones"], ["y"])],
        [helper.make_tensor_value_info("x", TensorProto.FLOAT, ["N", "values"])],
        [helper.make_tensor_value_info("y", TensorProto.FLOAT, ["N", 1])],
        [weights],
    )


def waveform() -> ModelProto:
    """Sound, (N, 1, samples): `rise` is each sample minus the one before it, `loudest` the largest of two of those."""
    return _model(
        [
            helper.make_node("Conv", ["sound", "difference"], ["rise"]),
            helper.make_node("MaxPool", ["rise"], ["loudest"], kernel_shape=[2], strides=[2]),
        ],
        [helper.make_tensor_value_info("sound", TensorProto.FLOAT, ["N", 1, "samples"])],
        [helper.make_tensor_value_info("loudest", TensorProto.FLOAT, ["N", 1, "maxima"])],
        [numpy_helper.from_array(np.array([[[-1, 1]]], np.float32), "difference")],
    )


def skeleton() -> ModelProto:
    """Angles of 4 joints over time, (N, 4, frames): `speed` is how much each changes, and `moving` their sum."""
    kernels = np.zeros((4, 1, 2), np.float32) + np.array([-1, 1], np.float32)
    return _model(
        [
            helper.make_node("Conv", ["angles", "difference"], ["speed"], group=4),
            helper.make_node("Conv", ["speed", "all"], ["moving"]),
        ],
        [helper.make_tensor_value_info("angles", TensorProto.FLOAT, ["N", 4, "frames"])],
        [helper.make_tensor_value_info("moving", TensorProto.FLOAT, ["N", 1, "moments"])],
        [
            numpy_helper.from_array(kernels, "difference"),
            numpy_helper.from_array(np.ones((1, 4, 1), np.float32), "all"),
        ],
    )


def video() -> ModelProto:
    """Colour video, (N, 3, frames, height, width): `motion` is each frame minus the one before it, over all colours."""
    kernel = np.zeros((1, 3, 2, 1, 1), np.float32) + np.array([-1, 1], np.float32)[:, None, None]
    return _model(
        [helper.make_node("Conv", ["clip", "difference"], ["motion"])],
        [helper.make_tensor_value_info("clip", TensorProto.FLOAT, ["N", 3, "frames", "height", "width"])],
        [helper.make_tensor_value_info("motion", TensorProto.FLOAT, ["N", 1, "moments", "height", "width"])],
        [numpy_helper.from_array(kernel, "difference")],
    )


def _model(
    nodes: Sequence[NodeProto],
    inputs: Sequence[ValueInfoProto],
    outputs: Sequence[ValueInfoProto],
    weights: Sequence[TensorProto] = (),
) -> ModelProto:
    graph = helper.make_graph(nodes, "tensors", inputs, outputs, weights)
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    checker.check_model(made)
    return made

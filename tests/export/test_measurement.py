"""Accuracy through the graph that is served."""

import numpy as np
from onnx import TensorProto, helper

from export.measurement import accuracy, confusion, speeds
from service.cores import available_cores
from service.metadata import ImageInput
from tests import tiny_models
from tests.tiny_models import image_input


def test_accuracy_is_the_part_of_images_with_the_right_class_on_top() -> None:
    """The network hands on its four pixels: the brightest one is the class.  Three of four answers are right."""
    spec = ImageInput(
        name="images",
        height=2,
        width=2,
        color="grey",
        crop_fraction=1.0,
        interpolation="nearest",
        rescale_factor=1 / 255,
        mean=(0.5,),
        std=(0.5,),
    )
    axes: dict[str, list[str | int | None]] = {"images": ["batch", 1, 2, 2], "logits": ["batch", 4]}
    values = {name: helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in axes.items()}
    node = helper.make_node("Flatten", ["images"], ["logits"])
    graph = helper.make_graph([node], "brightest", [values["images"]], [values["logits"]])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    pixels = np.zeros((4, 2, 2, 1), np.uint8)
    for image, (row, column) in enumerate([(0, 0), (0, 1), (1, 0), (1, 1)]):
        pixels[image, row, column] = 200
    assert accuracy(model, spec, "logits", pixels=pixels, labels=np.array([0, 1, 2, 0])) == 0.75


def test_a_confusion_counts_each_class_and_what_it_was_taken_for() -> None:
    """Rows are what images are, columns what they were taken for; a class that nobody saw has a row of zeros."""
    counts = confusion(np.array([0, 0, 0, 1]), np.array([0, 2, 2, 1]), classes=3)
    assert counts.tolist() == [[1, 0, 2], [0, 1, 0], [0, 0, 0]]


def test_both_are_timed_on_one_core_and_on_all() -> None:
    """A network that multiplies large matrices is slower than one that hands its pixels on."""
    spec = image_input(size=64)
    weights = {"w": np.ones((64, 64), np.float32)}
    product = [helper.make_node("MatMul", [a, "w"], [b]) for a, b in (("images", "a"), ("a", "b"), ("b", "logits"))]
    shape: list[str | int] = ["batch", 1, 64, 64]
    slow, quick = (
        tiny_models.model(nodes, weights, input_shape=shape, output=("logits", ["batch", 1, 64, 64]))
        for nodes in (product, [helper.make_node("Identity", ["images"], ["logits"])])
    )
    found = speeds(slow, quick, spec)
    assert [speed.threads for speed in found] == sorted({1, available_cores()})
    assert all(0 < speed.copied < speed.original and speed.machine for speed in found)

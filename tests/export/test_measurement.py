"""Accuracy through the graph that is served."""

import numpy as np
from onnx import TensorProto, helper

from export.measurement import accuracy
from service.metadata import ImageInput


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

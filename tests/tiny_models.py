"""Networks that are small enough to compute by hand, and folders of a model repository that hold them."""

import hashlib
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, helper, numpy_helper

from service.metadata import Artifact as FileFacts
from service.metadata import ClassOutput, ImageInput, LayerEntry, Metadata, Source

LABELS = ("dark", "middle", "bright")
LAYERS = (
    LayerEntry(path="conv", tensor="conv_out", aliases=()),
    LayerEntry(path="block.relu", tensor="relu_out", aliases=("block",)),
    LayerEntry(path="pool", tensor="pool_out", aliases=()),
    LayerEntry(path="head", tensor="logits", aliases=()),
)


def model(
    nodes: Sequence[NodeProto],
    weights: Mapping[str, NDArray[Any]],
    *,
    input_shape: Sequence[str | int],
    output: tuple[str, Sequence[str | int | None]],
    opset: int = 18,
) -> ModelProto:
    """An ONNX model with the input `images` and one output, both float32."""
    graph = helper.make_graph(
        list(nodes),
        "tiny",
        [helper.make_tensor_value_info("images", TensorProto.FLOAT, input_shape)],
        [helper.make_tensor_value_info(output[0], TensorProto.FLOAT, output[1])],
        [numpy_helper.from_array(array, name) for name, array in weights.items()],
    )
    made = helper.make_model(graph, opset_imports=[helper.make_opsetid("", opset)], ir_version=10)
    onnx.checker.check_model(made)
    return made


def brightness(*, batch: str | int = "batch", channels: int = 1, size: int = 2) -> ModelProto:
    """Tells dark, middle and bright pictures apart.

    `conv` is 2 * x - 1 of the first channel, `block.relu` cuts what is negative, `pool` is the mean m over the picture,
    and the logits are (0, m, 2 * m).  With the input of `image_input`, x is a pixel over 255.
    """
    kernel = np.zeros((1, channels, 1, 1), np.float32)
    kernel[0, 0] = 2
    return model(
        [
            helper.make_node("Conv", ["images", "kernel", "bias"], ["conv_out"], name="convolution"),
            helper.make_node("Relu", ["conv_out"], ["relu_out"], name="detector"),
            helper.make_node("GlobalAveragePool", ["relu_out"], ["pool_out"], name="pooling"),
            helper.make_node("Flatten", ["pool_out"], ["flat"], name="flatten"),
            helper.make_node("Gemm", ["flat", "weights", "zeros"], ["logits"], name="classes"),
        ],
        {
            "kernel": kernel,
            "bias": np.array([-1], np.float32),
            "weights": np.array([[0, 1, 2]], np.float32),
            "zeros": np.zeros(3, np.float32),
        },
        input_shape=[batch, channels, size, size],
        output=("logits", [batch, 3]),
    )


def fragile() -> ModelProto:
    """Computes for pictures that are darker than white, and fails while computing for others.

    The largest x of the picture, rounded down, is looked up in a table of one row.
    """
    return model(
        [
            helper.make_node("GlobalMaxPool", ["images"], ["largest"]),
            helper.make_node("Flatten", ["largest"], ["flat"]),
            helper.make_node("Cast", ["flat"], ["row"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "row"], ["rows"]),
            helper.make_node("Flatten", ["rows"], ["logits"]),
        ],
        {"table": np.zeros((1, 3), np.float32)},
        input_shape=["batch", 1, 2, 2],
        output=("logits", ["batch", 3]),
    )


def endless() -> ModelProto:
    """Is `brightness`, but for a loop that hands on the logits 10^12 times, which takes weeks."""
    made = brightness()
    made.graph.node[-1].output[0] = "before"
    body = helper.make_graph(
        [helper.make_node("Identity", ["goes_on"], ["goes_on_then"]), helper.make_node("Identity", ["old"], ["new"])],
        "body",
        [
            helper.make_tensor_value_info("turn", TensorProto.INT64, []),
            helper.make_tensor_value_info("goes_on", TensorProto.BOOL, []),
            helper.make_tensor_value_info("old", TensorProto.FLOAT, None),
        ],
        [
            helper.make_tensor_value_info("goes_on_then", TensorProto.BOOL, []),
            helper.make_tensor_value_info("new", TensorProto.FLOAT, None),
        ],
    )
    made.graph.initializer.append(numpy_helper.from_array(np.array(10**12), "turns"))
    made.graph.node.append(helper.make_node("Loop", ["turns", "", "before"], ["logits"], body=body))
    onnx.checker.check_model(made)
    return made


def image_input(*, channels: int = 1, size: int = 2, **changes: Any) -> ImageInput:  # noqa: ANN401
    """The input of `brightness`: grey or RGB pictures, pixels from 0 to 1, the whole picture."""
    fields: dict[str, Any] = {
        "name": "images",
        "height": size,
        "width": size,
        "color": "grey" if channels == 1 else "rgb",
        "crop_fraction": 1.0,
        "interpolation": "nearest",
        "rescale_factor": 1 / 255,
        "mean": (0.0,) * channels,
        "std": (1.0,) * channels,
    }
    return ImageInput(**fields | changes)


def metadata(data: bytes, *, name: str = "brightness", version: int = 1, **changes: Any) -> Metadata:  # noqa: ANN401
    """The metadata of `brightness`, for the bytes of its file."""
    fields: dict[str, Any] = {
        "schema_version": 1,
        "name": name,
        "version": version,
        "summary": "Tells dark, middle and bright pictures apart.",
        "input": image_input(),
        "output": ClassOutput(name="logits", values="logits", labels=LABELS),
        "layers": LAYERS,
        "source": Source(
            architecture="brightness",
            parameters=8,
            paper="none",
            weights="written down",
            license="CC0-1.0",
            dataset="none",
            command="none",
            recipe=None,
            tools={},
        ),
        "reported": (),
        "measured": (),
        "artifact": FileFacts(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)),
    }
    return Metadata(**fields | changes)


def publish(
    root: Path,
    made: ModelProto | None = None,
    *,
    name: str = "brightness",
    version: int = 1,
    described: bool = True,
    **changes: Any,  # noqa: ANN401
) -> Path:
    """Write a model into a repository as `name`/`version`, and return the folder of the version."""
    data = (made or brightness()).SerializeToString()
    folder = root / name / str(version)
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(data)
    if described:
        text = metadata(data, name=name, version=version, **changes).to_json()
        (folder / "metadata.json").write_text(text)
    return folder

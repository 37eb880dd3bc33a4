"""A model in 8-bit integers: a quarter of the size, and faster on processors that multiply bytes.

The graph keeps its operators; pairs of QuantizeLinear and DequantizeLinear say which tensors are rounded to 256
levels, and runtimes compute with integers between them (the form is called QDQ).  The levels of weights come from the
weights, those of maps from what real images give.

Measured on LeNet-5 (10,000 test images, 91.75 % in float) and EfficientNet-Lite0 (126 photos), with VNNI:

* Weights have a scale for each output channel: with one for all, EfficientNet-Lite0 agrees with itself on 53 % of the
  photos instead of 86 %, since its depthwise channels differ by orders of magnitude.
* Maps are unsigned and asymmetric: with symmetric levels LeNet-5 loses 0.26 points instead of 0.10, and with signed
  ones ONNX Runtime leaves 14 of the 49 convolutions of EfficientNet-Lite0 in float on x86.
* All 8 bits of the weights are used.  With 7 (`reduce_range`) LeNet-5 loses 0.33 points; but x86 processors without
  VNNI add up pairs of products in 16 bits, which 8 bits can overflow.
* No operator stays in float: leaving the first or the depthwise convolutions out gains nothing.  The output of the
  network is not rounded, nor is what stands between an operator and its ReLU.
* The range of a map is its smallest and largest value; entropy and percentiles take far longer, for the same accuracy.

Jacob et al., Quantization and Training of Neural Networks for Efficient Integer-Arithmetic-Only Inference (2018),
https://arxiv.org/abs/1712.05877
"""

import tempfile
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
import onnx
import onnx_ir
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto
from onnxscript import rewriter
from onnxscript.rewriter.rules import common

from service import graph, runtime  # noqa: F401  (see below)

# isort: split
# Behind `service.runtime`: ONNX Runtime reads its environment when it is loaded.
from onnxruntime import quantization

_RULES: Final = (
    common.fuse_batchnorm_into_conv_rule,
    common.fuse_batchnorm_into_conv_transpose_rule,
    common.fuse_batchnorm_into_gemm_rule,
)
# A runtime drops them where the levels begin and end where they do.
_ACTIVATIONS: Final = ("Relu", "Clip")
# What the library calls a tensor before it is rounded, where the rounded one takes over its name.
_UNROUNDED: Final = "_QuantizeLinear_Input"
_ROUNDED: Final = "_DequantizeLinear_Output"


def quantised(
    model: ModelProto, name: str, batches: Iterable[NDArray[np.float32]], *, reduce_range: bool = False
) -> ModelProto:
    """The same network in 8-bit integers; a tensor that is rounded keeps its name behind the rounding.

    Batch norms are folded into what stands before them, so that what that put out is gone.

    Args:
        model: In float32.
        name: Of its input.
        batches: Real inputs, to find the range of each map.
        reduce_range: Take 7 bits of each weight, for x86 processors without VNNI.

    Shape:
        batches: (N, C, height, width) each.
    """
    with tempfile.TemporaryDirectory() as folder:
        target = Path(folder) / "model.onnx"
        quantization.quantize_static(
            _folded(model),
            target,
            _Reader(name, batches),
            quant_format=quantization.QuantFormat.QDQ,
            activation_type=quantization.QuantType.QUInt8,
            weight_type=quantization.QuantType.QInt8,
            per_channel=True,
            reduce_range=reduce_range,
            # Otherwise what was in front of a ReLU, and the ReLU itself, are no tensors any more.
            extra_options={"QDQKeepRemovableActivations": True},
        )
        made = onnx.load(target)
    outputs = [value.name for value in model.graph.output]
    _leave_exact(made, outputs)
    return _renamed(graph.cut(made, outputs))


class _Reader(quantization.CalibrationDataReader):  # type: ignore[misc]  # it ships no types
    """Hands out one batch after the other."""

    def __init__(self, name: str, batches: Iterable[NDArray[np.float32]]) -> None:
        self._feeds = ({name: batch} for batch in batches)

    def get_next(self) -> dict[str, NDArray[np.float32]] | None:
        return next(self._feeds, None)


def _folded(model: ModelProto) -> ModelProto:
    """Without batch norms: a graph in front of which the library has nothing left to do."""
    program = onnx_ir.from_proto(model)
    rewriter.rewrite(program, _RULES)
    folded = onnx_ir.to_proto(program)
    # The library warns of a graph that was not prepared, unless it bears this mark.
    onnx.helper.set_model_props(folded, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return folded


def _leave_exact(model: ModelProto, outputs: Iterable[str]) -> None:
    """Take out the rounding in front of activations and of the outputs of the network."""
    nodes = _producers(model)
    for node in model.graph.node:
        if node.op_type in _ACTIVATIONS and (exact := _unrounded(node.input[0], nodes)):
            node.input[0] = exact
    for output in outputs:
        if exact := _unrounded(output, nodes):
            nodes[output].output[0] = output + _ROUNDED
            nodes[exact].output[0] = output


def _unrounded(tensor: str, nodes: Mapping[str, NodeProto]) -> str | None:
    """What a map was before it was rounded; None where it was not rounded, or is an input."""
    behind = nodes.get(tensor)
    if behind is None or behind.op_type != "DequantizeLinear":
        return None
    rounding = nodes.get(behind.input[0])
    if rounding is None or rounding.op_type != "QuantizeLinear" or rounding.input[0] not in nodes:
        return None
    return str(rounding.input[0])


def _renamed(model: ModelProto) -> ModelProto:
    """A map that is rounded has its name behind the rounding, where the next operator reads it."""
    nodes = _producers(model)
    names: dict[str, str] = {}
    for tensor in nodes:
        exact = _unrounded(tensor, nodes)
        if exact is not None and tensor == exact + _ROUNDED:
            names |= {tensor: exact, exact: exact + _UNROUNDED}
    for node in model.graph.node:
        node.input[:] = [names.get(each, each) for each in node.input]
        node.output[:] = [names.get(each, each) for each in node.output]
    del model.graph.value_info[:]
    return model


def _producers(model: ModelProto) -> dict[str, Any]:
    return {name: node for node in model.graph.node for name in node.output}

"""What the nodes of an ONNX graph say: attributes, the windows that they move over maps, and constants.

The same facts are written in several ways, by opset and by exporter (pads as an attribute or as an input, weights as
initialisers or as nodes): this module is where that ends.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, NodeProto, TensorProto, ValueInfoProto, helper, numpy_helper

from service import graph
from service.initialisers import SMALL

Shape = tuple[int | None, ...]

# The input that holds the kernels, of operators that have kernels.
KERNELS: Final[Mapping[str, int]] = {"Conv": 1, "ConvInteger": 1, "QLinearConv": 3, "ConvTranspose": 1}
# What may stand between an operator and the tensor that a module is found at, in a copy in other numbers.
CONVERSIONS: Final = ("QuantizeLinear", "DequantizeLinear", "Cast")
POOLS: Final = frozenset({"MaxPool", "AveragePool", "LpPool"})

_STANDARD: Final = ("", "ai.onnx")
# What a constant may pass through on its way to where it is used.
_COPIES: Final = frozenset(
    {"Identity", "Cast", "DequantizeLinear", "QuantizeLinear", "Transpose", "Reshape", "Squeeze", "Unsqueeze"}
)
# What is computed for the sake of shapes; none of them makes more of little, as Tile and Resize do.
_COMPUTED: Final = _COPIES | {
    *("Abs", "Add", "And", "Ceil", "Clip", "Concat", "Div", "Equal", "Floor", "Gather", "GatherElements", "Greater"),
    *("GreaterOrEqual", "Less", "LessOrEqual", "Max", "Min", "Mod", "Mul", "Neg", "Not", "Or", "Pow", "ReduceMax"),
    *(
        "ReduceMin",
        "ReduceProd",
        "ReduceSum",
        "Round",
        "ScatterElements",
        "ScatterND",
        "Sign",
        "Slice",
        "Split",
        "Sqrt",
    ),
    *("Sub", "Where"),
}
_FILLED: Final = {"ConstantOfShape": 0, "Expand": 1}  # and the input that holds the shape of what they make


@dataclass(frozen=True)
class Window:
    """What moves over the maps of a convolution or a pooling: one number for each spatial axis.

    Args:
        kernel: Its size, in units of the map.
        stride: Steps from one unit of the output to the next; for a transposed convolution of the input.
        padding: At the beginning of each axis, then at the end of each, as ONNX has it: (top, left, bottom, right) in
            a picture.  None where it depends on a size that is not fixed.
        dilation: Steps from one value of the kernel to the next.
        groups: How many groups of channels go their own ways; 1 for a pooling.
    """

    kernel: tuple[int, ...]
    stride: tuple[int, ...]
    padding: tuple[int, ...] | None
    dilation: tuple[int, ...]
    groups: int


class Tensors:
    """What can be told of the tensors of a model without running it.

    Args:
        model: Any model; what is kept of it is kept by reference.
        sizes: What to take for the dimensions of inputs that are not fixed.
    """

    def __init__(self, model: ModelProto, sizes: graph.Sizes | None = None) -> None:
        self._initialisers = {tensor.name: tensor for tensor in model.graph.initializer}
        self._producers = {name: node for node in model.graph.node for name in node.output if name}
        self._opsets = list(model.opset_import)
        self._values: dict[str, NDArray[Any] | None] = {}
        self.opset = next((one.version for one in self._opsets if one.domain in _STANDARD), 1)
        self._learn(graph.inferred(model, sizes))
        known: dict[str, NDArray[Any]] = {}
        while new := self._computed(model, known):
            known |= new
            self._learn(graph.inferred(model, sizes, known))

    def shape(self, name: str) -> Shape | None:
        """The shape of a tensor with its batch axis, None where a size is not fixed or nothing is known."""
        if name in self._initialisers:
            return tuple(self._initialisers[name].dims)
        return self._shapes.get(name)

    def element_bytes(self, name: str) -> int | None:
        """The bytes of one value of a tensor; None where its type is not known."""
        kind = self._types.get(name, TensorProto.UNDEFINED)
        if kind in (TensorProto.UNDEFINED, TensorProto.STRING):
            return None
        return int(helper.tensor_dtype_to_np_dtype(kind).itemsize)

    def weight(self, name: str) -> TensorProto | None:
        """The stored numbers that a tensor is, or is a copy of in another type or order; None where it is none."""
        while name not in self._initialisers:
            node = self._producers.get(name)
            if node is None:
                return None
            if node.op_type == "Constant":
                return _tensor(node)
            if node.op_type not in _COPIES:
                return None
            name = node.input[0]
        return self._initialisers[name]

    def value(self, name: str) -> NDArray[Any] | None:
        """The values of a small constant, also where nodes compute it; None where it is none."""
        if name not in self._values:
            self._values[name] = None  # also ends a search that goes in circles, in a graph that is not valid
            self._values[name] = self._found(name)
        return self._values[name]

    def integers(self, node: NodeProto, attribute: str, index: int) -> tuple[int, ...] | None:
        """Integers that old opsets have as an attribute of a node and newer ones as its input; None without them."""
        if index < len(node.input) and node.input[index]:
            found = self.value(node.input[index])
            return None if found is None else tuple(int(number) for number in found.ravel())
        given = attributes(node).get(attribute)
        return None if given is None else tuple(given)

    def _learn(self, known: Mapping[str, ValueInfoProto]) -> None:
        self._shapes = {name: graph.dimensions(value) for name, value in known.items()}
        self._types = {name: value.type.tensor_type.elem_type for name, value in known.items()}
        self._values = {name: value for name, value in self._values.items() if value is not None}

    def _computed(self, model: ModelProto, known: Mapping[str, NDArray[Any]]) -> dict[str, NDArray[Any]]:
        """Constants that nodes compute, and that shape inference was stuck for want of."""
        stuck = (node for node in model.graph.node if self._is_open(node) and is_standard(node))
        # The first input is what is worked on, but of an operator that makes something of nothing.
        inputs = (node.input[node.op_type != "ConstantOfShape" :] for node in stuck)
        names = (name for given in inputs for name in given if name in self._producers and name not in known)
        found = ((name, self.value(name)) for name in dict.fromkeys(names) if not self._is_constant(name))
        return {name: value for name, value in found if value is not None}

    def _is_open(self, node: NodeProto) -> bool:
        shape = self._shapes.get(node.output[0])
        return shape is None or None in shape

    def _is_constant(self, name: str) -> bool:
        return self._producers[name].op_type == "Constant"

    def _found(self, name: str) -> NDArray[Any] | None:
        if name in self._initialisers:
            tensor = self._initialisers[name]
            return numpy_helper.to_array(tensor) if _small(tensor.dims) else None
        node = self._producers.get(name)
        if node is None or not is_standard(node):
            return None
        if node.op_type == "Shape":
            return self._shape_value(node)
        if node.op_type == "Constant":
            held = _tensor(node)
            return numpy_helper.to_array(held) if held is not None and _small(held.dims) else None
        return self._evaluated(node, name)

    def _shape_value(self, node: NodeProto) -> NDArray[Any] | None:
        shape = self.shape(node.input[0])
        if shape is None or None in shape:
            return None
        options = attributes(node)
        return np.array(shape[options.get("start", 0) : options.get("end")], np.int64)

    def _evaluated(self, node: NodeProto, name: str) -> NDArray[Any] | None:
        """The output of a node all of whose inputs are small constants."""
        if node.op_type not in _COMPUTED and node.op_type not in _FILLED:
            return None
        values = {each: self.value(each) for each in node.input if each}
        if any(value is None for value in values.values()) or not self._stays_small(node, name, values):
            return None
        inputs = [helper.make_tensor_value_info(each, TensorProto.UNDEFINED, None) for each in values]
        outputs = [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None)]
        alone = helper.make_model(helper.make_graph([node], "one", inputs, outputs), opset_imports=self._opsets)
        from onnx.reference import ReferenceEvaluator  # noqa: PLC0415  (20 ms that most models need not take)

        try:
            (found,) = ReferenceEvaluator(alone).run(None, values)
        except Exception:  # noqa: BLE001  (whatever it cannot compute is not known)
            return None
        return np.asarray(found) if _small(np.shape(found)) else None

    def _stays_small(self, node: NodeProto, name: str, values: Mapping[str, NDArray[Any] | None]) -> bool:
        shape = self.shape(name)
        if shape is not None:
            return _small_shape(shape)
        if node.op_type not in _FILLED:
            return True
        asked = values[node.input[_FILLED[node.op_type]]]
        return asked is not None and _small([max(int(size), 1) for size in asked.ravel()])


def unconverted(tensor: str, nodes: Mapping[str, NodeProto]) -> str:
    """The tensor that holds the same values before they were rounded, or given another type.

    Args:
        tensor: The output of a node.
        nodes: The nodes of the graph, by their outputs.
    """
    while nodes[tensor].op_type in CONVERSIONS and nodes[tensor].input[0] in nodes:
        tensor = nodes[tensor].input[0]
    return tensor


def attributes(node: NodeProto) -> dict[str, Any]:
    """The attributes of a node as plain values, by name."""
    return {attribute.name: helper.get_attribute_value(attribute) for attribute in node.attribute}


def is_standard(node: NodeProto) -> bool:
    """Whether a node is one of ONNX's own operators, and has no graphs inside."""
    return _standard(node) and not any(a.HasField("g") or a.graphs for a in node.attribute)


def window(node: NodeProto, tensors: Tensors) -> Window | None:
    """The window of a convolution, a transposed one or a pooling; None for other operators."""
    if not _standard(node) or node.op_type not in (*KERNELS, *POOLS):
        return None
    options = attributes(node)
    kernel = _kernel(node, options, tensors)
    if kernel is None:
        return None
    axes = len(kernel)
    stride = tuple(options.get("strides", (1,) * axes))
    dilation = tuple(options.get("dilations", (1,) * axes))
    padding = _padding(node, tensors, kernel=kernel, stride=stride, dilation=dilation)
    return Window(kernel, stride, padding, dilation, options.get("group", 1))


def _kernel(node: NodeProto, options: Mapping[str, Any], tensors: Tensors) -> tuple[int, ...] | None:
    if "kernel_shape" in options:
        return tuple(options["kernel_shape"])
    if node.op_type not in KERNELS:
        return None
    shape = tensors.shape(node.input[KERNELS[node.op_type]])
    if shape is None or None in shape:
        return None
    return tuple(size for size in shape[2:] if size is not None)


def _padding(
    node: NodeProto,
    tensors: Tensors,
    *,
    kernel: tuple[int, ...],
    stride: tuple[int, ...],
    dilation: tuple[int, ...],
) -> tuple[int, ...] | None:
    options = attributes(node)
    mode = options.get("auto_pad", b"NOTSET").decode()
    reach = [(k - 1) * d + 1 for k, d in zip(kernel, dilation, strict=True)]
    if node.op_type == "ConvTranspose" and (mode.startswith("SAME") or "output_shape" in options):
        return _transposed_padding(node, tensors, reach, stride)
    if mode == "VALID":
        return (0,) * (2 * len(kernel))
    if not mode.startswith("SAME"):
        return tuple(options.get("pads", (0,) * (2 * len(kernel))))
    sizes = _spatial(tensors.shape(node.input[0]), len(kernel))
    totals = [_same_total(size, r, s) for size, r, s in zip(sizes, reach, stride, strict=True)]
    return _shared_out(totals, more_at_end=mode == "SAME_UPPER")


def _same_total(size: int | None, reach: int, stride: int) -> int | None:
    """How much padding lets an axis of `size` give ceil(size / stride) units."""
    if size is None:
        return reach - 1 if stride == 1 else None
    return max((-(-size // stride) - 1) * stride + reach - size, 0)


def _transposed_padding(
    node: NodeProto, tensors: Tensors, reach: Sequence[int], stride: Sequence[int]
) -> tuple[int, ...] | None:
    """The padding that follows from the size of the output.

    Where it is odd, versions of ONNX and of its runtimes do not agree on which end gets more: None.
    """
    extra = attributes(node).get("output_padding", (0,) * len(reach))
    sizes = _spatial(tensors.shape(node.input[0]), len(reach))
    results = _spatial(tensors.shape(node.output[0]), len(reach))
    totals = [
        None if i is None or o is None else max(s * (i - 1) + e + r - o, 0)
        for i, o, s, e, r in zip(sizes, results, stride, extra, reach, strict=True)
    ]
    if any(total is None or total % 2 for total in totals):
        return None
    return _shared_out(totals, more_at_end=True)


def _shared_out(totals: Sequence[int | None], *, more_at_end: bool) -> tuple[int, ...] | None:
    known = [total for total in totals if total is not None]
    if len(known) < len(totals):
        return None
    less = [total // 2 for total in known]
    more = [total - total // 2 for total in known]
    return (*less, *more) if more_at_end else (*more, *less)


def _spatial(shape: Shape | None, axes: int) -> Shape:
    return shape[2:] if shape is not None and len(shape) == 2 + axes else (None,) * axes


def _tensor(node: NodeProto) -> TensorProto | None:
    """The tensor of a Constant."""
    for attribute in node.attribute:
        value = helper.get_attribute_value(attribute)
        if attribute.name == "value":
            return value if isinstance(value, TensorProto) else None
        if attribute.name in ("value_float", "value_floats"):
            return numpy_helper.from_array(np.array(value, np.float32))
        if attribute.name in ("value_int", "value_ints"):
            return numpy_helper.from_array(np.array(value, np.int64))
    return None


def _standard(node: NodeProto) -> bool:
    return node.domain in _STANDARD


def _small_shape(shape: Shape) -> bool:
    return _small([size or 1 for size in shape])


def _small(sizes: Sequence[int]) -> bool:
    return math.prod(int(size) for size in sizes) <= SMALL

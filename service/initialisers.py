"""The large initialisers of a graph, kept apart from it.

A network's file is nearly all weights, and nearly all that is done with a graph needs none of them: without them it is
copied, cut and handed to ONNX Runtime in a hundredth of the time, and all sessions of a model read the same ones.
"""

import math
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

Initialisers: TypeAlias = Mapping[str, NDArray[Any]]
"""Values by the name of the initialiser."""

SMALL: Final = 1024
"""Initialisers up to this many values may be shapes, axes or scales: who looks at a graph may read them."""

# NumPy has these by itself.
_KINDS: Final = frozenset(
    {TensorProto.FLOAT, TensorProto.FLOAT16, TensorProto.DOUBLE, TensorProto.INT8, TensorProto.UINT8, TensorProto.INT32}
)


def take_apart(model: ModelProto) -> tuple[ModelProto, Initialisers]:
    """The same graph without the values of its large initialisers, and these values.

    What is left of them in the graph has their names, types and shapes.  One whose bytes do not fit its shape stays as
    it is: ONNX Runtime refuses it.

    Args:
        model: Of one file; it is left as it was.
    """
    light = ModelProto(
        ir_version=model.ir_version,
        producer_name=model.producer_name,
        opset_import=model.opset_import,
        functions=model.functions,
    )
    old, new, values = model.graph, light.graph, dict[str, NDArray[Any]]()
    new.name = old.name
    new.node.extend(old.node)
    new.input.extend(old.input)
    new.output.extend(old.output)
    new.value_info.extend(old.value_info)
    new.sparse_initializer.extend(old.sparse_initializer)
    for tensor in old.initializer:
        held = None if tensor.name in values else _large(tensor)
        if held is not None:
            values[tensor.name] = held
        new.initializer.append(tensor if held is None else _hollow(tensor))
    return light, values


def is_apart(tensor: TensorProto) -> bool:
    """Whether the values of an initialiser are kept elsewhere.  No file says so: those that do are not parsed."""
    return bool(tensor.data_location == TensorProto.EXTERNAL)


def _large(tensor: TensorProto) -> NDArray[Any] | None:
    """The values of an initialiser that can be kept apart; None where it cannot."""
    size = math.prod(tensor.dims)
    if size <= SMALL or tensor.data_type not in _KINDS:
        return None
    dtype = helper.tensor_dtype_to_np_dtype(tensor.data_type)
    data = tensor.raw_data  # a copy, made once; empty where an old file has its values elsewhere
    if len(data) != size * dtype.itemsize:
        return None
    return np.frombuffer(data, dtype.newbyteorder("<")).astype(dtype, copy=False).reshape(tensor.dims)


def _hollow(tensor: TensorProto) -> TensorProto:
    made = TensorProto(name=tensor.name, data_type=tensor.data_type, dims=tensor.dims)
    made.data_location = TensorProto.EXTERNAL
    made.external_data.add(key="location", value="memory")
    return made

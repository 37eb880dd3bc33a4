"""The types of the elements of tensors: the names of the protocol, of NumPy and of ONNX."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from onnx import TensorProto

Kind = Literal["bool", "int", "float", "bytes"]


@dataclass(frozen=True)
class Datatype:
    """The type of the elements of a tensor.

    Args:
        name: In the protocol, as `FP32`.
        kind: What sort of values it has.
        dtype: In NumPy: little-endian, or `object` for `BYTES`, whose elements are `bytes`.
        in_json: Whether JSON can carry it; half precision is for binary tensors only.
    """

    name: str
    kind: Kind
    dtype: "np.dtype[Any]"
    in_json: bool = True

    @property
    def config_name(self) -> str:
        """In a model configuration, as `TYPE_FP32`."""
        return "TYPE_STRING" if self.kind == "bytes" else f"TYPE_{self.name}"


BYTES: Final = Datatype("BYTES", "bytes", np.dtype(object))
FP32: Final = Datatype("FP32", "float", np.dtype("<f4"))

_BY_ELEMENT: Final[Mapping[int, Datatype]] = {
    TensorProto.BOOL: Datatype("BOOL", "bool", np.dtype(np.bool_)),
    TensorProto.UINT8: Datatype("UINT8", "int", np.dtype("u1")),
    TensorProto.UINT16: Datatype("UINT16", "int", np.dtype("<u2")),
    TensorProto.UINT32: Datatype("UINT32", "int", np.dtype("<u4")),
    TensorProto.UINT64: Datatype("UINT64", "int", np.dtype("<u8")),
    TensorProto.INT8: Datatype("INT8", "int", np.dtype("i1")),
    TensorProto.INT16: Datatype("INT16", "int", np.dtype("<i2")),
    TensorProto.INT32: Datatype("INT32", "int", np.dtype("<i4")),
    TensorProto.INT64: Datatype("INT64", "int", np.dtype("<i8")),
    TensorProto.FLOAT16: Datatype("FP16", "float", np.dtype("<f2"), in_json=False),
    TensorProto.FLOAT: FP32,
    TensorProto.DOUBLE: Datatype("FP64", "float", np.dtype("<f8")),
    TensorProto.STRING: BYTES,
}

DATATYPES: Final[Mapping[str, Datatype]] = {datatype.name: datatype for datatype in _BY_ELEMENT.values()}


def of_element(element: int) -> Datatype | None:
    """The datatype of an ONNX element type; None where the protocol has none for it.

    >>> of_element(TensorProto.FLOAT).name
    'FP32'
    """
    return _BY_ELEMENT.get(element)


def of_array(dtype: "np.dtype[Any]") -> Datatype | None:
    """The datatype of an array; None where the protocol has none for it.

    >>> of_array(np.dtype(np.int8)).name
    'INT8'
    """
    if dtype.kind in "OSU":
        return BYTES
    return next((found for found in DATATYPES.values() if found.dtype == dtype), None)

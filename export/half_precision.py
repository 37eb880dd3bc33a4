"""A model in 16-bit floats: half the size, and faster on graphics processors, which have units for them.

Input and output stay 32-bit floats: a copy takes the place of its original, and no client has to change.  What a
runtime cannot compute in 16 bits stays in 32.  On a CPU without such units each operator is computed in 32 bits
between casts: right, and slower than the original.
"""

import onnx_ir
from onnx import ModelProto

from service import runtime  # noqa: F401  (see below)

# isort: split
# Behind `service.runtime`: ONNX Runtime reads its environment when it is loaded.
from onnxruntime.transformers.float16 import convert_float_to_float16


def halved(model: ModelProto) -> ModelProto:
    """The same network in 16-bit floats.

    Numbers too large for 16 bits become the largest that there is, those too small the smallest.

    Args:
        model: In float32.
    """
    copy = ModelProto()
    copy.CopyFrom(model)
    program = onnx_ir.from_proto(convert_float_to_float16(copy, keep_io_types=True))
    program.graph.sort()  # the casts of inputs come last
    made: ModelProto = onnx_ir.to_proto(program)
    del made.graph.value_info[:]
    return made

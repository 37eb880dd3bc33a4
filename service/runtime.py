"""ONNX Runtime: devices and sessions.  No other file imports it.

Threads are always set, since ONNX Runtime would take all cores of the host, and they do not spin: a waiting
thread that spins takes its core from the decoders.  Denormals count as zero (they can cost a factor of 30).
"""

import os
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Literal

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from service.errors import DeviceError, ExecutionError, ModelFileError
from service.settings import DeviceName

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
import onnxruntime as ort

Array = NDArray[Any]

_ERRORS_ONLY: Final = 3
_PROVIDERS: Final[Mapping[str, Sequence[str | tuple[str, Mapping[str, str]]]]] = {
    "cpu": ["CPUExecutionProvider"],
    "cuda": [
        # EXHAUSTIVE, the default, searches for up to a second at every new shape.
        ("CUDAExecutionProvider", {"cudnn_conv_algo_search": "HEURISTIC", "arena_extend_strategy": "kSameAsRequested"}),
        "CPUExecutionProvider",
    ],
}


@dataclass(frozen=True)
class Device:
    """Where networks run.

    Args:
        requested: What the settings ask for.
        used: What came up.
        reason: Why `auto` did not take CUDA; None where the best device is used.
    """

    requested: DeviceName
    used: Literal["cpu", "cuda"]
    reason: str | None = None


def open_device(requested: DeviceName) -> Device:
    """Find the device to run on, by running a tiny network there.

    Raises:
        DeviceError: `cuda` was requested and does not come up.
    """
    if requested == "cpu":
        return Device(requested, "cpu")
    reason = _why_no_cuda()
    if reason is None:
        return Device(requested, "cuda")
    if requested == "cuda":
        raise DeviceError(f"device cuda: {reason}; use device auto or cpu to run on the CPU")
    return Device(requested, "cpu", reason)


class Session:
    """A graph that is ready to run; any number of threads may run it at the same time.

    Args:
        model: The graph; it is not kept.
        device: Where to run it.
        threads: How many cores one run may use, on the CPU.

    Raises:
        ModelFileError: ONNX Runtime refuses the graph.
        DeviceError: The device was given up while the session was made.
    """

    def __init__(self, model: ModelProto, *, device: Device, threads: int) -> None:
        data = model.SerializeToString()
        try:
            self._session = ort.InferenceSession(
                data, _options(threads), providers=list(_PROVIDERS[device.used]), enable_fallback=False
            )
        except Exception as error:
            raise ModelFileError(f"ONNX Runtime refuses the graph: {_one_line(error)}") from error
        # The class keeps the serialised graph for as long as it lives: the weights once more.
        self._session._model_bytes = None  # noqa: SLF001
        if device.used == "cuda" and self._session.get_providers()[0] != "CUDAExecutionProvider":
            raise DeviceError("the CUDA device came up at start and does not any more")
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())
        self.bytes = len(data)

    def run(self, feeds: Mapping[str, Array]) -> dict[str, Array]:
        """Compute every output.

        Args:
            feeds: An array for each input, in its type and shape.

        Returns:
            Every output, by name.

        Raises:
            ExecutionError: ONNX Runtime failed.
        """
        try:
            results = self._session.run(self.outputs, feeds)
        except Exception as error:
            raise ExecutionError(f"the network failed while computing: {_one_line(error)}") from error
        return {name: np.asarray(result) for name, result in zip(self.outputs, results, strict=True)}


def _options(threads: int) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", "0")
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    return options


def _why_no_cuda() -> str | None:
    """None where CUDA works.  The list of providers does not tell: it names CUDA where its libraries are missing."""
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        return "this installation of ONNX Runtime has no CUDA (the extra `gpu` brings it)"
    ort.preload_dlls()
    try:
        session = ort.InferenceSession(
            _identity(), _options(1), providers=list(_PROVIDERS["cuda"]), enable_fallback=False
        )
        session.run(None, {"x": np.zeros(1, np.float32)})
    except Exception as error:  # noqa: BLE001  (its exceptions share no base class)
        return _one_line(error)
    if session.get_providers()[0] != "CUDAExecutionProvider":
        return "no NVIDIA driver and GPU that ONNX Runtime can use"
    return None


def _identity() -> bytes:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def _one_line(error: Exception) -> str:
    return " ".join(str(error).split())[:300]

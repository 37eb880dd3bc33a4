"""ONNX Runtime: devices and sessions.  No other file imports it.

Threads are always set, since ONNX Runtime would take all cores of the host, and usually they do not spin: a waiting
thread that spins takes its core from the decoders.  Denormals count as zero (they can cost a factor of 30).
"""

import logging
import os
import re
import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache, partial
from typing import Any, Final, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from service import ticket
from service.errors import DeviceError, DeviceLostError, ExecutionError, ModelFileError
from service.initialisers import Initialisers, is_apart
from service.settings import DeviceName

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
import onnxruntime as ort

T = TypeVar("T")
Array = NDArray[Any]

log = logging.getLogger(__name__)

VERSION: Final = str(ort.__version__)

_ERRORS_ONLY: Final = 3
_NO_LIMIT_AND_USUAL_GROWTH: Final = (0, -1, -1, -1)  # of an arena
_FATAL_ONLY: Final = 4  # of a run: what fails is told to whoever waits for it

# How cuDNN finds its algorithms.  ONNX Runtime lets it search again at every change of shape, where EXHAUSTIVE, the
# default, takes most of a second and HEURISTIC two milliseconds.  Some pairs of GPU and cuDNN find nothing with one.
_SEARCHES: Final = ("HEURISTIC", "EXHAUSTIVE", "DEFAULT")


# A line of the source of ONNX Runtime, and the function there.
_SOURCE: Final = re.compile(
    r"\S+\.(?:cc|cpp|cu|cuh|h|hpp|inc):\d+ (?:[\w:*& ]*onnxruntime::[^()]*\([^()]*\)(?: const)? )?"
)


@dataclass(frozen=True)
class GpuOptions:
    """How ONNX Runtime uses a GPU.

    Args:
        memory_bytes: The most that the arena of one session takes; 0 for no limit.
        tf32: Multiply in TensorFloat-32: faster from the Ampere generation on, and off by about 1e-3.
        nhwc: Keep the channels of maps last inside of the graph, as tensor cores like them.
    """

    memory_bytes: int = 0
    tf32: bool = False
    nhwc: bool = False


class Pulse:
    """Whether a device computes at all.  One that does not any more is lost for good.

    After some errors (an illegal address, a bit that ECC cannot correct, a GPU that fell off the bus) every call of
    CUDA fails until the process is started again; others, as too little memory, pass.  Their texts tell them apart
    badly; a tiny run does it well.

    Args:
        beat: Computes something, or raises; None where that cannot be lost.
    """

    def __init__(self, beat: Callable[[], object] | None = None) -> None:
        self._beat = beat
        self._lost = threading.Event()

    @property
    def lost(self) -> bool:
        """Whether it was found to be lost."""
        return self._lost.is_set()

    def feel(self) -> bool:
        """Whether it computes, now that something has failed."""
        if self._beat is not None and not self.lost:
            try:
                self._beat()
            except Exception as error:  # noqa: BLE001  (whatever it is, it computes nothing)
                log.critical("the device is lost: %s", _one_line(error))
                self._lost.set()
        return not self.lost


@dataclass(frozen=True)
class Device:
    """Where networks run.

    Args:
        requested: What the settings ask for.
        used: What came up.
        reason: Why `auto` did not take CUDA; None where the best device is used.
        gpu: How a GPU is used, where it is one.
        pulse: Tells whether it still computes.
    """

    requested: DeviceName
    used: Literal["cpu", "cuda"]
    reason: str | None = None
    gpu: GpuOptions = GpuOptions()
    pulse: Pulse = field(default_factory=Pulse, compare=False)


def open_device(requested: DeviceName, gpu: GpuOptions | None = None) -> Device:
    """Find the device to run on, by running a tiny network there.

    Args:
        requested: Which.
        gpu: How a GPU is used, where it is one.

    Raises:
        DeviceError: `cuda` was requested and does not come up.
    """
    options = gpu or GpuOptions()
    if requested == "cpu":
        return Device(requested, "cpu")
    try:
        beat = _cuda(options)
    except DeviceError as error:
        reason = str(error)
    else:
        return Device(requested, "cuda", gpu=options, pulse=Pulse(beat))
    if requested == "cuda":
        raise DeviceError(f"device cuda: {reason}; use device auto or cpu to run on the CPU")
    return Device(requested, "cpu", reason)


class Session:
    """A graph that is ready to run; any number of threads may run it at the same time.

    Args:
        model: The graph; it is not kept.
        device: Where to run it.
        threads: How many cores one run may use, on the CPU.
        spinning: Whether threads that wait for each other within a run do so without sleep, for runs that are alone on
            the machine; none spins between runs.
        trial: Inputs to run it on at once, before anybody waits for it.
        initialisers: The values of those that the graph does not hold; the session reads them where they are.

    Raises:
        ModelFileError: ONNX Runtime refuses the graph.
        DeviceError: The device was given up while the session was made.
        ExecutionError: The trial failed.
    """

    def __init__(
        self,
        model: ModelProto,
        *,
        device: Device,
        threads: int,
        spinning: bool = False,
        trial: Mapping[str, Array] | None = None,
        initialisers: Initialisers | None = None,
    ) -> None:
        data = model.SerializeToString()
        held = _held(model, initialisers or {})
        options = partial(_options, threads, on_cpu=device.used == "cpu", spinning=spinning, held=held)
        self._session = first_that_runs(
            [partial(_open, data, device, options(), search, trial) for search in _searches(device)]
        )
        self._device = device
        self._held = held  # ONNX Runtime does not own them
        self.inputs = tuple(value.name for value in self._session.get_inputs())
        self.outputs = tuple(value.name for value in self._session.get_outputs())
        self.bytes = len(data) + sum(value.numpy().nbytes for value in held.values())

    def run(self, feeds: Mapping[str, Array], names: Sequence[str] | None = None) -> dict[str, Array]:
        """Compute outputs.

        Args:
            feeds: An array for each input, in its type and shape.
            names: Which outputs; None for all.

        Returns:
            The outputs, by name.

        Raises:
            AbandonedError: Nobody waits any more; the run was stopped at its next node.
            ExecutionError: ONNX Runtime failed.
        """
        wanted = self.outputs if names is None else names
        mine, options = ticket.current(), ort.RunOptions()
        options.log_severity_level = _FATAL_ONLY
        mine.have_stopped(lambda: setattr(options, "terminate", True))
        try:
            with _execution(self._device):
                results = self._session.run(wanted, feeds, options)
        except ExecutionError:
            mine.check()
            raise
        return {name: np.asarray(result) for name, result in zip(wanted, results, strict=True)}

    def bound(self) -> "BoundSession":
        """The same session, for one caller at a time, who keeps its buffers on the device."""
        return BoundSession(self._session, self._device)


class BoundSession:
    """Runs a session with inputs that stay on its device: only their values cross, and nothing is allocated for them.

    One thread at a time may run it.

    Args:
        session: Of ONNX Runtime.
        device: Where it runs.
    """

    def __init__(self, session: ort.InferenceSession, device: Device) -> None:
        self._session = session
        self._device = device
        self._inputs: dict[str, ort.OrtValue] = {}

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> dict[str, Array]:
        """Compute outputs, as `Session.run` does.

        Raises:
            ExecutionError: ONNX Runtime failed.
        """
        with _execution(self._device):
            binding = self._session.io_binding()
            for name, data in feeds.items():
                binding.bind_ortvalue_input(name, self._filled(name, np.ascontiguousarray(data)))
            for name in names:
                binding.bind_output(name, "cpu")
            self._session.run_with_iobinding(binding)
            results = binding.copy_outputs_to_cpu()
        return dict(zip(names, results, strict=True))

    def _filled(self, name: str, data: Array) -> ort.OrtValue:
        """The buffer of an input, with these values."""
        buffer = self._inputs.get(name)
        if buffer is None or tuple(buffer.shape()) != data.shape:
            buffer = self._inputs[name] = ort.OrtValue.ortvalue_from_shape_and_type(
                data.shape, data.dtype.type, self._device.used, 0
            )
        buffer.update_inplace(data)
        return buffer


def _held(model: ModelProto, initialisers: Initialisers) -> dict[str, ort.OrtValue]:
    """The initialisers of a graph that are kept apart from it, as ONNX Runtime takes them: nothing is copied."""
    names = (tensor.name for tensor in model.graph.initializer if is_apart(tensor))
    return {name: ort.OrtValue.ortvalue_from_numpy(initialisers[name]) for name in names}


def _options(
    threads: int, *, on_cpu: bool = False, spinning: bool = False, held: Mapping[str, ort.OrtValue] | None = None
) -> ort.SessionOptions:
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.inter_op_num_threads = 1
    options.log_severity_level = _ERRORS_ONLY
    options.add_session_config_entry("session.intra_op.allow_spinning", str(int(spinning)))
    options.add_session_config_entry("session.force_spinning_stop", "1")  # when the run ends
    options.add_session_config_entry("session.set_denormal_as_zero", "1")
    if on_cpu:
        _share_arena()
        options.add_session_config_entry("session.use_env_allocators", "1")
    if held:
        options.add_external_initializers(list(held), list(held.values()))
    return options


@cache
def _share_arena() -> None:
    """Have all sessions take the memory of their runs from one arena.

    An arena keeps what it has had: with one for each session, a process keeps the largest run of every session.
    """
    memory = ort.OrtMemoryInfo("Cpu", ort.OrtAllocatorType.ORT_ARENA_ALLOCATOR, 0, ort.OrtMemType.DEFAULT)
    ort.create_and_register_allocator(memory, ort.OrtArenaCfg(*_NO_LIMIT_AND_USUAL_GROWTH))


def _open(
    data: bytes, device: Device, options: ort.SessionOptions, search: str, trial: Mapping[str, Array] | None
) -> ort.InferenceSession:
    try:
        session = ort.InferenceSession(data, options, providers=_providers(device, search), enable_fallback=False)
    except Exception as error:
        _refuse_lost(device, error)
        raise ModelFileError(f"ONNX Runtime refuses the graph: {_one_line(error)}") from error
    # The class keeps the serialised graph for as long as it lives: the weights once more.
    session._model_bytes = None  # noqa: SLF001
    if device.used == "cuda" and session.get_providers()[0] != "CUDAExecutionProvider":
        raise DeviceError("the CUDA device came up at start and does not any more")
    if trial is not None:
        with _execution(device):
            session.run(None, trial)
    return session


def first_that_runs(openings: Sequence[Callable[[], T]]) -> T:
    """What the first opening gives whose trial succeeds.

    Raises:
        ExecutionError: None does; the error is that of the last.
    """
    for opening in openings[:-1]:
        try:
            return opening()
        except ExecutionError as error:
            log.warning("trying another search for convolution algorithms: %s", error)
    return openings[-1]()


def _searches(device: Device) -> Sequence[str]:
    return _SEARCHES if device.used == "cuda" else _SEARCHES[:1]


def _providers(device: Device, search: str) -> list[Any]:
    if device.used == "cpu":
        return ["CPUExecutionProvider"]
    options = {
        "cudnn_conv_algo_search": search,
        "arena_extend_strategy": "kSameAsRequested",
        "use_tf32": str(int(device.gpu.tf32)),
        "prefer_nhwc": str(int(device.gpu.nhwc)),
    }
    if device.gpu.memory_bytes:
        options["gpu_mem_limit"] = str(device.gpu.memory_bytes)
    return [("CUDAExecutionProvider", options), "CPUExecutionProvider"]


@contextmanager
def _execution(device: Device) -> Iterator[None]:
    """What ONNX Runtime raises while it computes becomes an `ExecutionError`."""
    try:
        yield
    except Exception as error:
        _refuse_lost(device, error)
        raise ExecutionError(f"the network failed while computing: {_one_line(error)}") from error


def _refuse_lost(device: Device, error: Exception) -> None:
    if not device.pulse.feel():
        raise DeviceLostError(f"the device is lost: {_one_line(error)}") from error


def _cuda(gpu: GpuOptions) -> Callable[[], object]:
    """A tiny run on CUDA, which has succeeded once.

    The list of providers does not tell whether it does: it names CUDA where its libraries are missing.

    Raises:
        DeviceError: CUDA does not come up.
    """
    if "CUDAExecutionProvider" not in ort.get_available_providers():
        raise DeviceError("this installation of ONNX Runtime has no CUDA (the extra `gpu` brings it)")
    ort.preload_dlls()
    providers = _providers(Device("cuda", "cuda", gpu=gpu), _SEARCHES[0])
    try:
        session = ort.InferenceSession(_identity(), _options(1), providers=providers, enable_fallback=False)
        run = partial(session.run, None, {"x": np.zeros(1, np.float32)})
        run()
    except Exception as error:
        raise DeviceError(_one_line(error)) from error
    if session.get_providers()[0] != "CUDAExecutionProvider":
        raise DeviceError("no NVIDIA driver and GPU that ONNX Runtime can use")
    return run


def _identity() -> bytes:
    value = [helper.make_tensor_value_info(name, TensorProto.FLOAT, [1]) for name in "xy"]
    graph = helper.make_graph([helper.make_node("Relu", ["x"], ["y"])], "probe", value[:1], value[1:])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes(model.SerializeToString())


def _one_line(error: Exception) -> str:
    """What an error says, without the places in the source of ONNX Runtime that it names."""
    return " ".join(_SOURCE.sub("", str(error)).split())[:300]

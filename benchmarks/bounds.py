"""What nothing on this machine can do better, or what others do at best: the same work without HTTP.

    rivals_loop      decode, preprocess with Pillow and NumPy, and run, in a thread for each core
    own_loop         the same with the service's own image code and graph
    raw              ONNX Runtime alone
    decoding         Pillow and NumPy alone, or the service's own image code alone

The sessions are plain ones, as ONNX Runtime's documentation makes them, not those of the service.
"""

import json
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import cache, partial
from typing import Final, Literal

import numpy as np
import onnxruntime as ort
from numpy.typing import NDArray

from benchmarks.figures import Measured
from benchmarks.preprocessing import MODELS, Preprocessing, open_session
from service import graph, metadata
from service.image import decode_all

LARGEST: Final = 50_000_000
"""Pixels of an image that are accepted, as by default."""


Device = Literal["cpu", "cuda"]


@dataclass(frozen=True)
class Hardware:
    """What a bound may use.

    Args:
        device: `cpu` or `cuda`.
        cores: As many threads work, or share one run.
    """

    device: Device
    cores: int


def rivals_loop(hardware: Hardware, model: str, photo: bytes, *, seconds: float) -> Measured:
    """All of an image is decoded, made floats, and run with one thread: in as many threads as there are cores."""
    rivals, session = _rivals(model), _session(model, 1, hardware.device)

    def work() -> None:
        rivals.top(session.run(None, {rivals.name: rivals.tensor(photo)})[0][0])

    return side_by_side(work, threads=hardware.cores, seconds=seconds)


def own_loop(hardware: Hardware, model: str, photo: bytes, *, seconds: float, layer: str = "") -> Measured:
    """The service's own image code and graph, one thread a run: in as many threads as there are cores.

    Args:
        hardware: What may be used.
        model: The name of a shipped one.
        photo: An encoded image.
        seconds: How long.
        layer: Whose map is computed; the classes where there is none.
    """
    work = _own_work(hardware, model, photo, layer, threads=1)
    return side_by_side(work, threads=hardware.cores, seconds=seconds)


def own_work_alone(hardware: Hardware, model: str, photo: bytes, *, seconds: float, layer: str = "") -> Measured:
    """The same, one at a time, with all cores for each run."""
    work = _own_work(hardware, model, photo, layer, threads=hardware.cores)
    return side_by_side(work, threads=1, seconds=seconds)


def raw(hardware: Hardware, model: str, tensor: NDArray[np.float32], *, seconds: float) -> Measured:
    """ONNX Runtime on a tensor, one thread a run: in as many threads as there are cores."""
    run = _raw_work(hardware, model, tensor, threads=1)
    return side_by_side(run, threads=hardware.cores, seconds=seconds)


def raw_alone(hardware: Hardware, model: str, tensor: NDArray[np.float32], *, seconds: float) -> Measured:
    """ONNX Runtime on a tensor, one run at a time, with all cores."""
    run = _raw_work(hardware, model, tensor, threads=hardware.cores)
    return side_by_side(run, threads=1, seconds=seconds)


def rivals_decoding(model: str, photo: bytes, *, seconds: float) -> Measured:
    """Pillow and NumPy alone: from a whole image to floats."""
    return side_by_side(partial(_rivals(model).tensor, photo), threads=1, seconds=seconds)


def own_decoding(model: str, photo: bytes, *, seconds: float) -> Measured:
    """The service's own image code alone."""
    return side_by_side(partial(_decoded, model, photo), threads=1, seconds=seconds)


def tensor_of(model: str, photo: bytes) -> NDArray[np.float32]:
    """The tensor of an image: (1, C, height, width)."""
    return _rivals(model).tensor(photo)


def logits_of(model: str, photo: bytes) -> NDArray[np.float32]:
    """What a network says of an image that was decoded as a whole: (1, classes)."""
    (logits,) = _session(model, 1, "cpu").run(None, {_rivals(model).name: tensor_of(model, photo)})
    return np.asarray(logits, np.float32)


def map_of(model: str, photo: bytes, layer: str) -> NDArray[np.float32]:
    """The map of a layer, in the service's own graph: (1, C, height, width)."""
    (found,) = _own_session(model, layer, 1, "cpu").run(None, {graph.PIXELS: _decoded(model, photo)})
    return np.asarray(found, np.float32)


def side_by_side(work: Callable[[], object], *, threads: int, seconds: float) -> Measured:
    """Do some work again and again, in several threads at once."""
    work()
    with ThreadPoolExecutor(threads) as pool:
        parts = list(pool.map(lambda _: _durations(work, seconds), range(threads)))
    p50, p99 = (1000 * float(value) for value in np.percentile(np.concatenate(parts), (50, 99)))
    # Each thread by its own time: in the end they do not stop together.
    return Measured(sum(len(part) / sum(part) for part in parts), p50, p99)


def _durations(work: Callable[[], object], seconds: float) -> list[float]:
    durations = []
    start = last = time.perf_counter()
    while last - start < seconds:
        work()
        now = time.perf_counter()
        durations.append(now - last)
        last = now
    return durations


def _raw_work(hardware: Hardware, model: str, tensor: NDArray[np.float32], *, threads: int) -> Callable[[], object]:
    session = _session(model, threads, hardware.device)
    return partial(session.run, None, {_rivals(model).name: tensor})


def _own_work(hardware: Hardware, model: str, photo: bytes, layer: str, *, threads: int) -> Callable[[], object]:
    session = _own_session(model, layer, threads, hardware.device)
    return lambda: session.run(None, {graph.PIXELS: _decoded(model, photo)})


def _decoded(model: str, photo: bytes) -> NDArray[np.uint8]:
    return decode_all([photo], _metadata(model).input, max_pixels=LARGEST)


@cache
def _rivals(model: str) -> Preprocessing:
    return Preprocessing(json.loads(MODELS[model].joinpath("metadata.json").read_text()))


@cache
def _metadata(model: str) -> metadata.Metadata:
    return metadata.read(MODELS[model] / "metadata.json")


@cache
def _session(model: str, threads: int, device: str) -> ort.InferenceSession:
    return open_session(MODELS[model] / "model.onnx", threads=threads, device=device)


@cache
def _own_session(model: str, layer: str, threads: int, device: str) -> ort.InferenceSession:
    """From the pixels to the probabilities, or to the map of a layer."""
    known = _metadata(model)
    whole = graph.parse(MODELS[model].joinpath("model.onnx").read_bytes(), name=model)
    tensor = next((entry.tensor for entry in known.layers if layer in (entry.path, *entry.aliases)), known.output.name)
    cut = graph.with_pixels(graph.cut(whole, [tensor]), known.input)
    ready = cut if layer else graph.with_probabilities(cut, known.output.name)
    return open_session(ready.SerializeToString(), threads=threads, device=device)

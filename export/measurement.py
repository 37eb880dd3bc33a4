"""Accuracy and speed, measured on the graph that is served: image bytes in, classes out.  It needs no PyTorch."""

import platform
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from service import graph, runtime
from service.cores import available_cores
from service.metadata import ImageInput, Speed

_BATCH: Final = 500
_RUNS: Final = 200
_WARM_UP: Final = 5
# What of an x86 processor matters to 8-bit and 16-bit arithmetic.
_FEATURES: Final = ("avx2", "avx512f", "avx_vnni", "avx512_vnni", "avx512_bf16", "avx512_fp16", "amx_int8")


def accuracy(
    model: ModelProto, spec: ImageInput, output: str, *, pixels: NDArray[np.uint8], labels: NDArray[Any]
) -> float:
    """The part of the images whose class gets the largest output, 0 to 1.

    Args:
        model: As published.
        spec: Its input.
        output: The name of its output.
        pixels: Images of the size of the input, 0 to 255.
        labels: The number of the class of each.

    Shape:
        pixels (N, height, width, C) uint8; labels (N,) of any integer type.
    """
    return float(np.mean(predictions(model, spec, output, pixels) == labels))


def squared_error(model: ModelProto, spec: ImageInput, output: str, *, pixels: NDArray[np.uint8]) -> float:
    """The mean squared difference between the output and the image that went in, in pixels from 0 to 1.

    Args:
        model: As published.
        spec: Its input.
        output: The name of its output: images from 0 to 1.
        pixels: Images of the size of the input, 0 to 255.

    Shape:
        pixels (N, height, width, C) uint8.
    """
    session = _session(model, spec, available_cores())
    errors = []
    for batch in np.split(pixels, range(_BATCH, len(pixels), _BATCH)):
        outputs = session.run({graph.PIXELS: batch})[output]  # (N, C, height, width)
        images = batch.transpose(0, 3, 1, 2) / np.float32(255)
        errors.append(np.square(outputs - images, dtype=np.float64).mean(axis=(1, 2, 3)))
    return float(np.mean(np.concatenate(errors)))


def predictions(model: ModelProto, spec: ImageInput, output: str, pixels: NDArray[np.uint8]) -> NDArray[np.int64]:
    """The number of the class with the largest output, of each image.

    Shape:
        pixels (N, height, width, C) uint8.  Returns (N,).
    """
    session = _session(model, spec, available_cores())
    batches = np.split(pixels, range(_BATCH, len(pixels), _BATCH))
    answers = [session.run({graph.PIXELS: batch})[output] for batch in batches]
    return np.concatenate([answer.reshape(len(answer), -1).argmax(axis=1) for answer in answers])


def confusion(labels: NDArray[Any], predicted: NDArray[Any], *, classes: int) -> NDArray[np.int64]:
    """How many images of each class (row) were taken for which (column).

    Shape:
        labels (N,), predicted (N,) of any integer type.  Returns (classes, classes).

    >>> confusion(np.array([0, 0, 1]), np.array([0, 1, 1]), classes=2).tolist()
    [[1, 1], [0, 1]]
    """
    counts = np.zeros((classes, classes), np.int64)
    np.add.at(counts, (labels, predicted), 1)
    return counts


def speeds(original: ModelProto, copied: ModelProto, spec: ImageInput) -> tuple[Speed, ...]:
    """How long one image takes on the CPU, original and copy in turn: on one core, and on all that there are.

    Args:
        original: A model.
        copied: Another one with the same input.
        spec: Their input.
    """
    pixels = np.random.default_rng(0).integers(0, 256, (1, spec.height, spec.width, spec.channels), np.uint8)
    found = []
    for threads in sorted({1, available_cores()}):
        pair = [_session(model, spec, threads) for model in (original, copied)]
        times = np.array(list(_times(pair, pixels)))  # (runs, 2)
        first, second = np.median(times[_WARM_UP:], axis=0).tolist()
        found.append(
            Speed(
                threads=threads,
                original=round(1e3 * first, 3),
                copied=round(1e3 * second, 3),
                runs=_RUNS,
                machine=_machine(),
            )
        )
    return tuple(found)


def _times(sessions: list[runtime.Session], pixels: NDArray[np.uint8]) -> Iterator[list[float]]:
    """Seconds, of each session once, again and again: whatever slows the machine down slows both down."""
    for _ in range(_WARM_UP + _RUNS):
        row = []
        for session in sessions:
            start = time.perf_counter()
            session.run({graph.PIXELS: pixels})
            row.append(time.perf_counter() - start)
        yield row


def _session(model: ModelProto, spec: ImageInput, threads: int) -> runtime.Session:
    return runtime.Session(graph.with_pixels(model, spec), device=runtime.open_device("cpu"), threads=threads)


def _machine() -> str:
    """The processor, as Linux describes it; elsewhere its architecture."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.machine()
    facts = {key.strip(): value.strip() for key, _, value in (line.partition(":") for line in lines)}
    flags = facts.get("flags", "").split()
    name = facts.get("model name") or platform.machine()
    return ", ".join([name, *(flag for flag in _FEATURES if flag in flags)])

"""One version of a model, loaded: its metadata, its layer table, and the graphs that answer requests."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from service import graph, layers
from service.errors import ModelFileError, ModelTaskError
from service.layers import Layer, LayerTable
from service.metadata import ClassOutput, ImageInput, Metadata
from service.repository import MODEL_FILE, ModelFolder
from service.runtime import Device, Session
from service.sessions import SessionCache

_MISSING_METADATA: Final = (
    "it has no metadata.json, so that the service does not know how an image becomes its input; write one beside"
    " model.onnx with input (height, width, color, crop_fraction, interpolation, rescale_factor, mean, std) and output"
    " (values, labels)"
)


class Model:
    """A loaded model.

    Classification has a session of its own, with all fusions.  Feature maps run in graphs that are cut off at the
    layers asked for, made from the file on demand and kept in a cache that all models share.

    Args:
        folder: Where it lies.
        device: Where it runs.
        threads: How many cores one run may use.
        cache: Keeps the sessions of cut graphs.

    Raises:
        ModelFileError: Its files are missing, damaged, or do not fit each other.
    """

    def __init__(self, folder: ModelFolder, *, device: Device, threads: int, cache: SessionCache) -> None:
        self.folder = folder
        self.device = device
        self._threads = threads
        self._cache = cache
        self.metadata: Metadata | None = folder.read_metadata()
        model = self._read()
        self.layers: LayerTable = layers.table(model, self.metadata.layers if self.metadata else None)
        self._batch = _fixed_batch(model)
        self._session = self._classification_session(model)

    @property
    def name(self) -> str:
        """The name under which it is served."""
        return self.folder.name

    @property
    def version(self) -> int:
        """Its version."""
        return self.folder.version

    @property
    def image_input(self) -> ImageInput:
        """How an image becomes its input.

        Raises:
            ModelTaskError: Its metadata do not tell.
        """
        return self._described().input

    @property
    def class_output(self) -> ClassOutput:
        """What its output means.

        Raises:
            ModelTaskError: Its metadata do not tell.
        """
        return self._described().output

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify images.

        Args:
            pixels: As `service.image.decode` makes them for `image_input`.

        Shape:
            pixels: (N, height, width, C) uint8, 0 to 255.  Returns (N, classes), each row adding up to 1.

        Raises:
            ModelTaskError: The model is no classifier of images.
            ExecutionError: The runtime failed.
        """
        (result,) = self._run(self._classifier(), pixels)
        return result

    def feature_maps(self, pixels: NDArray[np.uint8], wanted: Sequence[Layer]) -> list[NDArray[np.float32]]:
        """Compute the outputs of layers, and of nothing behind them.

        Shape:
            pixels: (N, height, width, C) uint8, 0 to 255.  Returns (N, *layer.shape) for each layer, in order.

        Raises:
            ModelTaskError: The model takes no images.
            ExecutionError: The runtime failed.
        """
        tensors = tuple(layer.tensor for layer in wanted)
        key = (self.name, self.version, tuple(sorted(tensors)))
        session = self._cache.get(key, lambda: self._cut_session(sorted(tensors)))
        results = dict(zip(session.outputs, self._run(session, pixels), strict=True))
        return [results[tensor] for tensor in tensors]

    def warm_up(self) -> None:
        """Classify one black image, so that the first caller does not wait for what is set up on first use."""
        if self._session is not None:
            spec = self.image_input
            self.probabilities(np.zeros((1, spec.height, spec.width, spec.channels), np.uint8))

    def _classifier(self) -> Session:
        self._described()
        assert self._session is not None  # noqa: S101  (a model with metadata always has one)
        return self._session

    def _described(self) -> Metadata:
        if self.metadata is None:
            raise ModelTaskError(f"model {self.name!r} takes no images: {_MISSING_METADATA}")
        return self.metadata

    def _read(self) -> ModelProto:
        return graph.parse(self.folder.read_model(self.metadata), name=MODEL_FILE)

    def _classification_session(self, model: ModelProto) -> Session | None:
        """The fused graph from bytes to probabilities; a file without metadata is only proven to load."""
        if self.metadata is None:
            self._open(model)
            return None
        output = self.metadata.output
        _check_classes(model, output)
        whole = graph.with_pixels(graph.cut(model, [output.name]), self.metadata.input)
        return self._open(graph.with_probabilities(whole, output.name) if output.values == "logits" else whole)

    def _cut_session(self, tensors: Sequence[str]) -> Session:
        return self._open(graph.with_pixels(graph.cut(self._read(), tensors), self.image_input))

    def _open(self, model: ModelProto) -> Session:
        return Session(model, device=self.device, threads=self._threads)

    def _run(self, session: Session, pixels: NDArray[np.uint8]) -> list[NDArray[np.float32]]:
        """Run a session, in pieces where its graph takes a fixed number of images; short pieces are filled up."""
        size = self._batch or len(pixels)
        pieces = [pixels[start : start + size] for start in range(0, len(pixels), size)]
        results = [session.run({graph.PIXELS: _filled(piece, size)}) for piece in pieces]
        return [np.concatenate([r[name] for r in results])[: len(pixels)] for name in session.outputs]


def _filled(pixels: NDArray[np.uint8], size: int) -> NDArray[np.uint8]:
    """Black images behind, up to a batch of `size`."""
    missing = size - len(pixels)
    return np.pad(pixels, [(0, missing), (0, 0), (0, 0), (0, 0)]) if missing else pixels


def _fixed_batch(model: ModelProto) -> int | None:
    """The number of images that a graph takes at once, where it is fixed."""
    found = graph.inputs(model)
    shape = graph.dimensions(found[0]) if found else None
    return shape[0] if shape else None


def _check_classes(model: ModelProto, output: ClassOutput) -> None:
    """Refuse an output that is missing, no vector for each image, or does not have as many classes as labels."""
    value = next((value for value in model.graph.output if value.name == output.name), None)
    if value is None:
        names = [value.name for value in model.graph.output]
        raise ModelFileError(f"model.onnx has no output {output.name!r}, which metadata.json names; it has {names}")
    shape = graph.dimensions(value)
    if shape is None or len(shape) != 2:
        raise ModelFileError(f"output {output.name!r} of model.onnx has shape {shape}; a classifier has (N, classes)")
    if output.labels is not None and shape[1] not in (None, len(output.labels)):
        raise ModelFileError(f"metadata.json has {len(output.labels)} labels; model.onnx has {shape[1]} classes")

"""One version of a model, loaded: its metadata, its layer table, and the graphs that answer requests."""

import threading
from collections.abc import Callable, Hashable, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from service import graph, layers, memory, ticket
from service.compute import BatchAxis, Compute, Network
from service.errors import AbandonedError, ModelFileError, ModelTaskError
from service.heads import Head, NoHead, find_head
from service.initialisers import take_apart
from service.layers import Layer, LayerTable
from service.metadata import ClassOutput, ImageInput, Metadata
from service.repository import MODEL_FILE, ModelFolder
from service.runtime import Array, Device
from service.sessions import SessionCache
from service.signature import Signature, signature
from service.triton_config import TritonConfig
from service.weights import Weights, weights_of

_MISSING_METADATA: Final = (
    "it has no metadata.json, so that the service does not know how an image becomes its input; write one beside"
    " model.onnx with input (height, width, color, crop_fraction, interpolation, rescale_factor, mean, std) and output"
    " (values, labels), as `striate models import` does"
)
# What makes probabilities of an output.
_ACTIVATIONS: Final[Mapping[str, graph.Activation | None]] = {
    "logits": "softmax",
    "probabilities": None,
    "sigmoid_logits": "sigmoid",
    "sigmoid": None,
}


@dataclass(frozen=True)
class Limits:
    """What a model may take.

    Args:
        file_bytes: Of its file.
        run_bytes: Of all tensors that a run of one image needs at once, as far as their shapes are known.
        run_seconds: Of the first run, of one image, on the CPU.
    """

    file_bytes: int = 2**31
    run_bytes: int = 2**32
    run_seconds: float = 60.0


_USUAL_LIMITS: Final = Limits()


class Model:
    """A loaded model.

    Classification has a network of its own, with all fusions.  Feature maps run in graphs that are cut off at the
    layers asked for, made from the graph of the file on demand and kept in a cache that all models share.

    Args:
        folder: Where it lies.
        compute: Makes networks of graphs.
        cache: Keeps those of cut graphs.
        limits: What it may take.

    Raises:
        ModelFileError: Its files are missing, damaged, or do not fit each other.
    """

    def __init__(
        self, folder: ModelFolder, *, compute: Compute, cache: SessionCache, limits: Limits = _USUAL_LIMITS
    ) -> None:
        self.folder = folder
        self._compute = compute
        self._cache = cache
        self._limits = limits
        # What is cached belongs to this object: a version that is loaded again may have another file.
        self._owner = object()
        self._closed = False
        self.metadata: Metadata | None = folder.read_metadata()
        self._config = folder.read_config() or TritonConfig()
        self._labels = {name: folder.read_labels(file) for name, file in self._config.label_files.items()}
        # Kept, so that whatever becomes of the file, each graph is cut from the one that was checked.
        self._graph, self._initialisers = take_apart(
            graph.parse(folder.read_model(self.metadata, max_bytes=limits.file_bytes), name=MODEL_FILE)
        )
        model = self._graph
        self.signature: Signature = signature(model)
        self._whole: Network | None = None
        self._whole_lock = threading.Lock()
        self.layers: LayerTable = _layer_table(model, self.metadata, limits)
        self._axis = _batch_axis(model)
        self._classes = self._classification(model)

    @property
    def name(self) -> str:
        """The name under which it is served."""
        return self.folder.name

    @property
    def version(self) -> int:
        """Its version."""
        return self.folder.version

    @property
    def device(self) -> Device:
        """Where it runs."""
        return self._compute.device

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
            ModelTaskError: Its metadata do not tell, or say that it has no classes.
        """
        output = self._described().output
        if output.values == "none":
            raise ModelTaskError(
                f"model {self.name!r} is no classifier: its metadata.json says that {output.name!r} holds no classes"
                " (output.values is none); its feature maps can be fetched"
            )
        return output

    def probabilities(self, pixels: NDArray[np.uint8]) -> NDArray[np.float32]:
        """Classify images.

        Args:
            pixels: As `service.image.decode` makes them for `image_input`.

        Shape:
            pixels: (N, height, width, C) uint8, 0 to 255.  Returns (N, classes); each row adds up to 1, but for
                outputs where each class stands for itself (`sigmoid`, `sigmoid_logits`).

        Raises:
            ModelTaskError: The model is no classifier of images.
            ExecutionError: The runtime failed.
        """
        return self._classifier().run({graph.PIXELS: pixels})[graph.PROBABILITIES]

    def feature_maps(self, pixels: NDArray[np.uint8], wanted: Sequence[Layer]) -> list[NDArray[np.float32]]:
        """Compute the outputs of layers, and of nothing behind them.

        Shape:
            pixels: (N, height, width, C) uint8, 0 to 255.  Returns (N, *layer.shape) for each layer, in order.

        Raises:
            ModelTaskError: The model takes no images.
            ExecutionError: The runtime failed.
        """
        return self.tensors(pixels, [layer.tensor for layer in wanted])

    def tensors(self, pixels: NDArray[np.uint8], names: Sequence[str]) -> list[NDArray[np.float32]]:
        """Compute tensors of the graph, and nothing behind them.

        Args:
            pixels: As `service.image.decode` makes them for `image_input`.
            names: Of tensors that operators put out, whether or not the layer table has them.

        Shape:
            pixels: (N, height, width, C) uint8, 0 to 255.  Returns (N, …) for each tensor, in order.

        Raises:
            ModelTaskError: The model takes no images.
            ExecutionError: The runtime failed.
        """
        key = (self._owner, "pixels", tuple(sorted(names)))
        network = self._cached(key, lambda: self._cut(sorted(names)))
        results = network.run({graph.PIXELS: pixels})
        return [_single(results[name]) for name in names]

    def run(self, feeds: Mapping[str, Array], names: Sequence[str]) -> Mapping[str, Array]:
        """Compute tensors of the graph from tensors, with the file as it is.

        Args:
            feeds: An array for each input of `signature`, in its type.
            names: Of outputs of `signature`, or of other tensors that operators put out; with one of those, the
                graph is cut off there.

        Raises:
            ExecutionError: The runtime failed.
        """
        if {output.name for output in self.signature.outputs}.issuperset(names):
            return self._whole_network().run(feeds, names)
        key = (self._owner, "tensors", tuple(sorted(names)))
        alone = BatchAxis(shared=False)  # what a layer's first axis is, nothing says
        network = self._cached(key, lambda: self._open(graph.cut(self._graph, sorted(names)), alone))
        return network.run(feeds)

    @property
    def brief(self) -> bool:
        """Whether running it takes less time than it takes to wake another thread."""
        return self._compute.is_brief(self.layers.multiply_adds)

    @property
    def batched(self) -> bool:
        """Whether the first axis of every input and output is that of the batch."""
        return self.signature.batched and self.max_batch_size != 0

    @property
    def max_batch_size(self) -> int | None:
        """The most entries of a batch that run at once, as `config.pbtxt` says; larger requests run in pieces."""
        return self._config.max_batch_size

    @property
    def unused_settings(self) -> Sequence[str]:
        """What its `config.pbtxt` says that has no meaning here."""
        return self._config.unused

    def labels(self, output: str) -> Sequence[str] | None:
        """What the classes of an output are called; None where nothing says so."""
        if self.metadata is not None and self.metadata.output.name == output:
            return self.metadata.output.labels
        return self._labels.get(output)

    def close(self) -> None:
        """Keep no networks any more that are made on demand; runs that use them end as usual."""
        self._closed = True
        self._cache.drop(self._owner)

    def weights(self, layer: Layer) -> Weights | None:
        """Read the learned weights of a layer's operator from the file; None where it has none."""
        return weights_of(self._graph, layer.tensor, self._initialisers)

    @cached_property
    def head(self) -> Head | NoHead:
        """How its classes come from its last maps; read from the file when first asked for, and kept."""
        if self.metadata is None or self.metadata.output.values == "none":
            return NoHead("it has no classes")
        sizes = graph.image_sizes(self._graph, self.metadata.input)
        return find_head(self._graph, self.metadata.output.name, sizes, self._initialisers)

    def warm_up(self) -> None:
        """Classify one black image, so that the first caller does not wait for what is set up on first use.

        Raises:
            ModelFileError: That does not end.
            ExecutionError: The runtime failed.
        """
        if self._classes is None:
            return
        spec, seconds = self.image_input, self._limits.run_seconds
        try:
            with ticket.limited(seconds):
                self.probabilities(np.zeros((1, spec.height, spec.width, spec.channels), np.uint8))
        except AbandonedError as error:
            raise ModelFileError(f"model.onnx does not classify an image within {seconds:g} s") from error

    def _cached(self, key: Hashable, make: Callable[[], Network]) -> Network:
        """A network that is kept for whoever asks next; requests that still run when the model goes leave none."""
        network = self._cache.get(key, make)
        if self._closed:
            self._cache.drop(self._owner)
        return network

    def _classifier(self) -> Network:
        _ = self.class_output
        assert self._classes is not None  # noqa: S101  (a model with classes always has one)
        return self._classes

    def _described(self) -> Metadata:
        if self.metadata is None:
            raise ModelTaskError(f"model {self.name!r} takes no images: {_MISSING_METADATA}")
        return self.metadata

    def _classification(self, model: ModelProto) -> Network | None:
        """The fused graph from bytes to probabilities; one without classes is only proven to load."""
        if self.metadata is None:
            self._whole = self._open_whole(model)
            return None
        output = self.metadata.output
        _check_output(model, output)
        whole = graph.with_pixels(graph.cut(model, [output.name]), self.metadata.input)
        if output.values == "none":
            self._open(whole, self._axis)
            return None
        _check_classes(model, self.metadata)
        with_classes = graph.with_probabilities(whole, output.name, values=_ACTIVATIONS[output.values])
        return self._open_lasting(with_classes, self._axis)

    def _whole_network(self) -> Network:
        """The file as it is; made when first asked for, since those who send images never do."""
        with self._whole_lock:
            if self._whole is None:
                self._whole = self._open_whole(self._graph)
                memory.use_large_pages_soon()
            return self._whole

    def _open_whole(self, model: ModelProto) -> Network:
        return self._open_lasting(model, BatchAxis(self.max_batch_size if self.batched else None, shared=self.batched))

    def _open_lasting(self, model: ModelProto, axis: BatchAxis) -> Network:
        return self._open(model, axis, multiply_adds=self.layers.multiply_adds, lasting=True)

    def _cut(self, tensors: Sequence[str]) -> Network:
        return self._open(graph.with_pixels(graph.cut(self._graph, tensors), self.image_input), self._axis)

    def _open(
        self, model: ModelProto, axis: BatchAxis, *, multiply_adds: int | None = None, lasting: bool = False
    ) -> Network:
        return self._compute.open(
            model,
            axis,
            initialisers=self._initialisers,
            multiply_adds=multiply_adds,
            run_bytes=self.layers.run_bytes,
            lasting=lasting,
        )


def _batch_axis(model: ModelProto) -> BatchAxis:
    """The number of images that a graph takes at once: any, or the one that its file says."""
    found = graph.inputs(model)
    shape = graph.dimensions(found[0]) if found else None
    return BatchAxis(shape[0], fixed=True) if shape and shape[0] else BatchAxis()


def _single(values: Array) -> NDArray[np.float32]:
    """Half precision is a way to compute; answers are the same type from every model."""
    return values.astype(np.float32) if values.dtype == np.float16 else values


def _layer_table(model: ModelProto, metadata: Metadata | None, limits: Limits) -> LayerTable:
    if metadata is None:
        return layers.table(model, None, max_run_bytes=limits.run_bytes)
    return layers.table(model, metadata.layers, image=metadata.input, max_run_bytes=limits.run_bytes)


def _check_output(model: ModelProto, output: ClassOutput) -> None:
    """Refuse an output that the file does not have."""
    names = [value.name for value in model.graph.output]
    if output.name not in names:
        raise ModelFileError(f"model.onnx has no output {output.name!r}, which metadata.json names; it has {names}")


def _check_classes(model: ModelProto, metadata: Metadata) -> None:
    """Refuse an output that is no vector for each image, or does not have as many classes as labels."""
    output = metadata.output
    shape = graph.dimensions(graph.inferred(model, graph.image_sizes(model, metadata.input))[output.name])
    if shape is None or len(shape) < 2 or any(size != 1 for size in shape[2:]):
        raise ModelFileError(f"output {output.name!r} of model.onnx has shape {shape}; a classifier has (N, classes)")
    if output.labels is not None and shape[1] not in (None, len(output.labels)):
        raise ModelFileError(f"metadata.json has {len(output.labels)} labels; model.onnx has {shape[1]} classes")

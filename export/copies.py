"""Copies of published models in other numbers: 8-bit integers, 16-bit floats.

A copy is a model of its own, `NAME-int8` or `NAME-fp16`, never a version of its original: what the highest version
answers must not change.  It is measured beside its original, in one run, and refused where it answers worse than
allowed.
"""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal

import numpy as np
import onnx
from numpy.typing import NDArray
from onnx import ModelProto, OperatorSetIdProto

from export import agreement, card, data, publishing
from export.conversion import Converted
from export.errors import ArtifactError, ConversionError, DataError, DropError
from export.half_precision import halved
from export.measurement import confusion, predictions, speeds
from export.publishing import Candidate, Published
from export.quantization import quantised
from export.recipes import DATASETS
from export.stages import Destination, Step, tools
from export.verification import Parity
from service import graph, image, runtime
from service.errors import StriateError
from service.metadata import Copy, Figure, ImageInput, LayerEntry, Metadata

Precision = Literal["int8", "float16"]
Pixels = NDArray[np.uint8]

SUFFIXES: Final[Mapping[Precision, str]] = {"int8": "-int8", "float16": "-fp16"}

_NUMBERS: Final[Mapping[Precision, str]] = {"int8": "8-bit integers", "float16": "16-bit floats"}
_MAX_PIXELS: Final = 200_000_000
_BATCH: Final = 32
_FEWEST_PHOTOS: Final = 10


@dataclass(frozen=True)
class Evidence:
    """What a copy is made and judged by.

    Args:
        calibration: Images that tell the range of each map.
        pixels: Other images, to judge by.
        labels: The class of each; None where nobody knows, and the original is asked.
        dataset: What the images are, for people.
        split: Which part of it is judged by.

    Shape:
        calibration and pixels (N, height, width, C) uint8; labels (N,) int64.
    """

    calibration: Pixels
    pixels: Pixels
    labels: NDArray[np.int64] | None
    dataset: str
    split: str


@dataclass(frozen=True)
class Order:
    """What copy is wanted.

    Args:
        original: `NAME`, for its highest version, or `NAME/VERSION`.
        precision: Of the copy.
        data: A folder with the data set of the original; None to download it.
        photos: A folder of images without classes, to be taken in place of the data set; None for the data set.
        max_drop: How far the accuracy, or the agreement, may fall; 0.01 is one point.
        calibration_images: How many images tell the ranges of the maps.
        reduce_range: Take 7 bits of each weight.
    """

    original: str
    precision: Precision
    data: Path | None
    photos: Path | None
    max_drop: float
    calibration_images: int = 512
    reduce_range: bool = False


def make(order: Order, destination: Destination, *, command: str, step: Step) -> Path:
    """Make a copy, judge it, and publish it.

    Args:
        order: What is wanted.
        destination: Where it goes.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.

    Raises:
        ArtifactError: There is no such original, or it is a copy itself.
        DataError: There are no images to judge by.
        DropError: The copy answers worse than allowed.
    """
    original = _original(destination.models, order.original)
    name = original.metadata.name + SUFFIXES[order.precision]
    destination.check(name)
    with step("Reading the images"):
        evidence = _evidence(original.metadata, order)
    with step(f"Converting to {_NUMBERS[order.precision]}"):
        converted = _converted(original, order, evidence)
    with step(f"Comparing {len(converted.layers)} layers with the original"):
        parity = agreement.compare(original, converted)
    with step(f"Measuring both on {len(evidence.pixels):,} images"):
        judged = _judged(original, converted.model, evidence, command)
    _refuse_drop(judged, order.max_drop)
    with step("Timing both"):
        times = speeds(original.model, converted.model, original.metadata.input)
    facts = original.metadata
    copy = Copy(
        name=facts.name,
        version=facts.version,
        artifact=facts.artifact,
        precision=order.precision,
        before=judged.before,
        max_drop=order.max_drop,
        gone=_gone(facts.layers, converted.layers),
        speed=times,
    )
    with step("Publishing"):
        return publishing.publish(
            _candidate(original, converted, judged, parity=parity, copy=copy, recipe=_recipe(order, evidence)),
            destination.models,
            version=destination.version,
            replace=destination.replace,
        )


@dataclass(frozen=True)
class _Judged:
    """How a copy does beside its original; `before` is empty where the original itself is what it is compared with."""

    before: tuple[Figure, ...]
    after: tuple[Figure, ...]
    confusion: NDArray[np.int64] | None

    @property
    def drop(self) -> float:
        return (self.before[0].value if self.before else 1.0) - self.after[0].value


def _original(models: Path, name: str) -> Published:
    """The version that is to be copied.

    Raises:
        ArtifactError: There is none, it is a copy itself, or it is no classifier.
    """
    model, _, version = name.partition("/")
    number = version or str(publishing.next_version(models / model) - 1)
    folder = models / model / number
    if not folder.is_dir():
        there = ", ".join(sorted(path.parent.name for path in models.glob("*/[0-9]*"))) or "nothing"
        raise ArtifactError(f"{models} holds no model {name}; it holds {there}")
    found = publishing.read(folder)
    if found.metadata.copy_of is not None:
        raise ArtifactError(f"{name} is a copy itself; make this one from {found.metadata.copy_of.name}")
    if found.metadata.output.values == "none":
        raise ArtifactError(f"{name} is no classifier: there is no accuracy to judge a copy by")
    return found


def _evidence(facts: Metadata, order: Order) -> Evidence:
    """The images: the data set of the original with its classes, or photos without.

    Raises:
        DataError: Neither is to be had.
    """
    dataset = next((key for key, text in DATASETS.items() if text == facts.source.dataset), None)
    if order.photos is not None:
        return _photos(order.photos, facts.input, order.calibration_images)
    if dataset not in data.READABLE:
        raise DataError(
            f"there are no test images of {facts.name} here (it was trained on {facts.source.dataset}); pass --images "
            f"with a folder of {_FEWEST_PHOTOS} or more photos of what it is meant for"
        )
    parts = data.read(dataset, order.data)
    chosen = np.random.default_rng(0).permutation(len(parts["train"]))[: order.calibration_images]
    return Evidence(
        parts["train"].pixels.numpy()[np.sort(chosen)],
        parts["test"].pixels.numpy(),
        parts["test"].labels.numpy(),
        DATASETS[dataset].partition(" (")[0],
        "test",
    )


def _photos(folder: Path, spec: ImageInput, calibration_images: int) -> Evidence:
    """Every other photo is to calibrate by, the rest to judge by."""
    if not folder.is_dir():
        raise DataError(f"there is no folder {folder}; --images takes one of {_FEWEST_PHOTOS} or more photos")
    files = sorted(path for path in folder.rglob("*") if path.is_file() and not path.name.startswith("."))
    decoded, wrong = [], []
    for path in files:
        try:
            decoded.append(image.decode(path.read_bytes(), spec, max_pixels=_MAX_PIXELS))
        except (StriateError, OSError) as error:
            wrong.append(f"{path.name}: {error}")
    if wrong:
        raise DataError(f"{len(wrong)} files in {folder} are no images: {'; '.join(wrong[:10])}")
    if len(decoded) < _FEWEST_PHOTOS:
        raise DataError(f"{folder} holds {len(decoded)} photos; {_FEWEST_PHOTOS} or more are needed")
    return Evidence(
        np.stack(decoded[1::2][:calibration_images]),
        np.stack(decoded[::2]),
        None,
        f"photos of the folder {folder.resolve().name}",
        "not calibrated by",
    )


def _converted(original: Published, order: Order, evidence: Evidence) -> Converted:
    facts = original.metadata
    if order.precision == "float16":
        model = halved(original.model)
    else:
        batches = _inputs(original.model, facts.input, evidence.calibration)
        model = quantised(original.model, facts.input.name, batches, reduce_range=order.reduce_range)
    finished = _finished(model, original.model)
    computed = {name for node in graph.computed(finished) for name in node.output}
    return Converted(finished, tuple(entry for entry in facts.layers if entry.tensor in computed))


def _inputs(model: ModelProto, spec: ImageInput, pixels: Pixels) -> Iterator[NDArray[np.float32]]:
    """What the service makes of images before the network sees them, batch by batch."""
    session = runtime.Session(
        graph.cut(graph.with_pixels(model, spec), [spec.name]), device=runtime.open_device("cpu"), threads=1
    )
    for batch in np.split(pixels, range(_BATCH, len(pixels), _BATCH)):
        yield session.run({graph.PIXELS: batch})[spec.name]


def _finished(model: ModelProto, original: ModelProto) -> ModelProto:
    """With the shapes of all tensors, the producer and versions of the original, and nothing of the tools.

    Raises:
        ConversionError: The tools made no valid model.
    """
    bare = ModelProto(
        ir_version=original.ir_version,
        producer_name=original.producer_name,
        opset_import=[OperatorSetIdProto(domain=each.domain, version=each.version) for each in original.opset_import],
    )
    bare.graph.CopyFrom(model.graph)
    bare.graph.name = original.graph.name
    del bare.graph.value_info[:]
    try:
        shaped = onnx.shape_inference.infer_shapes(bare, check_type=True, strict_mode=True, data_prop=True)
        onnx.checker.check_model(shaped, full_check=True)
    except (onnx.checker.ValidationError, onnx.shape_inference.InferenceError) as error:
        first = str(error).partition("\n")[0]
        raise ConversionError(f"the copy is no valid model: {first}") from error
    return shaped


def _judged(original: Published, copied: ModelProto, evidence: Evidence, command: str) -> _Judged:
    facts = original.metadata
    answers = [
        predictions(model, facts.input, facts.output.name, evidence.pixels) for model in (original.model, copied)
    ]

    def figure(metric: str, right: NDArray[np.bool_]) -> Figure:
        return Figure(
            metric=metric,
            value=float(right.mean()),
            dataset=evidence.dataset,
            split=evidence.split,
            images=len(right),
            source=f"`{command}`",
        )

    if evidence.labels is None:
        return _Judged((), (figure("top-1 agreement with the original", answers[1] == answers[0]),), None)
    before, after = (figure("top-1 accuracy", answer == evidence.labels) for answer in answers)
    classes = len(facts.output.labels or ()) or int(max(map(np.max, (evidence.labels, *answers)))) + 1
    return _Judged((before,), (after,), confusion(evidence.labels, answers[1], classes=classes))


def _refuse_drop(judged: _Judged, max_drop: float) -> None:
    """Raises `DropError` where a figure fell too far."""
    [after] = judged.after
    # A hair of rounding: 0.9175 - 0.9075 is more than 0.01.
    if judged.drop > max_drop + 1e-9:
        before = judged.before[0].value if judged.before else 1.0
        raise DropError(
            f"{after.metric} falls from {100 * before:.2f} % to {100 * after.value:.2f} % on {after.images:,} images "
            f"({after.dataset}, {after.split}); allowed are {100 * max_drop:g} points, and nothing was published. "
            f"--max-drop {np.ceil(100 * judged.drop) / 100:.2f} would accept it"
        )


def _gone(before: Sequence[LayerEntry], after: Sequence[LayerEntry]) -> tuple[str, ...]:
    kept = {entry.path for entry in after}
    return tuple(entry.path for entry in before if entry.path not in kept)


def _recipe(order: Order, evidence: Evidence) -> dict[str, str | int | bool]:
    """How the copy was made."""
    if order.precision == "float16":
        return {"precision": "float16", "input and output": "float32"}
    return {
        "precision": "int8",
        "form": "QDQ, static",
        "maps": "uint8, asymmetric, one scale each",
        "weights": "int8, symmetric, one scale for each output channel",
        "ranges": "smallest and largest value",
        "calibration": f"{evidence.dataset}{', training images' if evidence.labels is not None else ''}",
        "calibration images": len(evidence.calibration),
        "reduce_range": order.reduce_range,
    }


def _candidate(
    original: Published,
    converted: Converted,
    judged: _Judged,
    *,
    parity: tuple[Parity, ...],
    copy: Copy,
    recipe: Mapping[str, str | int | bool],
) -> Candidate:
    facts, numbers = original.metadata, _NUMBERS[copy.precision]
    labels = facts.output.labels
    extras = _licence_files(original.folder, numbers)
    if judged.confusion is not None:
        extras |= {card.CONFUSION: card.confusion_table(judged.confusion, labels).encode()}
    return Candidate(
        name=facts.name + SUFFIXES[copy.precision],
        summary=f"A copy of {facts.name}, version {facts.version}, in {numbers}. {facts.summary}",
        converted=converted,
        input=facts.input,
        output=facts.output,
        source=facts.source.model_copy(
            update={
                "weights": f"those of {facts.name}, version {facts.version}, in {numbers}",
                "command": judged.after[0].source.strip("`"),
                "recipe": recipe,
                "tools": tools(),
            }
        ),
        reported=(),
        measured=judged.after,
        limits=(*_limits(copy), *facts.limits),
        parity=parity,
        extras=extras,
        copy_of=copy,
    )


def _limits(copy: Copy) -> Iterator[str]:
    yield f"It answers a little differently than {copy.name}: see the differences by layer above."
    if copy.precision == "float16":
        yield "It is meant for graphics processors; on most CPUs it is slower than its original."
        return
    yield "On x86 processors without VNNI sums of products can overflow, and it is hardly faster than its original."
    if not copy.before:
        yield "No test images were to be had: it was compared with its original on photos, not with the truth."


def _licence_files(folder: Path, numbers: str) -> dict[str, bytes]:
    """Work of others keeps its licence, and says what was changed."""
    extras = {name: (folder / name).read_bytes() for name in ("LICENSE", card.NOTICE) if (folder / name).exists()}
    if card.NOTICE in extras:
        extras[card.NOTICE] += f"\nChanged here too: the numbers are {numbers}.\n".encode()
    return extras

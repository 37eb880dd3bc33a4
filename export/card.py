"""The model card: a README.md that is made from the other files of a version.

The text depends on nothing but metadata.json, model.onnx, parity.csv, history.csv and confusion.csv, and on which
pictures are there: the same files give the same card.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from service import graph, layers, metadata
from service.metadata import Copy, Figure, Metadata
from service.repository import MODEL_FILE

PARITY: Final = "parity.csv"
HISTORY: Final = "history.csv"
CURVE: Final = "curve.png"
CONFUSION: Final = "confusion.csv"
CONFUSION_PICTURE: Final = "confusion.png"
FILTERS_PICTURE: Final = "filters.png"
NOTICE: Final = "NOTICE"

_WORST: Final = 5
_HARDEST: Final = 20


@dataclass(frozen=True)
class Confusion:
    """How many images of each class were taken for which.

    Args:
        labels: What the classes are called.
        counts: For each class (row), how many of its images were taken for which (column).
    """

    labels: tuple[str, ...]
    counts: tuple[tuple[int, ...], ...]


@dataclass(frozen=True)
class Sources:
    """What a card is made of.

    Args:
        metadata: What metadata.json says.
        parity: The rows of parity.csv: `layer`, `shape`, `difference`.
        epochs: The rows of history.csv; None where the weights were trained elsewhere.
        notice: Whether a NOTICE is beside it.
        multiply_adds: Of the whole network for one image; None where they cannot be told.
        confusion: How many images of each class (row) were taken for which (column), and what the classes are called;
            None where the model was not measured on images of known classes.
        filters: Whether there is a picture of the kernels of the first layer.
    """

    metadata: Metadata
    parity: Sequence[Mapping[str, str]]
    epochs: Sequence[Mapping[str, str]] | None
    notice: bool
    multiply_adds: int | None = None
    confusion: Confusion | None = None
    filters: bool = False


def read(folder: Path) -> Sources:
    """Read the files of a version that its card is made of."""
    history = folder / HISTORY
    facts = metadata.read(folder / metadata.FILE_NAME)
    return Sources(
        facts,
        rows((folder / PARITY).read_text()),
        rows(history.read_text()) if history.exists() else None,
        (folder / NOTICE).exists(),
        multiply_adds(graph.parse((folder / MODEL_FILE).read_bytes(), name=MODEL_FILE), facts),
        read_confusion((folder / CONFUSION).read_text()) if (folder / CONFUSION).exists() else None,
        (folder / FILTERS_PICTURE).exists(),
    )


def multiply_adds(model: ModelProto, facts: Metadata) -> int | None:
    """Of the whole network for one image, as the service counts them."""
    return layers.table(model, facts.layers, image=facts.input).multiply_adds


def confusion_table(counts: NDArray[np.int64], labels: Sequence[str] | None) -> str:
    """Counts as CSV: a row for each class, a column for each that its images were taken for."""
    names = labels if labels is not None else [str(i) for i in range(len(counts))]
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["class", *names])
    writer.writerows([name, *row] for name, row in zip(names, counts.tolist(), strict=True))
    return text.getvalue()


def read_confusion(text: str) -> Confusion:
    """What `confusion_table` wrote."""
    head, *lines = csv.reader(io.StringIO(text))
    return Confusion(tuple(head[1:]), tuple(tuple(map(int, line[1:])) for line in lines))


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a head."""
    return list(csv.DictReader(io.StringIO(text)))


def text(sources: Sources) -> str:
    """The card, in Markdown."""
    return "\n".join(_lines(sources)) + "\n"


def _lines(sources: Sources) -> Iterator[str]:
    facts = sources.metadata
    yield from (f"# {facts.name}, version {facts.version}", "", facts.summary, "")
    yield from _made(facts, sources.multiply_adds)
    yield from _figures(facts)
    if facts.copy_of is not None:
        yield from _beside_the_original(facts, facts.copy_of)
    if sources.confusion is not None:
        yield from _by_class(sources.confusion)
    if sources.filters:
        yield from _first_layer()
    yield from _input_and_output(sources)
    if sources.epochs is not None:
        yield from _training(facts, sources.epochs)
    yield from _parity(sources.parity, facts.copy_of)
    if facts.limits:
        yield from ("## Limits", "", *(f"- {limit}" for limit in facts.limits), "")
    yield from _licence(facts, notice=sources.notice)


def _made(facts: Metadata, products: int | None) -> Iterator[str]:
    source = facts.source
    work = "" if products is None else f", {products:,} multiply-adds an image"
    yield from ("Made by this command:", "", f"    {source.command}", "")
    yield from ("| | |", "| --- | --- |")
    yield f"| architecture | `{source.architecture}`, {source.parameters:,} parameters{work} |"
    yield f"| paper | {source.paper} |"
    yield f"| weights | {source.weights} |"
    yield f"| trained on | {source.dataset} |"
    yield f"| file | `model.onnx`, {facts.artifact.bytes:,} bytes, {len(facts.layers)} layers that can be fetched |"
    yield f"| SHA-256 | `{facts.artifact.sha256}` |"
    yield f"| made with | {', '.join(f'{name} {version}' for name, version in source.tools.items())} |"
    yield ""


def _figures(facts: Metadata) -> Iterator[str]:
    yield from ("## Figures", "", "| | figure | value | data | who says so |", "| --- | --- | --- | --- | --- |")
    for kind, figures in (("measured on this file", facts.measured), ("reported", facts.reported)):
        yield from (_figure(kind, figure) for figure in figures)
    if not facts.measured:
        yield "| measured on this file | none | | | |"
    yield ""


def _figure(kind: str, figure: Figure) -> str:
    value = _value(figure)
    images = f"{figure.dataset}, {figure.split}, {figure.images:,} images"
    return f"| {kind} | {figure.metric} | {value} | {images} | {figure.source} |"


def _value(figure: Figure) -> str:
    is_part = "accuracy" in figure.metric or "agreement" in figure.metric
    return f"{100 * figure.value:.2f} %" if is_part else f"{figure.value:g}"


def _beside_the_original(facts: Metadata, copy: Copy) -> Iterator[str]:
    original = f"{copy.name}, version {copy.version}"
    yield from ("## Beside the original", "", f"| | {original} | this copy |", "| --- | --- | --- |")
    size = copy.artifact.bytes / facts.artifact.bytes
    yield f"| model.onnx, bytes | {copy.artifact.bytes:,} | {facts.artifact.bytes:,} ({size:.1f} times smaller) |"
    for index, figure in enumerate(facts.measured):
        before = _value(copy.before[index]) if copy.before else "100 %, by definition"
        yield f"| {figure.metric}, {figure.images:,} images | {before} | {_value(figure)} |"
    for speed in copy.speed:
        cores = "1 core" if speed.threads == 1 else f"{speed.threads} cores"
        ratio = f"{speed.original / speed.copied:.2f} times as fast"
        yield f"| milliseconds an image, {cores} | {speed.original:g} | {speed.copied:g} ({ratio}) |"
    yield ""
    yield f"SHA-256 of the original: `{copy.artifact.sha256}`."
    points = "1 point" if copy.max_drop == 0.01 else f"{100 * copy.max_drop:g} points"
    yield f"A copy whose figure falls by more than {points} is not published."
    for machine in dict.fromkeys(speed.machine for speed in copy.speed):
        yield f"Times are medians of {copy.speed[0].runs} runs each, in turn, on: {machine}."
    if copy.gone:
        yield from ("", "These layers of the original were folded into others, and cannot be fetched any more:")
        yield f"{', '.join(f'`{path}`' for path in copy.gone)}."
    yield from ("", "Made with:", "", "| setting | value |", "| --- | --- |")
    yield from (f"| {name} | {json.dumps(value)} |" for name, value in (facts.source.recipe or {}).items())
    yield ""


def _by_class(confusion: Confusion) -> Iterator[str]:
    counts = confusion.counts
    rows = sorted(range(len(counts)), key=lambda i: counts[i][i] / max(1, sum(counts[i])))
    hardest = f", the {_HARDEST} hardest of {len(rows)}" if len(rows) > _HARDEST else ""
    yield from (f"## By class{hardest}", "", f"![Which class is taken for which]({CONFUSION_PICTURE})", "")
    yield from ("| class | accuracy | images | most often taken for |", "| --- | --- | --- | --- |")
    for i in rows[:_HARDEST]:
        right, total = counts[i][i], sum(counts[i])
        other = max((j for j in rows if j != i), key=lambda j: (counts[i][j], -j))
        accuracy = f"{100 * right / total:.1f} %" if total else "none"
        taken = f"{confusion.labels[other]} ({counts[i][other]})" if counts[i][other] else "nothing else"
        yield f"| {confusion.labels[i]} | {accuracy} | {total:,} | {taken} |"
    yield from ("", f"`{CONFUSION}` has how many images of each class were taken for which.", "")


def _first_layer() -> Iterator[str]:
    yield from ("## First layer", "", f"![The kernels of the first layer]({FILTERS_PICTURE})", "")
    yield "The first kernels that see more than one pixel, each on a scale of its own. Those that see colours are shown"
    yield "in them, 0 is grey; others are red where they are positive, blue where they are negative, white at 0."
    yield ""


def _input_and_output(sources: Sources) -> Iterator[str]:
    facts, spec = sources.metadata, sources.metadata.input
    yield from ("## Input and output", "")
    yield f"`{spec.name}`: float32 (batch, {spec.channels}, {spec.height}, {spec.width}), {spec.color}."
    size = "the largest" if spec.crop_fraction == 1 else f"{spec.crop_fraction:g} of the largest"
    yield f"Of a picture the centred box with the shape of the input is cut out, {size} that fits,"
    yield f"and resized once ({spec.interpolation});"
    yield f"then (pixel * {spec.rescale_factor:.6g} - mean) / std, with pixels from 0 to 255,"
    yield f"mean {_numbers(spec.mean)}, std {_numbers(spec.std)} (one for each channel)."
    yield ""
    yield f"`{facts.output.name}`: float32 (batch, {_outputs(sources)}), {_meaning(facts)}"
    yield ""


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _outputs(sources: Sources) -> str:
    """How many numbers the output has for one image."""
    facts = sources.metadata
    if facts.output.labels is not None:
        return str(len(facts.output.labels))
    paths = {entry.path for entry in facts.layers if entry.tensor == facts.output.name}
    return next((row["shape"].replace("x", ", ") for row in sources.parity if row["layer"] in paths), "classes")


def _meaning(facts: Metadata) -> str:
    return "maps." if facts.output.values == "none" else f"{facts.output.values}. {_classes(facts)}"


def _classes(facts: Metadata) -> str:
    labels = facts.output.labels
    if labels is None:
        return "The classes have no names."
    if len(labels) <= 20:
        return f"The classes: {', '.join(labels)}."
    return f"The classes: {', '.join(labels[:3])}, … {labels[-1]}; all are in `metadata.json`."


def _training(facts: Metadata, epochs: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield from ("## Training", "", f"![Loss and accuracy by epoch]({CURVE})", "")
    if "validation_accuracy" in epochs[0]:
        best = max(epochs, key=lambda row: float(row["validation_accuracy"]))
        what, value = "best accuracy", f"{100 * float(best['validation_accuracy']):.2f} %"
    else:
        best = min(epochs, key=lambda row: float(row["validation_loss"]))
        what, value = "lowest mean squared error", best["validation_loss"]
    yield f"Epoch {best['epoch']} of {len(epochs)} has the {what} on the held back images, and is published:"
    yield f"{value} (`{HISTORY}` has each epoch)."
    yield "The test images had no part in the training, nor in the choice of the epoch."
    yield from ("", "| hyper-parameter | value |", "| --- | --- |")
    yield from (f"| {name} | {json.dumps(value)} |" for name, value in (facts.source.recipe or {}).items())
    yield ""


def _parity(parity: Sequence[Mapping[str, str]], copy: Copy | None) -> Iterator[str]:
    worst = sorted(parity, key=lambda row: float(row["difference"]), reverse=True)[:_WORST]
    if copy is not None:
        yield from (f"## Against {copy.name}, version {copy.version}", "")
        yield f"Each of the {len(parity)} layers was compared with that of the original, on the same pictures."
        yield "A difference is the largest one, relative to the largest value of the layer."
    else:
        yield from _against_pytorch(parity)
    yield f"The largest (`{PARITY}` has all):"
    yield from ("", "| layer | shape | difference |", "| --- | --- | --- |")
    yield from (f"| `{row['layer']}` | {row['shape']} | {row['difference']} |" for row in worst)
    yield ""


def _against_pytorch(parity: Sequence[Mapping[str, str]]) -> Iterator[str]:
    yield from ("## Against PyTorch", "")
    yield f"Each of the {len(parity)} layers was compared with PyTorch at batch 1, 2 and 5, and so were the answers"
    yield "to encoded pictures. A difference is the largest one, relative to the largest value of the layer;"
    yield "1e-04 is allowed."


def _licence(facts: Metadata, *, notice: bool) -> Iterator[str]:
    yield from ("## Licence", "")
    beside = f"; the text is in `LICENSE`, whose work it is in `{NOTICE}`" if notice else ""
    yield f"{facts.source.license}{beside}."

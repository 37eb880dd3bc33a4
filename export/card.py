"""The model card: a README.md that is made from the other files of a version, and the training curve.

The text depends on nothing but metadata.json, parity.csv and history.csv: the same files give the same card.
"""

import csv
import io
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from service import metadata
from service.metadata import Figure, Metadata

PARITY: Final = "parity.csv"
HISTORY: Final = "history.csv"
CURVE: Final = "curve.png"
NOTICE: Final = "NOTICE"

_WORST: Final = 5


@dataclass(frozen=True)
class Sources:
    """What a card is made of.

    Args:
        metadata: What metadata.json says.
        parity: The rows of parity.csv: `layer`, `shape`, `difference`.
        epochs: The rows of history.csv; None where the weights were trained elsewhere.
        notice: Whether a NOTICE is beside it.
    """

    metadata: Metadata
    parity: Sequence[Mapping[str, str]]
    epochs: Sequence[Mapping[str, str]] | None
    notice: bool


def read(folder: Path) -> Sources:
    """Read the files of a version that its card is made of."""
    history = folder / HISTORY
    return Sources(
        metadata.read(folder / metadata.FILE_NAME),
        rows((folder / PARITY).read_text()),
        rows(history.read_text()) if history.exists() else None,
        (folder / NOTICE).exists(),
    )


def rows(text: str) -> list[dict[str, str]]:
    """The rows of a CSV file with a head."""
    return list(csv.DictReader(io.StringIO(text)))


def text(sources: Sources) -> str:
    """The card, in Markdown."""
    return "\n".join(_lines(sources)) + "\n"


def _lines(sources: Sources) -> Iterator[str]:
    facts = sources.metadata
    yield from (f"# {facts.name}, version {facts.version}", "", facts.summary, "")
    yield from _made(facts)
    yield from _figures(facts)
    yield from _input_and_output(sources)
    if sources.epochs is not None:
        yield from _training(facts, sources.epochs)
    yield from _parity(sources.parity)
    if facts.limits:
        yield from ("## Limits", "", *(f"- {limit}" for limit in facts.limits), "")
    yield from _licence(facts, notice=sources.notice)


def _made(facts: Metadata) -> Iterator[str]:
    source = facts.source
    yield from ("Made by this command:", "", f"    {source.command}", "")
    yield from ("| | |", "| --- | --- |")
    yield f"| architecture | `{source.architecture}`, {source.parameters:,} parameters |"
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
    value = f"{100 * figure.value:.2f} %" if "accuracy" in figure.metric else f"{figure.value:g}"
    images = f"{figure.dataset}, {figure.split}, {figure.images:,} images"
    return f"| {kind} | {figure.metric} | {value} | {images} | {figure.source} |"


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
    yield f"`{facts.output.name}`: float32 (batch, {_outputs(sources)}), {facts.output.values}. {_classes(facts)}"
    yield ""


def _numbers(values: Sequence[float]) -> str:
    return ", ".join(f"{value:g}" for value in values)


def _outputs(sources: Sources) -> str:
    """How many numbers the output has for one image."""
    facts = sources.metadata
    if facts.output.labels is not None:
        return str(len(facts.output.labels))
    paths = {entry.path for entry in facts.layers if entry.tensor == facts.output.name}
    return next((row["shape"] for row in sources.parity if row["layer"] in paths), "classes")


def _classes(facts: Metadata) -> str:
    labels = facts.output.labels
    if labels is None:
        return "The classes have no names."
    if len(labels) <= 20:
        return f"The classes: {', '.join(labels)}."
    return f"The classes: {', '.join(labels[:3])}, … {labels[-1]}; all are in `metadata.json`."


def _training(facts: Metadata, epochs: Sequence[Mapping[str, str]]) -> Iterator[str]:
    best = max(epochs, key=lambda row: float(row["validation_accuracy"]))
    yield from ("## Training", "", f"![Loss and accuracy by epoch]({CURVE})", "")
    yield f"Epoch {best['epoch']} of {len(epochs)} has the best accuracy on the held back images, and is published:"
    yield f"{100 * float(best['validation_accuracy']):.2f} % (`{HISTORY}` has each epoch)."
    yield "The test images had no part in the training, nor in the choice of the epoch."
    yield from ("", "| hyper-parameter | value |", "| --- | --- |")
    yield from (f"| {name} | {json.dumps(value)} |" for name, value in (facts.source.recipe or {}).items())
    yield ""


def _parity(parity: Sequence[Mapping[str, str]]) -> Iterator[str]:
    worst = sorted(parity, key=lambda row: float(row["difference"]), reverse=True)[:_WORST]
    yield from ("## Against PyTorch", "")
    yield f"Each of the {len(parity)} layers was compared with PyTorch at batch 1, 2 and 5, and so were the answers"
    yield "to encoded pictures. A difference is the largest one, relative to the largest value of the layer;"
    yield "1e-04 is allowed."
    yield f"The largest (`{PARITY}` has all):"
    yield from ("", "| layer | shape | difference |", "| --- | --- | --- |")
    yield from (f"| `{row['layer']}` | {row['shape']} | {row['difference']} |" for row in worst)
    yield ""


def _licence(facts: Metadata, *, notice: bool) -> Iterator[str]:
    yield from ("## Licence", "")
    beside = f"; the text is in `LICENSE`, whose work it is in `{NOTICE}`" if notice else ""
    yield f"{facts.source.license}{beside}."

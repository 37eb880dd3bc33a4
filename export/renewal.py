"""The card of a published version, brought up to date: measured again, drawn again, written again."""

from pathlib import Path
from typing import Final

from export import card, data, publishing
from export.images import Images
from export.measurement import confusion, predictions
from export.publishing import Published
from export.recipes import DATASETS
from export.stages import Step
from service.metadata import Figure, Metadata

_METRIC: Final = "top-1 accuracy"


def renew(folder: Path, images: Path | None, *, command: str, step: Step) -> Path:
    """Measure a version on the test images of its data set, where there are any, and write its card again.

    Its model.onnx stays as it is, byte by byte.

    Args:
        folder: Of the version.
        images: A folder with its data set; None to download it.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder.

    Raises:
        ArtifactError: Its files contradict each other.
        DataError: The data set cannot be had.
    """
    with step("Checking the files"):
        published = publishing.read(folder)
    facts, extras = published.metadata, dict[str, bytes]()
    dataset = next((key for key, text in DATASETS.items() if text == facts.source.dataset), None)
    if facts.output.values != "none" and dataset in data.READABLE:
        with step("Measuring on the test images"):
            facts, extras = _measured(published, data.read(dataset, images)["test"], command)
    with step("Writing the card"):
        return publishing.renew(published, facts, extras)


def _measured(published: Published, test: Images, command: str) -> tuple[Metadata, dict[str, bytes]]:
    facts, labels = published.metadata, test.labels.numpy()
    predicted = predictions(published.model, facts.input, facts.output.name, test.pixels.numpy())
    names = facts.output.labels
    classes = len(names) if names is not None else int(max(labels.max(), predicted.max())) + 1
    table = card.confusion_table(confusion(labels, predicted, classes=classes), names)
    value = float((predicted == labels).mean())
    figures = tuple(_corrected(figure, value, command) for figure in facts.measured)
    return facts.model_copy(update={"measured": figures}), {card.CONFUSION: table.encode()}


def _corrected(figure: Figure, value: float, command: str) -> Figure:
    """The same figure where it was found again; else what was found now, and by which command."""
    if figure.metric != _METRIC or figure.value == value:
        return figure
    return figure.model_copy(update={"value": value, "source": f"`{command}`"})

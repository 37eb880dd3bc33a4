"""Cards of published versions, brought up to date."""

import shutil
from pathlib import Path
from typing import Final

import numpy as np
from typer.testing import CliRunner

from export import card, card_pictures, data, publishing
from export.command_line import app
from export.measurement import accuracy

MODELS: Final = Path(__file__).parents[2] / "models"


def test_a_card_is_measured_and_written_again_and_the_model_stays(dataset: Path, tmp_path: Path) -> None:
    """Images by class come in, the figure follows them, what was there is kept; once more changes nothing."""
    folder = tmp_path / "lenet5" / "1"
    shutil.copytree(MODELS / "lenet5" / "1", folder)
    (folder / card.CONFUSION).unlink()
    (folder / card.CONFUSION_PICTURE).unlink()
    model, history = (folder / "model.onnx").read_bytes(), (folder / card.HISTORY).read_bytes()
    arguments = ["card", "lenet5", "--data", str(dataset), "--models", str(tmp_path)]
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert (folder / "model.onnx").read_bytes() == model
    assert (folder / card.HISTORY).read_bytes() == history
    published = publishing.read(folder)
    test = data.test_images(dataset, "fashion-mnist")
    found = accuracy(
        published.model, published.metadata.input, "logits", pixels=test.pixels.numpy(), labels=test.labels.numpy()
    )
    [figure] = published.metadata.measured
    assert (figure.value, figure.source) == (found, "`striate export card lenet5/1`")
    confusion = card.read_confusion((folder / card.CONFUSION).read_text())
    assert [sum(row) for row in confusion.counts] == np.bincount(test.labels.numpy(), minlength=10).tolist()
    text = (folder / "README.md").read_text()
    assert text == card.text(card.read(folder))
    assert f"![Which class is taken for which]({card.CONFUSION_PICTURE})" in text
    before = {path.name: path.read_bytes() for path in folder.iterdir()}
    CliRunner().invoke(app, arguments, catch_exceptions=False)
    assert {path.name: path.read_bytes() for path in folder.iterdir()} == before


def test_a_model_without_test_images_gets_its_pictures(tmp_path: Path) -> None:
    """Nothing is measured; the kernels are drawn."""
    folder = tmp_path / "filter-bank" / "1"
    shutil.copytree(MODELS / "filter-bank" / "1", folder)
    (folder / card.FILTERS_PICTURE).unlink()
    CliRunner().invoke(app, ["card", "filter-bank", "--models", str(tmp_path)], catch_exceptions=False)
    published = publishing.read(folder)
    drawn = card_pictures.draw(published.model, published.metadata, None)
    assert drawn == {card.FILTERS_PICTURE: (folder / card.FILTERS_PICTURE).read_bytes()}
    assert published.metadata.measured == ()

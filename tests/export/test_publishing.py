"""A version is written whole or not at all."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from export import card, publishing
from export.conversion import Converted
from export.errors import ArtifactError, PublishError, VersionExistsError
from export.publishing import Candidate
from export.verification import Parity
from service.errors import ModelFileError
from service.metadata import ClassOutput, Figure, ImageInput, Source


@pytest.fixture
def candidate(converted: Converted, trap_input: ImageInput, trap_output: ClassOutput) -> Candidate:
    """A small model with everything that a card can tell."""
    return Candidate(
        name="trap",
        summary="A small network.",
        converted=converted,
        input=trap_input,
        output=trap_output,
        source=Source(
            architecture="trap",
            parameters=1300,
            paper="none",
            weights="random",
            license="Apache-2.0",
            dataset="nothing",
            command="striate export train trap",
            recipe={"epochs": 2},
            tools={"torch": "2"},
        ),
        reported=(),
        measured=(Figure(metric="top-1 accuracy", value=0.5, dataset="d", split="test", images=4, source="`here`"),),
        limits=("It knows nothing.",),
        parity=(Parity("conv1", (4, 6, 8), 1.25e-7), Parity("bn1", (4, 6, 8), 2e-6)),
        extras={card.HISTORY: b"epoch,train_loss,validation_loss,validation_accuracy\n1,2,2,0.25\n2,1,1,0.5\n"},
    )


def everything(folder: Path) -> dict[str, bytes]:
    """The content of each file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def test_a_version_has_all_its_files_and_nothing_is_left_beside_it(candidate: Candidate, tmp_path: Path) -> None:
    """What is published is read back, checked, as it was meant."""
    folder = publishing.publish(candidate, tmp_path)
    assert folder == tmp_path / "trap" / "1"
    names = {"model.onnx", "metadata.json", "README.md", "parity.csv", "history.csv", "filters.png"}
    assert everything(tmp_path).keys() == {f"trap/1/{name}" for name in names}
    published = publishing.read(folder)
    assert published.metadata.layers == candidate.converted.layers
    assert published.model == candidate.converted.model
    # Others than the user who exports may serve it.
    assert folder.stat().st_mode & 0o005 == 0o005


def test_the_next_version_is_one_more_than_the_highest(candidate: Candidate, tmp_path: Path) -> None:
    """Folders that are no versions do not count."""
    assert publishing.next_version(tmp_path / "trap") == 1
    for name in ("2", "10", "old", ".publishing-x"):
        (tmp_path / "trap" / name).mkdir(parents=True)
    assert publishing.publish(candidate, tmp_path).name == "11"


def test_a_version_that_is_there_is_left_alone(candidate: Candidate, tmp_path: Path) -> None:
    """Published versions do not change; the message says what to do."""
    publishing.publish(candidate, tmp_path, version=1)
    before = everything(tmp_path)
    with pytest.raises(VersionExistsError, match=r"leave out --version .* or pass --replace"):
        publishing.publish(replace(candidate, summary="Another one."), tmp_path, version=1)
    assert everything(tmp_path) == before


def test_a_version_is_replaced_where_that_is_asked_for(candidate: Candidate, tmp_path: Path) -> None:
    """Nothing of the old one is left."""
    folder = publishing.publish(candidate, tmp_path, version=1)
    (folder / "stray").touch()
    publishing.publish(replace(candidate, summary="Another one."), tmp_path, version=1, replace=True)
    assert publishing.read(folder).metadata.summary == "Another one."
    assert "trap/1/stray" not in everything(tmp_path)


def test_a_failure_while_writing_leaves_nothing(candidate: Candidate, tmp_path: Path) -> None:
    """A file that cannot be written, the last of all, takes the others with it."""
    broken = replace(candidate, extras={**candidate.extras, "no/such/folder": b""})
    with pytest.raises(PublishError, match="cannot be written"):
        publishing.publish(broken, tmp_path)
    assert everything(tmp_path) == {}
    assert list((tmp_path / "trap").iterdir()) == []


def _cut_in_half(folder: Path) -> None:
    model = folder / "model.onnx"
    model.write_bytes(model.read_bytes()[: model.stat().st_size // 2])


def _flip_a_bit(folder: Path) -> None:
    model = folder / "model.onnx"
    data = bytearray(model.read_bytes())
    data[-1] ^= 1
    model.write_bytes(data)


@pytest.mark.parametrize(
    ("damage", "contradictions"),
    [(_cut_in_half, ["artifact.bytes", "artifact.sha256"]), (_flip_a_bit, ["artifact.sha256"])],
)
def test_a_model_file_that_was_changed_is_found_out(
    candidate: Candidate, tmp_path: Path, damage: Callable[[Path], None], contradictions: list[str]
) -> None:
    """Each contradiction is named."""
    folder = publishing.publish(candidate, tmp_path)
    damage(folder)
    with pytest.raises(ArtifactError) as caught:
        publishing.read(folder)
    assert [key for key in ("artifact.bytes", "artifact.sha256") if key in str(caught.value)] == contradictions


def test_a_folder_under_another_name_is_found_out(candidate: Candidate, tmp_path: Path) -> None:
    """A version that was copied by hand keeps its old name in its metadata."""
    folder = publishing.publish(candidate, tmp_path)
    moved = folder.rename(folder.with_name("2"))
    with pytest.raises(ArtifactError, match=r"metadata.json says version 1, but it is 2"):
        publishing.read(moved)


def test_a_version_without_its_files_is_told(candidate: Candidate, tmp_path: Path) -> None:
    """Each file that is missing has its message."""
    folder = publishing.publish(candidate, tmp_path)
    (folder / "model.onnx").unlink()
    with pytest.raises(ArtifactError, match=r"model.onnx cannot be read"):
        publishing.read(folder)
    (folder / "metadata.json").unlink()
    with pytest.raises(ModelFileError, match=r"metadata.json cannot be read"):
        publishing.read(folder)


def test_a_card_tells_what_the_files_tell(candidate: Candidate, tmp_path: Path) -> None:
    """Command, figures, the best epoch, the worst layer first, limits and licence; and it can be made again."""
    folder = publishing.publish(candidate, tmp_path)
    text = (folder / "README.md").read_text()
    assert text == card.text(card.read(folder))
    assert "    striate export train trap\n" in text
    assert "| measured on this file | top-1 accuracy | 50.00 % | d, test, 4 images | `here` |" in text
    assert "Epoch 2 of 2 has the best accuracy" in text
    assert text.index("| `bn1` | 4x6x8 | 2.0e-06 |") < text.index("| `conv1` | 4x6x8 | 1.2e-07 |")
    assert "- It knows nothing.\n" in text
    assert text.endswith("## Licence\n\nApache-2.0.\n")

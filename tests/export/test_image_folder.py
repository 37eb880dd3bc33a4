"""Folders of images of one's own."""

import dataclasses
from collections.abc import Iterable
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from export import data, image_folder
from export.errors import DataError, SpaceError
from export.recipes import OWN, Recipe
from service import image

RECIPE = dataclasses.replace(
    OWN, input=OWN.input.model_copy(update={"height": 8, "width": 8}), validation_fraction=0.2, test_fraction=0.2
)


def draw(folder: Path, names: Iterable[str], color: tuple[int, int, int]) -> None:
    """Write pictures of one colour, none of which has the size of the input."""
    folder.mkdir(parents=True)
    for name in names:
        Image.new("RGB", (12, 10), color).save(folder / name)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """Ten red and five blue pictures."""
    root = tmp_path / "colours"
    draw(root / "red", (f"{i}.png" for i in range(10)), (200, 0, 0))
    draw(root / "blue", (f"{i}.jpg" for i in range(5)), (0, 0, 200))
    return root


def test_each_class_is_divided_and_none_is_lost(folder: Path) -> None:
    """A fifth to choose by and a fifth to measure on, of each class, at least one; the classes are in order of name."""
    splits = image_folder.read(folder, RECIPE)
    assert splits.classes == ("blue", "red")
    counts = [torch.bincount(part.labels).tolist() for part in (splits.train, splits.validation, splits.test)]
    assert counts == [[3, 6], [1, 2], [1, 2]]
    assert splits.about == "colours: 15 images in 2 classes"
    for part in (splits.train, splits.validation, splits.test):
        assert (part.pixels[:, 0, 0].argmax(1) == torch.where(part.labels == 1, 0, 2)).all()


def test_the_division_follows_the_seed(folder: Path) -> None:
    """The same seed holds back the same pictures."""
    for i, path in enumerate(sorted((folder / "red").iterdir())):
        Image.new("RGB", (12, 10), (100 + 10 * i, 0, 0)).save(path)
    first, again = (image_folder.read(folder, RECIPE) for _ in range(2))
    assert torch.equal(first.test.pixels, again.test.pixels)
    assert first.digest() == again.digest()
    other = image_folder.read(folder, dataclasses.replace(RECIPE, seed=5))
    assert other.digest() != first.digest()


def test_pixels_are_those_that_the_service_decodes(folder: Path) -> None:
    """Training sees what serving sees: crop, resize, colour."""
    noise = np.random.default_rng(0).integers(0, 256, (30, 50, 3), np.uint8)
    for path in (folder / "blue").iterdir():
        Image.fromarray(noise).save(path, "PNG")
    splits = image_folder.read(folder, RECIPE)
    encoded = (folder / "blue" / "0.jpg").read_bytes()
    served = image.decode(encoded, RECIPE.input, max_pixels=10_000, decoding="exact")
    blue = splits.train.pixels[splits.train.labels == 0]
    assert all(np.array_equal(pixels, served) for pixels in blue)


def test_pictures_can_be_grey(folder: Path) -> None:
    """One channel, by the weights of the eye."""
    spec = RECIPE.input.model_copy(update={"color": "grey", "mean": (0.5,), "std": (0.5,)})
    splits = image_folder.read(folder, dataclasses.replace(RECIPE, input=spec))
    assert splits.train.pixels.shape == (9, 8, 8, 1)


def test_folders_of_splits_are_used_as_they_are(tmp_path: Path) -> None:
    """`train`, `valid` and `test`; nothing is drawn."""
    for split, count in (("train", 3), ("valid", 2), ("test", 1)):
        for name in ("a", "b"):
            draw(tmp_path / split / name, (f"{i}.png" for i in range(count)), (9, 9, 9))
    splits = image_folder.read(tmp_path, RECIPE)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [6, 4, 2]


def test_a_split_without_a_folder_is_drawn_from_the_training_images(tmp_path: Path) -> None:
    """Here the one to choose the best epoch by."""
    for split, count in (("train", 5), ("test", 2)):
        for name in ("a", "b"):
            draw(tmp_path / split / name, (f"{i}.png" for i in range(count)), (9, 9, 9))
    splits = image_folder.read(tmp_path, RECIPE)
    assert [len(part) for part in (splits.train, splits.validation, splits.test)] == [8, 2, 4]


def test_a_class_can_be_called_train(tmp_path: Path) -> None:
    """Beside other classes it is one of them, and no split."""
    for name in ("bus", "train"):
        draw(tmp_path / name, ("0.png", "1.png", "2.png"), (9, 9, 9))
    assert image_folder.read(tmp_path, RECIPE).classes == ("bus", "train")


def test_a_folder_that_is_not_there_is_told_with_what_it_should_hold() -> None:
    """The message names the folder."""
    with pytest.raises(DataError, match="no folder nowhere; --data takes one that holds a folder of images for each"):
        image_folder.read(Path("nowhere"), RECIPE)


@pytest.mark.parametrize(("names", "message"), [((), "holds no folders"), (("red",), "holds only the folder 'red'")])
def test_one_class_alone_cannot_be_told_from_others(tmp_path: Path, names: tuple[str, ...], message: str) -> None:
    """Nor can none."""
    for name in names:
        draw(tmp_path / name, ("0.png",), (9, 9, 9))
    with pytest.raises(DataError, match=f"{message}; it takes a folder of images for each of two or more classes"):
        image_folder.read(tmp_path, RECIPE)


def test_an_empty_class_is_named(folder: Path) -> None:
    """Hidden files count for nothing."""
    (folder / "green").mkdir()
    (folder / "green" / ".DS_Store").write_bytes(b"x")
    with pytest.raises(DataError, match="green holds no images"):
        image_folder.read(folder, RECIPE)


def test_classes_that_differ_between_splits_are_named(tmp_path: Path) -> None:
    """Those that are missing, and those that are too many."""
    for place in ("train/cat", "train/dog", "test/cat", "test/dgo"):
        draw(tmp_path / place, ("0.png", "1.png"), (9, 9, 9))
    with pytest.raises(DataError, match=r"test lacks the classes dog, which .*train has; .*test has the classes dgo"):
        image_folder.read(tmp_path, RECIPE)


def test_too_few_images_are_told_with_how_many_are_needed(folder: Path) -> None:
    """One to learn from, one to choose by, one to measure on."""
    for path in list((folder / "blue").iterdir())[2:]:
        path.unlink()
    with pytest.raises(DataError, match="too few images: blue has 2; each class needs 3 or more"):
        image_folder.read(folder, RECIPE)


@pytest.fixture
def with_damage(folder: Path) -> Path:
    """One file that is cut short, and one that is no image."""
    whole = folder / "red" / "0.png"
    whole.write_bytes(whole.read_bytes()[:45])
    (folder / "blue" / "notes.txt").write_text("blue is nice")
    return folder


def test_every_file_that_is_no_image_is_named_and_counted(with_damage: Path) -> None:
    """With what is wrong, and what to do."""
    with pytest.raises(DataError) as caught:
        image_folder.read(with_damage, RECIPE)
    message = str(caught.value)
    assert "2 files cannot be read; mend or remove them, or pass --skip-unreadable" in message
    assert "red/0.png: " in message
    assert "blue/notes.txt: the bytes are text" in message


def test_files_that_are_no_images_are_left_out_when_asked_for(
    with_damage: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    """They are named all the same."""
    splits = image_folder.read(with_damage, RECIPE, skip_unreadable=True)
    assert sum(len(part) for part in (splits.train, splits.validation, splits.test)) == 14
    assert "left out, for they cannot be read: 2 files" in capsys.readouterr().err


def test_a_class_of_which_nothing_is_left_is_told(folder: Path) -> None:
    """All of its files are damaged."""
    for path in (folder / "blue").iterdir():
        path.write_bytes(b"GIF89a")
    with pytest.raises(DataError, match="blue holds no images"):
        image_folder.read(folder, RECIPE, skip_unreadable=True)


def test_only_the_first_of_many_unreadable_files_are_listed(folder: Path) -> None:
    """A screen is not filled with thousands of names."""
    for i in range(25):
        (folder / "red" / f"note{i:02}.txt").write_text("?")
    with pytest.raises(DataError, match="25 files cannot be read") as caught:
        image_folder.read(folder, RECIPE)
    assert str(caught.value).count("the bytes are text") == 10
    assert str(caught.value).endswith("and 15 more")


def test_images_that_do_not_fit_onto_the_disk_are_told_before_one_is_decoded(folder: Path) -> None:
    """A million pixels each way take three terabytes an image."""
    spec = RECIPE.input.model_copy(update={"height": 10**6, "width": 10**6})
    with pytest.raises(SpaceError, match=r"15 decoded images take 45,000,000\.0 MB"):
        image_folder.read(folder, dataclasses.replace(RECIPE, input=spec))


def test_the_range_of_the_training_images_is_measured(folder: Path) -> None:
    """Six red pictures of nine: red is on average 2/3 of 200/255; green is always 0, and divided by nothing."""
    splits = image_folder.read(folder, RECIPE)
    blue = splits.train.pixels[splits.train.labels == 0]
    assert blue.float().mean((0, 1, 2))[2] == pytest.approx(200, abs=3)
    spec = data.with_measured_range(RECIPE, splits).input
    assert spec.mean[0] == pytest.approx(2 / 3 * 200 / 255, abs=0.01)
    assert spec.std[0] == pytest.approx((2 / 9) ** 0.5 * 200 / 255, abs=0.01)
    assert (spec.mean[1], spec.std[1]) == (0.0, 1.0)


def test_the_recipe_decides_how_much_is_held_back(folder: Path) -> None:
    """Two fifths of ten are four."""

    def held_back(recipe: Recipe) -> int:
        return int((image_folder.read(folder, recipe).validation.labels == 1).sum())

    assert held_back(RECIPE) == 2
    assert held_back(dataclasses.replace(RECIPE, validation_fraction=0.4)) == 4

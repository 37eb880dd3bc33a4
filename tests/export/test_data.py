"""The data set: reading, splitting, changing."""

import dataclasses
import gzip
from pathlib import Path

import numpy as np
import pytest
import torch

from export import data
from export.errors import DataError
from export.recipes import RECIPES, Augmentation
from tests.export.conftest import TEST_IMAGES, TRAIN_IMAGES, write_idx

RECIPE = dataclasses.replace(RECIPES["lenet5"], batch_size=10)


def test_a_folder_that_is_not_there_is_named_with_the_way_to_get_it() -> None:
    """The message says which folder, and where the files can be had."""
    with pytest.raises(DataError, match=r"no folder nowhere; .*dataset-fashion-mnist"):
        data.load(Path("nowhere"), RECIPE)


def test_every_file_that_is_missing_or_damaged_is_named_at_once(dataset: Path) -> None:
    """One run tells everything that is wrong with a folder."""
    (dataset / "train-labels-idx1-ubyte.gz").unlink()
    cut_short = dataset / "t10k-images-idx3-ubyte.gz"
    cut_short.write_bytes(cut_short.read_bytes()[:-20])
    with pytest.raises(DataError) as caught:
        data.load(dataset, RECIPE)
    assert "train-labels-idx1-ubyte (or train-labels-idx1-ubyte.gz) is missing" in str(caught.value)
    assert "t10k-images-idx3-ubyte.gz is damaged or cut short" in str(caught.value)


def test_bytes_that_are_no_gzip_are_damaged(dataset: Path) -> None:
    """A page of HTML under the name of the file is found out."""
    (dataset / "t10k-labels-idx1-ubyte.gz").write_bytes(b"<html>not found</html>")
    with pytest.raises(DataError, match=r"t10k-labels-idx1-ubyte\.gz is damaged or cut short"):
        data.load(dataset, RECIPE)


def test_a_file_of_another_kind_is_refused(dataset: Path) -> None:
    """Labels in the place of images are no images."""
    write_idx(dataset / "t10k-images-idx3-ubyte.gz", np.zeros(4, np.uint8))
    with pytest.raises(DataError, match="no IDX file of unsigned bytes in 3 dimensions"):
        data.load(dataset, RECIPE)


def test_a_file_that_ends_early_is_refused(dataset: Path) -> None:
    """The head of the file says how much should follow."""
    packed = dataset / "t10k-labels-idx1-ubyte.gz"
    packed.write_bytes(gzip.compress(gzip.decompress(packed.read_bytes())[:-1]))
    with pytest.raises(DataError, match=f"should hold {TEST_IMAGES} bytes after its head, and holds {TEST_IMAGES - 1}"):
        data.load(dataset, RECIPE)


def test_images_and_labels_must_be_as_many(dataset: Path) -> None:
    """A label that belongs to no image would shift all others."""
    write_idx(dataset / "t10k-labels-idx1-ubyte.gz", np.zeros(TEST_IMAGES - 1, np.uint8))
    with pytest.raises(DataError, match=f"{TEST_IMAGES} pictures, .* {TEST_IMAGES - 1} labels"):
        data.load(dataset, RECIPE)


def test_plain_files_are_read_as_compressed_ones_are(dataset: Path) -> None:
    """Both ways in which the files are passed around give the same."""
    packed = data.test_images(dataset, "fashion-mnist")
    for path in list(dataset.iterdir()):
        path.with_suffix("").write_bytes(gzip.decompress(path.read_bytes()))
        path.unlink()
    assert torch.equal(data.test_images(dataset, "fashion-mnist").pixels, packed.pixels)


def test_the_split_follows_the_seed_and_loses_nothing(dataset: Path) -> None:
    """The same images are held back each time, and none of them is trained on."""
    first, again = data.load(dataset, RECIPE), data.load(dataset, RECIPE)
    assert torch.equal(first.validation.pixels, again.validation.pixels)
    assert (len(first.train), len(first.validation)) == (TRAIN_IMAGES - 8, 8)
    both = torch.cat([first.train.pixels, first.validation.pixels]).flatten(1)
    assert len(torch.unique(both, dim=0)) == TRAIN_IMAGES
    other = data.load(dataset, dataclasses.replace(RECIPE, seed=2))
    assert not torch.equal(first.validation.pixels, other.validation.pixels)


def test_batches_for_measuring_have_each_image_once_and_unchanged(dataset: Path) -> None:
    """The last batch is smaller."""
    images = data.test_images(dataset, "fashion-mnist")
    recipe = dataclasses.replace(RECIPE, batch_size=25)
    batches = data.Batches(images, recipe, learn=False)
    inputs, labels = zip(*batches, strict=True)
    assert [len(batch) for batch in labels] == [25, 15]
    assert len(batches) == 2
    assert torch.equal(torch.cat(labels), images.labels)
    assert torch.equal(torch.cat(inputs), data.normalise(images.pixels.permute(0, 3, 1, 2), recipe.input))


def test_batches_for_learning_are_full_and_in_another_order_each_epoch(dataset: Path) -> None:
    """96 images make nine batches of ten; six images wait for another epoch."""
    batches = data.Batches(data.load(dataset, RECIPE).train, RECIPE, learn=True)
    first, second = ([labels for _, labels in batches] for _ in range(2))
    assert {len(labels) for labels in first} == {10}
    assert len(first) == len(batches) == (TRAIN_IMAGES - 8) // 10
    assert not torch.equal(torch.cat(first), torch.cat(second))


def test_augmentation_shifts_by_whole_pixels_and_brings_in_black() -> None:
    """One bright pixel in the middle ends up no further away than it may, in all ways, and nothing else lights up."""
    pixels = torch.zeros(400, 7, 7, 2, dtype=torch.uint8)
    pixels[:, 3, 3] = 255
    drawn = data.draw(400, Augmentation(flip=False, shift=2), torch.Generator().manual_seed(0))
    places = data.changed(pixels, drawn)[..., 0].nonzero()
    assert len(places) == 400
    assert {tuple(place) for place in places[:, 1:].tolist()} == {(y, x) for y in range(1, 6) for x in range(1, 6)}


def test_augmentation_mirrors_half_of_the_images() -> None:
    """Left and right change places, up and down do not, nor do colours."""
    picture = torch.arange(12, dtype=torch.uint8).reshape(1, 2, 3, 2)
    drawn = data.draw(1000, Augmentation(flip=True, shift=0), torch.Generator())
    changed = data.changed(picture.repeat(1000, 1, 1, 1), drawn)
    mirrored = (changed == picture.flip(2)).all(dim=(1, 2, 3))
    assert ((changed == picture).all(dim=(1, 2, 3)) ^ mirrored).all()
    assert 400 < int(mirrored.sum()) < 600


def test_devices_see_together_what_one_would(dataset: Path) -> None:
    """Each takes its share of every batch, changed as it would be on one device."""
    images = data.load(dataset, RECIPE).train
    whole = list(data.Batches(images, RECIPE, learn=True))
    shares = [list(data.Batches(images, RECIPE, learn=True, share=data.Share(rank, 3))) for rank in range(3)]
    for step, (inputs, labels) in enumerate(whole):
        for rank in range(3):
            assert torch.equal(shares[rank][step][0], inputs[rank::3])
            assert torch.equal(shares[rank][step][1], labels[rank::3])


def test_the_chance_of_an_epoch_can_be_set_back(dataset: Path) -> None:
    """Whoever keeps it goes on as if nothing had happened."""
    images = data.load(dataset, RECIPE).train
    batches = data.Batches(images, RECIPE, learn=True)
    list(batches)
    kept = batches.random.get_state()
    second = [inputs for inputs, _ in batches]
    again = data.Batches(images, RECIPE, learn=True)
    again.random.set_state(kept)
    assert all(torch.equal(mine, theirs) for (mine, _), theirs in zip(again, second, strict=True))


def test_what_cannot_be_downloaded_is_told_with_the_way_around(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The cache is a file: nothing can be put into it."""
    (tmp_path / "striate").write_text("")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    for dataset in ("mnist", "cifar-10"):
        with pytest.raises(
            DataError, match=r"cannot be downloaded: .*; pass --data with a folder that holds the files"
        ):
            data.load(None, dataclasses.replace(RECIPE, dataset=dataset))


def test_normalising_scales_then_centres() -> None:
    """51 of 255 is 0.2; with mean 0.286 and deviation 0.353 that is -0.2436."""
    value = data.normalise(torch.full((1, 1, 1, 1), 51, dtype=torch.uint8), RECIPE.input)
    assert value.item() == pytest.approx((0.2 - 0.286) / 0.353)

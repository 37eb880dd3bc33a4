"""Recipes and sources as values."""

import pytest
from torchvision.models import (
    DenseNet121_Weights,
    GoogLeNet_Weights,
    Inception_V3_Weights,
    ResNet50_Weights,
    VGG16_Weights,
    WeightsEnum,
)

from export.architectures import ARCHITECTURES
from export.errors import RecipeError
from export.labels import LABELS
from export.recipes import DATASETS, FIXED, PRETRAINED, RECIPES, UNTRAINED, find


def test_an_unknown_recipe_is_answered_with_those_that_there_are() -> None:
    """The message helps with the next try."""
    with pytest.raises(RecipeError, match=r"no recipe is called 'lenet'; there are: .*lenet5"):
        find(RECIPES, "lenet", kind="recipe")


@pytest.mark.parametrize("made_from", [*RECIPES.values(), *PRETRAINED.values()], ids=lambda value: str(value.name))
def test_every_name_in_a_recipe_is_known(made_from: object) -> None:
    """No recipe fails after an hour for a name that is written wrongly."""
    assert getattr(made_from, "architecture", None) in ARCHITECTURES
    assert getattr(made_from, "dataset", None) in LABELS
    assert getattr(made_from, "dataset", None) in DATASETS


@pytest.mark.parametrize("source", PRETRAINED.values(), ids=lambda value: str(value.name))
def test_every_source_has_trained_weights(source: object) -> None:
    """A source names an architecture that brings weights."""
    assert ARCHITECTURES[getattr(source, "architecture", "")].pretrained is not None


def test_a_random_network_never_becomes_the_newest_version_of_a_trained_one() -> None:
    """Its name is none of theirs, and its architecture is known."""
    assert UNTRAINED.keys() <= ARCHITECTURES.keys()
    others = RECIPES.keys() | PRETRAINED.keys() | FIXED.keys()
    assert not {made_from.name for made_from in UNTRAINED.values()} & others


def test_a_network_with_written_weights_is_no_trained_one() -> None:
    """Its architecture is known and brings its weights, and its name is its own."""
    for name, made_from in FIXED.items():
        assert name == made_from.name
        assert ARCHITECTURES[made_from.architecture].pretrained is not None
    assert not FIXED.keys() & (RECIPES.keys() | PRETRAINED.keys())


@pytest.mark.parametrize(
    ("architecture", "weights"),
    [
        ("densenet121", DenseNet121_Weights.IMAGENET1K_V1),
        ("googlenet", GoogLeNet_Weights.IMAGENET1K_V1),
        ("inception_v3", Inception_V3_Weights.IMAGENET1K_V1),
        ("resnet50", ResNet50_Weights.IMAGENET1K_V1),
        ("vgg16", VGG16_Weights.IMAGENET1K_V1),
    ],
)
def test_the_input_is_that_of_torchvisions_weights(architecture: str, weights: WeightsEnum) -> None:
    """Sizes, interpolation, mean and deviation, as torchvision states them."""
    theirs = weights.transforms()
    ours = UNTRAINED[architecture].input
    assert (ours.height, ours.width) == (theirs.crop_size[0], theirs.crop_size[0])
    assert ours.crop_fraction == theirs.crop_size[0] / theirs.resize_size[0]
    assert ours.interpolation == theirs.interpolation.value
    assert (ours.rescale_factor, ours.mean, ours.std) == (1 / 255, tuple(theirs.mean), tuple(theirs.std))


def test_a_recipe_tells_every_hyper_parameter() -> None:
    """What metadata.json keeps is enough to train again."""
    kept = RECIPES["lenet5"].hyper_parameters()
    assert kept["optimizer"] == "AdamW"
    assert kept["augmentation"] == {"flip": True, "shift": RECIPES["lenet5"].augmentation.shift}
    assert {"epochs", "batch_size", "learning_rate", "warm_up", "weight_decay", "seed"} <= kept.keys()


@pytest.mark.parametrize(("dataset", "classes"), [("fashion-mnist", 10), ("imagenet-1k", 1000)])
def test_labels_are_as_many_as_classes(dataset: str, classes: int) -> None:
    """Each class has one name."""
    assert len(LABELS[dataset]()) == classes

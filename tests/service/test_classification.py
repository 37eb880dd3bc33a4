"""Promises of service.classification."""

from pathlib import Path

import pytest

from service.classification import classify, is_brief
from service.engine import open_engine
from service.errors import ImageTypeError, ParameterError
from service.metadata import ClassOutput
from service.settings import Settings
from service.timing import Timings
from tests import images, tiny_models


def test_images_become_labels(repository: Path, settings: Settings) -> None:
    """White is bright before it is dark; the stages are timed."""
    tiny_models.publish(repository)
    timings = Timings()
    model = open_engine(settings).registry.load("brightness")
    (white,) = classify(model, [images.plain(255)], top_k=None, max_pixels=100, timings=timings)
    assert [prediction.label for prediction in white] == ["bright", "middle", "dark"]
    assert timings.seconds("decode") > 0
    assert timings.seconds("compute") > 0


def test_as_many_classes_as_wanted(repository: Path, settings: Settings) -> None:
    """Five where nothing is said, or all where there are fewer; one where one is asked for."""
    tiny_models.publish(repository)
    model = open_engine(settings).registry.load("brightness")
    for top_k, expected in ((None, 3), (1, 1), (3, 3)):
        (found,) = classify(model, [images.plain(0)], top_k=top_k, max_pixels=100, timings=Timings())
        assert len(found) == expected


@pytest.mark.parametrize("labels", [tiny_models.LABELS, None])
def test_too_many_classes_are_refused(repository: Path, settings: Settings, labels: tuple[str, ...] | None) -> None:
    """With labels or without."""
    tiny_models.publish(repository, output=ClassOutput(name="logits", values="logits", labels=labels))
    model = open_engine(settings).registry.load("brightness")
    with pytest.raises(ParameterError, match="top_k is 4; accepted: 1 to 3"):
        classify(model, [images.plain(0)], top_k=4, max_pixels=100, timings=Timings())


def test_one_bad_image_is_named(repository: Path, settings: Settings) -> None:
    """Nothing is computed then."""
    tiny_models.publish(repository)
    timings = Timings()
    model = open_engine(settings).registry.load("brightness")
    with pytest.raises(ImageTypeError, match="image 1"):
        classify(model, [images.plain(0), b"text"], top_k=1, max_pixels=100, timings=timings)
    assert timings.seconds("compute") == 0


def test_only_small_pngs_for_small_networks_are_brief(repository: Path, settings: Settings) -> None:
    """What says little of its size, or says that it is large, goes to a thread; so does what is cut short."""
    tiny_models.publish(repository)
    model = open_engine(settings).registry.load("brightness")
    small = images.plain(255)
    assert is_brief(model, small)
    assert not is_brief(model, small[:16] + (100_000).to_bytes(4) + small[20:])
    assert not is_brief(model, small + bytes(4096))
    assert not is_brief(model, b"\xff\xd8\xff" + small)
    assert not is_brief(model, b"")

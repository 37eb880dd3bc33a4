"""Promises of service.command_line.classify."""

import json
from pathlib import Path

import pytest

from tests import images, tiny_models
from tests.service.command_line.conftest import Striate


@pytest.fixture
def photos(tmp_path: Path) -> list[Path]:
    """A white picture and a black one."""
    paths = [tmp_path / "white.png", tmp_path / "black.png"]
    for path, value in zip(paths, (255, 0), strict=True):
        path.write_bytes(images.plain(value))
    return paths


def test_photos_are_classified(striate: Striate, repository: Path, photos: list[Path]) -> None:
    """A table for each, the best class first."""
    tiny_models.publish(repository)
    found = striate("classify", *photos, "--model", "brightness", "--models", repository, "--top-k", 1)
    lines = [line.split() for line in found.out.splitlines()]
    assert lines == [[str(photos[0])], ["66.52%", "2", "bright"], [str(photos[1])], ["33.33%", "0", "dark"]]


def test_json_is_a_line_for_each_photo(striate: Striate, repository: Path, photos: list[Path]) -> None:
    """For other programs: nothing else is printed to the output."""
    tiny_models.publish(repository)
    found = striate("classify", *photos, "--model", "brightness", "--models", repository, "--json")
    lines = [json.loads(line) for line in found.out.splitlines()]
    assert [(line["photo"], line["predictions"][0]["label"]) for line in lines] == [
        (str(photos[0]), "bright"),
        (str(photos[1]), "dark"),
    ]


def test_a_photo_that_cannot_be_used_is_named(striate: Striate, repository: Path, photos: list[Path]) -> None:
    """Missing, or no image: the others are classified all the same."""
    tiny_models.publish(repository)
    text = photos[0].with_name("text.png")
    text.write_text("hello")
    found = striate("classify", "gone.png", text, photos[0], "--model", "brightness", "--models", repository, "--json")
    assert found.status == 1
    assert json.loads(found.out)["photo"] == str(photos[0])
    assert "gone.png cannot be read: No such file or directory\n" in found.err
    assert f"error: {text}: the bytes are text" in found.err


def test_a_wrong_parameter_is_told_once(striate: Striate, repository: Path, photos: list[Path]) -> None:
    """Not once for each photo."""
    tiny_models.publish(repository)
    found = striate("classify", *photos, "--model", "brightness", "--models", repository, "--top-k", 9)
    assert (found.status, found.err.count("top_k is 9; accepted: 1 to 3")) == (1, 1)

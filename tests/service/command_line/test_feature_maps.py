"""Promises of service.command_line.feature_maps."""

import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests import images, tiny_models
from tests.service.command_line.conftest import Outcome, Striate


@pytest.fixture
def ask(striate: Striate, repository: Path, tmp_path: Path) -> object:
    """`striate feature-maps` of a white picture, to a file."""
    tiny_models.publish(repository)
    photo = tmp_path / "white.png"
    photo.write_bytes(images.plain(255))

    def run(output: Path, *layers: str) -> Outcome:
        flags = [flag for layer in layers for flag in ("--layer", layer)]
        return striate("feature-maps", photo, "--model", "brightness", "--models", repository, *flags, "-o", output)

    return run


def test_each_form_is_written_by_its_name(ask: object, tmp_path: Path) -> None:
    """The suffix of the file chooses the form."""
    assert callable(ask)
    for suffix in ("npz", "npy", "json", "png"):
        found = ask(tmp_path / f"maps.{suffix}", "conv")
        assert (found.status, found.err.splitlines()[-2:]) == (
            0,
            ["conv: 1x1x2x2", f"written to {tmp_path / f'maps.{suffix}'}"],
        )
    assert np.load(tmp_path / "maps.npz")["conv"].ravel().tolist() == [1] * 4
    assert np.load(tmp_path / "maps.npy").ravel().tolist() == [1] * 4
    assert json.loads((tmp_path / "maps.json").read_bytes())["results"][0]["maps"][0]["data"] == [[[1, 1], [1, 1]]]
    with Image.open(tmp_path / "maps.png") as picture:
        assert picture.format == "PNG"


@pytest.mark.parametrize(
    ("name", "layers", "message"),
    [
        ("maps.txt", ["conv"], "ends in '.txt'; accepted: .json, .npy, .npz, .safetensors, .png"),
        ("maps.npy", ["conv", "pool"], "format npy holds one layer"),
        ("maps.npz", ["conf"], "the nearest: conv"),
        ("missing/maps.npz", ["conv"], "cannot be written: No such file or directory"),
    ],
)
def test_what_cannot_be_done_is_one_line(
    ask: object, tmp_path: Path, name: str, layers: list[str], message: str
) -> None:
    """And no file is left behind."""
    assert callable(ask)
    found = ask(tmp_path / name, *layers)
    assert found.status == 1
    assert message in found.err
    assert not (tmp_path / name).exists()

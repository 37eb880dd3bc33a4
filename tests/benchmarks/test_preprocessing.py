"""What rivals put in front of a network."""

import io
import json

import numpy as np
import pytest
from PIL import Image

from benchmarks.preprocessing import MODELS, Preprocessing
from benchmarks.workloads import PHOTO
from service import metadata
from service.image import decode_all

SPEC = {
    "input": {
        "name": "x",
        "width": 2,
        "height": 2,
        "color": "grey",
        "crop_fraction": 0.5,
        "interpolation": "nearest",
        "rescale_factor": 0.5,
        "mean": [10.0],
        "std": [2.0],
    },
    "output": {"labels": ["a", "b", "c"]},
}


def test_the_centre_is_cut_out_and_normalised() -> None:
    """The inner four of sixteen pixels, (value / 2 - 10) / 2."""
    pixels = np.zeros((4, 4), np.uint8)
    pixels[1:3, 1:3] = [[20, 24], [28, 32]]
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "PNG")
    assert Preprocessing(SPEC).tensor(written.getvalue()).tolist() == [[[[0, 1], [2, 3]]]]


def test_the_most_probable_class_comes_first() -> None:
    """Softmax of 0, log 2 and log 1: a quarter, a half, a quarter."""
    best, *_ = Preprocessing(SPEC).top(np.log(np.array([1, 2, 1], np.float32)), count=2)
    assert best == {"class_id": 1, "label": "b", "probability": pytest.approx(0.5)}


def test_rivals_see_nearly_what_the_service_sees() -> None:
    """Otherwise their work could not be compared: on average less than a level of 256 apart."""
    folder = MODELS["efficientnet-lite0"]
    known = metadata.read(folder / "metadata.json").input
    photo = PHOTO.read_bytes()
    rivals = Preprocessing(json.loads(folder.joinpath("metadata.json").read_text())).tensor(photo)
    levels = rivals[0].transpose(1, 2, 0) * known.std + known.mean
    ours = decode_all([photo], known, max_pixels=10**6)[0]
    assert np.abs(levels - ours).mean() < 1

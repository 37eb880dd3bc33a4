"""Ideas of the lecture texts that the service makes visible, over a real socket."""

import io
from pathlib import Path

import httpx2
import numpy as np
from numpy.typing import NDArray
from onnx import helper
from PIL import Image

from service.metadata import ClassOutput, LayerEntry
from tests import images, tiny_models
from tests.e2e.conftest import Server, Start


def fetch(server: Server, model: str, layer: str, picture: bytes) -> NDArray[np.float32]:
    """One layer of one image: (C, H, W)."""
    query = {"layer": layer, "format": "npy"}
    answer = httpx2.post(f"{server.url}/v1/models/{model}/feature-maps", params=query, content=picture, timeout=60)
    assert answer.status_code == 200, answer.text
    array: NDArray[np.float32] = np.load(io.BytesIO(answer.content))[0]
    return array


def test_shifting_the_photo_shifts_the_maps(server: Server, chelsea: bytes) -> None:
    """32 pixels in the photo are 16 places in the maps of a convolution of stride 2, to the last bit."""
    with Image.open(io.BytesIO(chelsea)) as photo:
        # 256x256: the network sees the middle 224x224, and nothing is resized.
        here, right = (images.encode(photo.crop((left, 20, left + 256, 276))) for left in (120, 88))
    before, after = (fetch(server, "efficientnet-lite0", "_bn0", picture) for picture in (here, right))
    # What came in at the left, and what the padding touches, is left out.
    np.testing.assert_array_equal(after[:, :, 17:-1], before[:, :, 1:-17])


def test_pooling_hardly_notices_a_shift(server: Server) -> None:
    """Shifted by one pixel, more than half of the pooled values of a blurred square stay near what they were."""
    picture = np.zeros((28, 28), np.uint8)
    picture[8:20, 8:20] = 200
    shifted = np.roll(picture, 1, axis=1)
    same = []
    for layer in ("relu1", "pool1"):
        before, after = (fetch(server, "lenet5", layer, images.encode(p)) for p in (picture, shifted))
        same.append(float(np.isclose(before, after, atol=1e-3 * before.max()).mean()))
    detector, pooled = same
    assert detector < 1
    assert pooled > 0.5


def test_the_edge_example(start: Start, repository: Path) -> None:
    """A picture minus itself one pixel to the left: 320x280 in, 319x280 out, and 60,000 times cheaper than dense."""
    kernel = np.array([[[[-1, 1]]]], np.float32)  # the pixel minus its left neighbour
    model = tiny_models.model(
        [helper.make_node("Conv", ["images", "kernel"], ["edges"])],
        {"kernel": kernel},
        input_shape=["batch", 1, 280, 320],
        output=("edges", ["batch", 1, 280, 319]),
    )
    tiny_models.publish(
        repository,
        model,
        name="edge",
        input=tiny_models.image_input(height=280, width=320, rescale_factor=1.0),
        output=ClassOutput(name="edges", values="none", labels=None),
        layers=(LayerEntry(path="edges", tensor="edges", aliases=()),),
    )
    picture = np.random.default_rng(0).integers(0, 256, (280, 320), dtype=np.uint8)
    with start(repository) as server:
        (row,) = httpx2.get(f"{server.url}/v1/models/edge/layers", timeout=60).json()["layers"]
        edges = fetch(server, "edge", "edges", images.encode(picture))
    np.testing.assert_array_equal(edges[0], picture[:, 1:].astype(np.float32) - picture[:, :-1])
    assert row["shape"] == [1, 280, 319]
    assert row["flops"] == 267_960
    assert row["dense"]["weights"] == 8_003_072_000
    assert row["dense"]["flops"] == 16_006_144_000
    assert round(row["dense"]["times_less_work"]) == 59_733
    assert round(row["dense"]["times_less_storage"], -8) == 4.0e9

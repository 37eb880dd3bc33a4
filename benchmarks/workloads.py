"""What the service is asked, and how a right answer looks."""

import io
import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from benchmarks.client import Client, request
from benchmarks.errors import BenchmarkError
from benchmarks.preprocessing import ROOT

PHOTO: Final = ROOT / "tests" / "photos" / "chelsea.jpg"
LARGE: Final = (4000, 3000)
"""Twelve megapixels."""
LAYER: Final = "_blocks.4"
"""The map that is asked for: 40 channels of 28x28, about a third of the way through EfficientNet-Lite0."""

_TOLERANCE: Final = 1e-3


@dataclass(frozen=True)
class Workload:
    """One request.

    Args:
        name: For people.
        path: Where it goes, with its query.
        body: Its content.
        headers: Fields beside the usual ones.
        text: What every right answer holds.
        length: The bytes of every right answer; 0 where they may vary.
        right: Looks at an answer more closely than can be done for each.
    """

    name: str
    path: str
    body: bytes
    headers: Mapping[str, str] = field(default_factory=dict)
    text: str = ""
    length: int = 0
    right: Callable[[bytes], bool] = lambda _: True

    @property
    def request(self) -> bytes:
        """Head and body."""
        return request(self.path, self.body, self.headers)

    def check(self, url: str) -> None:
        """Ask once, on a connection of its own; when the answer is there, so is that of whoever asked before.

        Raises:
            BenchmarkError: The answer is wrong.
        """
        with Client(url) as client:
            answer = client.send(self.request)
        body = bytes(answer.body)
        if answer.status != 200 or self.text.encode() not in body or not self.right(body):
            raise BenchmarkError(f"{self.path} answers {answer.status}: {body[:300].decode(errors='replace')}")
        if self.length and len(body) != self.length:
            raise BenchmarkError(f"{self.path} answers {len(body)} bytes, not {self.length}")


def classification(name: str, model: str, image: bytes, class_id: int) -> Workload:
    """An image, whose most probable class is known."""
    path = f"/v1/models/{model}/classify"
    return Workload(name, path, image, text=f'"predictions":[{{"class_id":{class_id},')


def tensor(model: str, name: str, values: NDArray[np.float32], logits: NDArray[np.float32]) -> Workload:
    """A tensor as the Open Inference Protocol has it, in binary both ways; the answer is known."""
    head = {
        "inputs": [
            {
                "name": name,
                "shape": values.shape,
                "datatype": "FP32",
                "parameters": {"binary_data_size": values.nbytes},
            }
        ],
        "parameters": {"binary_data_output": True},
    }
    text = json.dumps(head).encode()
    headers = {"Inference-Header-Content-Length": str(len(text)), "Content-Type": "application/octet-stream"}

    def right(answer: bytes) -> bool:
        found = np.frombuffer(answer[-logits.nbytes :], np.float32)
        return bool(np.allclose(found, logits.ravel(), rtol=0, atol=_TOLERANCE))

    return Workload("tensor", f"/v2/models/{model}/infer", text + values.tobytes(), headers, '"logits"', right=right)


def feature_map(model: str, photo: bytes, expected: NDArray[np.float32]) -> Workload:
    """A photo, and the map of one layer, as npy; the answer is known."""
    written = io.BytesIO()
    np.save(written, expected)

    def right(answer: bytes) -> bool:
        found = np.load(io.BytesIO(answer))
        return bool(np.allclose(found, expected, rtol=0, atol=1e-4 * float(np.abs(expected).max())))

    path = f"/v1/models/{model}/feature-maps?layer={LAYER}&format=npy"
    return Workload("feature map", path, photo, text="NUMPY", length=len(written.getvalue()), right=right)


def small_picture() -> bytes:
    """A grey PNG of 28x28."""
    written = io.BytesIO()
    Image.open(PHOTO).convert("L").resize((28, 28), Image.Resampling.BICUBIC).save(written, "PNG")
    return written.getvalue()


def large_photo() -> bytes:
    """A JPEG of twelve megapixels, enlarged, with the fine grain of a sensor: about as long as a camera writes it."""
    enlarged = Image.open(PHOTO).convert("RGB").resize(LARGE, Image.Resampling.BICUBIC)
    grain = np.random.default_rng(seed=0).normal(0, 5, (LARGE[1], LARGE[0], 1))
    pixels = np.clip(np.asarray(enlarged) + grain, 0, 255).astype(np.uint8)
    written = io.BytesIO()
    Image.fromarray(pixels).save(written, "JPEG", quality=90)
    return written.getvalue()

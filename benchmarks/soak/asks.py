"""What the service is asked, and which answers are right: known before, from the engine in this process."""

import io
import json
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray

from benchmarks.client import request
from benchmarks.workloads import PHOTO, small_picture, tensor
from service.classification import classify
from service.embeddings import EmbeddingRequest, embed
from service.engine import open_engine
from service.image import decode_all
from service.model import Model
from service.settings import Settings
from service.timing import Timings

PHOTO_MODEL: Final = "efficientnet-lite0"
PICTURE_MODEL: Final = "lenet5"

_COFFEE: Final = PHOTO.with_name("coffee.jpg")
_LAYERS: Final = ("_bn0", "_blocks.4", "_blocks.8", "_bn1")
_MAX_PIXELS: Final = 50_000_000
_TOLERANCE: Final = 1e-3

Judge = Callable[[int, bytes], str | None]
"""Takes the status and the body of an answer; says what is wrong with it, None where nothing is."""


@dataclass(frozen=True)
class Ask:
    """One request.

    Args:
        name: For people.
        request: Head and body.
        judge: Looks at the answer.
        share: How often it is asked, against the others.
    """

    name: str
    request: bytes
    judge: Judge
    share: int = 1


def good(models: Path) -> list[Ask]:
    """Photos, maps, vectors, tensors and small pictures, one and several at a time, with the answers that are right.

    Args:
        models: A repository with `PHOTO_MODEL` and `PICTURE_MODEL`.
    """
    engine = open_engine(Settings(models=models, device="cpu"))
    photo, picture = engine.registry.load(PHOTO_MODEL), engine.registry.load(PICTURE_MODEL)
    found = [
        _classification("photo", photo, [PHOTO.read_bytes()], share=6),
        _classification("another photo", photo, [_COFFEE.read_bytes()], share=4),
        _classification("four photos", photo, [PHOTO.read_bytes(), _COFFEE.read_bytes()] * 2),
        _classification("small picture", picture, [small_picture()], share=10),
        *(_maps(photo, layer) for layer in _LAYERS),
        _embedding(photo),
        _tensor(photo),
    ]
    engine.close()
    return found


def bad() -> list[Ask]:
    """What must be refused, each with its status."""
    photo = PHOTO.read_bytes()
    classify_path = f"/v1/models/{PHOTO_MODEL}/classify"
    return [
        _refused("no image", classify_path, b"this is no image", 415),
        _refused("an empty body", classify_path, b"", 400, 415, 422),
        _refused("half a photo", classify_path, photo[: len(photo) // 2], 422),
        _refused("an unknown model", "/v1/models/nobody/classify", photo, 404),
        _refused("an unknown layer", f"/v1/models/{PHOTO_MODEL}/feature-maps?layer=nowhere", photo, 404),
        _refused("an unknown parameter", f"{classify_path}?top=3", photo, 400),
        _refused("broken JSON", f"/v2/models/{PHOTO_MODEL}/infer", b'{"inputs": [', 400),
    ]


def _classification(name: str, model: Model, images: Sequence[bytes], *, share: int = 1) -> Ask:
    rows = classify(model, images, top_k=None, max_pixels=_MAX_PIXELS, timings=Timings())
    expected = [[(one.class_id, one.probability) for one in row] for row in rows]

    def right(body: bytes) -> str | None:
        results = json.loads(body)["results"]
        found = [[(one["class_id"], one["probability"]) for one in row["predictions"]] for row in results]
        if [[number for number, _ in row] for row in found] != [[number for number, _ in row] for row in expected]:
            return f"classes {found}, expected {expected}"
        return _far(np.array(found), np.array(expected), of=1.0)

    path = f"/v1/models/{model.name}/classify"
    if len(images) == 1:
        return Ask(name, request(path, images[0]), _answers(right), share)
    body, content_type = _form(images)
    return Ask(name, request(path, body, {"Content-Type": content_type}), _answers(right), share)


def _maps(model: Model, layer: str) -> Ask:
    photo = PHOTO.read_bytes()
    pixels = decode_all([photo], model.image_input, max_pixels=_MAX_PIXELS)
    (expected,) = model.feature_maps(pixels, [model.layers.find(layer)])
    path = f"/v1/models/{model.name}/feature-maps?layer={layer}&format=npy"
    return Ask(f"maps of {layer}", request(path, photo), _answers(lambda body: _far_array(body, expected)))


def _embedding(model: Model) -> Ask:
    photo = PHOTO.read_bytes()
    wanted = EmbeddingRequest(model.layers.find("_bn1"))
    expected = embed(model, [photo], wanted, max_pixels=_MAX_PIXELS, timings=Timings())
    path = f"/v1/models/{model.name}/embeddings?layer=_bn1&format=npy"
    return Ask("embedding", request(path, photo), _answers(lambda body: _far_array(body, expected)), share=2)


def _tensor(model: Model) -> Ask:
    spec = model.image_input
    values = np.random.default_rng(0).normal(size=(1, *spec.shape)).astype(np.float32)
    (logits,) = model.run({spec.name: values}, ["logits"]).values()
    work = tensor(model.name, spec.name, values, logits)
    return Ask("tensor", work.request, _answers(lambda body: None if work.right(body) else "other logits"), share=2)


def _answers(right: Callable[[bytes], str | None]) -> Judge:
    def judge(status: int, body: bytes) -> str | None:
        if status != 200:
            return f"status {status}: {body[:200].decode(errors='replace')}"
        try:
            return right(body)
        except Exception as error:  # noqa: BLE001  (an answer that cannot be read is wrong, whatever reading it raises)
            return f"the answer cannot be read: {error!r}"

    return judge


def _refused(name: str, path: str, body: bytes, *statuses: int) -> Ask:
    def judge(status: int, answer: bytes) -> str | None:
        if status in statuses:
            return None
        return f"status {status}, expected {' or '.join(map(str, statuses))}: {answer[:200].decode(errors='replace')}"

    return Ask(name, request(path, body), judge)


def _far_array(body: bytes, expected: NDArray[np.float32]) -> str | None:
    return _far(np.load(io.BytesIO(body)), expected, of=float(np.abs(expected).max()))


def _far(found: NDArray[Any], expected: NDArray[Any], *, of: float) -> str | None:
    if found.shape != expected.shape:
        return f"shape {found.shape}, expected {expected.shape}"
    difference = float(np.abs(found - expected).max())
    return f"off by {difference:g}" if not difference <= _TOLERANCE * of else None


def _form(images: Sequence[bytes]) -> tuple[bytes, str]:
    parts = (b'--part\r\nContent-Disposition: form-data; name="image"\r\n\r\n' + image + b"\r\n" for image in images)
    return b"".join(parts) + b"--part--\r\n", "multipart/form-data; boundary=part"

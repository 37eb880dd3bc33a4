"""Small pictures in many forms, good and broken."""

import io
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image


def encode(pixels: NDArray[np.uint8] | Image.Image, form: str = "png", **options: Any) -> bytes:  # noqa: ANN401
    """Encode a picture."""
    image = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    buffer = io.BytesIO()
    image.save(buffer, form, **options)
    return buffer.getvalue()


def plain(value: int, *, size: tuple[int, int] = (2, 2)) -> bytes:
    """A grey PNG of (height, width) whose pixels are all the same."""
    return encode(np.full(size, value, np.uint8))


def gradient(height: int, width: int) -> NDArray[np.uint8]:
    """An RGB picture: red grows to the right, green grows downwards, blue is 128."""
    picture = np.full((height, width, 3), 128, np.uint8)
    picture[..., 0] = np.linspace(0, 255, width, dtype=np.uint8)[np.newaxis, :]
    picture[..., 1] = np.linspace(0, 255, height, dtype=np.uint8)[:, np.newaxis]
    return picture

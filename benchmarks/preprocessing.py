"""What rivals put in front of a network: Pillow decodes, crops and resizes, NumPy makes floats of it.

Nothing here comes from the service, so that a process which imports it is as bare as a tutorial's.
"""

import io
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final

import numpy as np
from numpy.typing import NDArray
from PIL import Image

os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")  # read once, when the library is loaded
import onnxruntime as ort

ROOT: Final = Path(__file__).resolve().parents[1]
MODELS: Final[Mapping[str, Path]] = {
    "efficientnet-lite0": ROOT / "models" / "efficientnet-lite0" / "1",
    "lenet5": ROOT / "models" / "lenet5" / "1",
}

_MODES: Final = {"rgb": "RGB", "grey": "L"}


class Preprocessing:
    """From the bytes of an image to a float tensor, and from logits to classes.

    Args:
        metadata: Of the model, as its `metadata.json` says.
    """

    def __init__(self, metadata: Mapping[str, Any]) -> None:
        spec, output = metadata["input"], metadata["output"]
        self.name: str = spec["name"]
        self._size = spec["width"], spec["height"]
        self._mode = _MODES[spec["color"]]
        self._crop: float = spec["crop_fraction"]
        self._resampling = Image.Resampling[spec["interpolation"].upper()]
        self._mean, self._std = (np.array(spec[key], np.float32)[:, None, None] for key in ("mean", "std"))
        self._rescale = np.float32(spec["rescale_factor"])
        self._labels: list[str] = output["labels"]

    def tensor(self, photo: bytes) -> NDArray[np.float32]:
        """Decode a whole image, crop and resize it in one step, and normalise it.

        Shape:
            (1, C, height, width) float32.
        """
        image = Image.open(io.BytesIO(photo)).convert(self._mode)
        pixels = np.asarray(image.resize(self._size, self._resampling, box=self._box(*image.size)), np.float32)
        planes = pixels.reshape(self._size[1], self._size[0], -1).transpose(2, 0, 1)  # (C, height, width)
        return ((planes * self._rescale - self._mean) / self._std)[None]

    def top(self, logits: NDArray[np.float32], count: int = 5) -> list[dict[str, Any]]:
        """The most probable classes.

        Args:
            logits: (classes,) float32.
            count: How many.
        """
        exponentials = np.exp(logits - logits.max())
        probabilities = exponentials / exponentials.sum()
        best = np.argsort(-probabilities)[:count]
        return [{"class_id": int(i), "label": self._labels[i], "probability": float(probabilities[i])} for i in best]

    def _box(self, width: int, height: int) -> tuple[float, float, float, float]:
        """The centred part of a picture that the network sees."""
        scale = min(width / self._size[0], height / self._size[1]) * self._crop
        left, top = (width - self._size[0] * scale) / 2, (height - self._size[1] * scale) / 2
        return left, top, min(width - left, width), min(height - top, height)


def open_session(model: Path | bytes, *, threads: int, device: str = "cpu") -> ort.InferenceSession:
    """A session as ONNX Runtime's documentation makes one.

    Args:
        model: The file, or its bytes.
        threads: For one run; 0 takes all cores.
        device: `cpu` or `cuda`.
    """
    options = ort.SessionOptions()
    options.intra_op_num_threads = threads
    options.log_severity_level = 3
    providers = ["CUDAExecutionProvider"] if device == "cuda" else ["CPUExecutionProvider"]
    return ort.InferenceSession(model if isinstance(model, bytes) else str(model), options, providers=providers)

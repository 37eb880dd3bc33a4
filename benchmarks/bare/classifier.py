"""A bare FastAPI process with the two shipped networks, and one route that classifies a photo.

It is what a short tutorial comes to: sessions made at import, Pillow and NumPy in front, a thread for the work.
"""

import asyncio
import json
from typing import Any

from fastapi import FastAPI, Request

from benchmarks.preprocessing import MODELS, Preprocessing, open_session

app = FastAPI()
preprocessings = {
    name: Preprocessing(json.loads(folder.joinpath("metadata.json").read_text())) for name, folder in MODELS.items()
}
sessions = {name: open_session(folder / "model.onnx", threads=0) for name, folder in MODELS.items()}


@app.post("/{model}")
async def classify(model: str, request: Request) -> list[dict[str, Any]]:
    """The five most probable classes of an image."""
    return await asyncio.to_thread(_classify, model, await request.body())


def _classify(model: str, photo: bytes) -> list[dict[str, Any]]:
    preprocessing = preprocessings[model]
    (logits,) = sessions[model].run(None, {preprocessing.name: preprocessing.tensor(photo)})
    return preprocessing.top(logits[0])

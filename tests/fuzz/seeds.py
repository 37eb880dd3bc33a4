"""Small good images and requests, made when they are needed."""

import base64
import json
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any, Final

import numpy as np
from PIL import Image

from tests import hostile_images, images

BOUNDARY: Final = "multipart/form-data; boundary=XX"
HEADER_LENGTH: Final = "inference-header-content-length"


def pictures() -> Iterator[bytes]:
    """A picture in every format and kind that is accepted, and in some that are not."""
    colour = Image.fromarray(images.gradient(24, 20))
    clear = colour.convert("RGBA")
    clear.putalpha(Image.linear_gradient("L").resize(colour.size))
    frames: dict[str, Any] = {"save_all": True, "append_images": [colour.rotate(90)]}
    exif = Image.Exif()
    exif[0x0112] = 6
    jpegs: list[dict[str, Any]] = [
        {},
        {"progressive": True},
        {"exif": exif},
        {"subsampling": 0, "restart_marker_blocks": 1},
    ]
    yield from (images.encode(colour, "jpeg", **options) for options in jpegs)
    for mode in ("L", "CMYK"):
        yield images.encode(colour.convert(mode), "jpeg")
    for mode in ("1", "L", "P", "RGB", "I;16"):
        yield images.encode(colour.convert("L" if mode == "I;16" else mode).convert(mode), "png")
    others: list[tuple[Image.Image, str, dict[str, Any]]] = [
        (clear, "png", {"exif": exif}),
        (colour, "png", frames),
        (colour, "webp", {}),
        (clear, "webp", {"lossless": True, "exif": exif}),
        (clear, "webp", frames),
        (colour, "gif", frames),
        (clear, "gif", {}),
        (colour, "bmp", {}),
        (colour.convert("P"), "bmp", {}),
        (colour, "avif", {"speed": 10, "exif": exif}),
        (clear, "avif", {"speed": 10}),
        (colour, "avif", {"speed": 10, **frames}),
        (clear, "tiff", {"compression": "tiff_lzw"}),
        (colour, "tiff", {"compression": "tiff_adobe_deflate", **frames}),
        (colour.convert("1"), "tiff", {"compression": "packbits"}),
        (colour, "tiff", {"compression": "jpeg"}),
    ]
    yield from (images.encode(picture, form, **options) for picture, form, options in others)
    yield hostile_images.tiff_of_pixels(np.arange(60, dtype=np.uint16).reshape(6, 10), order=">")
    yield hostile_images.gif(blocks=b"!\xfe\x05hello\0")
    yield hostile_images.bmp_of_runs()
    yield hostile_images.jpeg_in_parts(16, 4)
    yield hostile_images.grey_png(before=[(b"zTXt", b"k\0\0x\x9c\x03\0\0\0\0\x01"), (b"tRNS", b"\0\7")])


@dataclass(frozen=True)
class Request:
    """What a caller sends."""

    method: str
    path: str
    query: bytes = b""
    body: bytes = b""
    headers: dict[str, str] = field(default_factory=dict)


QUERIES: Final = (
    b"layer=conv&channels=0&format=json&statistics=true",
    b"layer=block.*&layer=type:Conv&reduce=mean&format=npz&dtype=uint8",
    b"layer=-1&channels=top:2:max&normalize=l2&format=npy",
    b"layer=0&rows=0-1&columns=0,1&format=safetensors&dtype=float16",
    b"layer=default&format=png&colormap=viridis&scale=0,1.5&enlarge=3&overlay=0.5",
    b"layer=*&dry_run=true&decoding=exact",
)


def requests() -> Iterator[Request]:
    """A request to every route that takes one: of each form of a body, and of each form of an answer."""
    picture = images.plain(200)
    form = (
        b'--XX\r\nContent-Disposition: form-data; name="image"; filename="p.png"\r\nContent-Type: image/png\r\n\r\n'
        + picture
        + b"\r\n--XX--\r\n"
    )
    text = json.dumps({"images": [base64.b64encode(picture).decode()] * 2}).encode()
    url = json.dumps({"images": ["data:image/png;base64," + base64.b64encode(picture).decode()]}).encode()
    model = "/v1/models/brightness"
    asked = Request("POST", f"{model}/classify", b"top_k=2", picture)
    yield asked
    yield replace(asked, body=form, headers={"content-type": BOUNDARY, "accept": "application/json;q=0.5, */*;q=0.1"})
    yield replace(asked, body=text, headers={"content-type": "application/json"})
    yield replace(asked, method="PUT", path=f"{model}/versions/1/classify", body=url)
    for query in QUERIES:
        yield Request("POST", f"{model}/feature-maps", query, picture, {"accept": "image/png, application/x-npy"})
    yield Request("POST", f"{model}/embeddings", b"layer=pool&format=npy", picture)
    yield Request("POST", f"{model}/heatmap", b"class=bright&method=cam&format=png", picture)
    yield Request("POST", f"{model}/heatmap", b"class=0&than=2&method=occlusion&format=json", picture)
    yield Request("POST", f"{model}/preprocessed", b"", picture)
    yield Request("GET", f"{model}/layers")
    yield Request("GET", f"{model}/layers/conv/filters", b"format=png", headers={"if-none-match": '"x"'})
    yield Request("GET", f"{model}/layers/block.relu/receptive-field", b"row=0&column=1")
    yield Request("GET", "/v1/models")
    yield from _inferences()


def _inferences() -> Iterator[Request]:
    infer = "/v2/models/brightness/infer"
    tensor = {"name": "images", "datatype": "FP32", "shape": [1, 1, 2, 2]}
    outputs = [{"name": "conv", "parameters": {"binary_data": True}}, {"name": "logits"}]
    plain = json.dumps({"id": "7", "inputs": [{**tensor, "data": [1, 0.5, 0, -1]}], "outputs": outputs}).encode()
    yield Request("POST", infer, body=plain)
    yield Request("POST", infer, body=plain, headers={"accept-encoding": "gzip"})
    behind = {"inputs": [{**tensor, "parameters": {"binary_data_size": 16}}], "parameters": {"timeout": 10**7}}
    text = json.dumps(behind).encode()
    yield Request("POST", infer, body=text + bytes(16), headers={HEADER_LENGTH: str(len(text))})
    picture = base64.b64encode(images.plain(200)).decode()
    encoded = {**tensor, "datatype": "BYTES", "shape": [1], "data": [picture], "parameters": {"content_type": "base64"}}
    yield Request("POST", infer, body=json.dumps({"inputs": [encoded]}).encode())
    yield Request("GET", "/v2/models/brightness/config")
    yield Request("POST", "/v2/repository/index", body=b'{"ready": true}')

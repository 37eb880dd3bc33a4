"""Images in, one vector for each out."""

from typing import Final, Literal

import numpy as np
import orjson
from fastapi import APIRouter, Response
from numpy.typing import NDArray
from pydantic import Field

from service.addressing import DEFAULT, find_one
from service.buffer import Content
from service.embeddings import EmbeddingRequest, Pooling, embed
from service.encoding import to_npy, to_npz
from service.feature_maps import FeatureMap, Format, refuse_too_large
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, ImageRoute, problem_responses
from service.http.negotiation import MEDIA_TYPES, choose_format
from service.http.queries import ImageQuery, documented, parse_query
from service.http.schemas import EmbeddingsAnswer
from service.settings import Decoding
from service.view import Viewed

router = APIRouter(tags=["feature maps"], route_class=ImageRoute)

_FORMS: Final[tuple[Format, ...]] = ("json", "npy", "npz")
_VALUE_BYTES: Final = {"json": 16, "npy": 4, "npz": 4}


class EmbeddingQuery(ImageQuery):
    """The parameters of a request for embeddings."""

    layer: str = Field(
        DEFAULT, description="One layer, by any of its names; default is the last map with an extent.", examples=["-1"]
    )
    reduce: Pooling = Field("mean", description="mean or max over each map; flatten keeps every value.")
    normalize: Literal["l2", "none"] = Field("l2", description="l2: each vector has the length 1, or is all zeros.")
    format: str | None = Field(None, description="json, npy or npz; goes before Accept.", examples=["npy"])


@router.put("/embeddings", include_in_schema=False)
@router.post(
    "/embeddings",
    response_model=EmbeddingsAnswer,
    openapi_extra={**IMAGE_BODY, "parameters": documented(EmbeddingQuery)},
    responses=problem_responses(400, 404, 406, 408, 413, 415, 422, 503, 504),
)
async def fetch_embeddings(call: ImageCallOf) -> Response:
    """Turn images into vectors that are near each other where the images are alike.

    Only the part of the network up to the layer is computed.  npy is (images, values), and so is the one array of npz.
    """
    query = parse_query(call.request, EmbeddingQuery)
    form = choose_format(query.format, call.request.headers.get("accept", ""), forms=_FORMS)
    layer = find_one(call.model.layers, query.layer)
    request = EmbeddingRequest(layer, reduce=query.reduce, l2=query.normalize == "l2")
    decoding = call.decoding(query)
    work = call.in_thread(lambda: _work(call, request, form, decoding))
    return await call.answer(work, media_type=MEDIA_TYPES[form], decoding=decoding)


def _work(call: ImageCall, request: EmbeddingRequest, form: Format, decoding: Decoding) -> Content:
    settings, images = call.engine.settings, call.images()
    size, limit = request.size or 0, settings.max_answer_bytes
    refuse_too_large(
        len(images) * size * _VALUE_BYTES[form], _fitting(request, form, len(images) * size, limit), max_bytes=limit
    )
    vectors = embed(
        call.model, images, request, max_pixels=settings.max_pixels, decoding=decoding, timings=call.timings
    )
    with call.timings.measure("encode"):
        return _encode(call, request, form, vectors)


def _fitting(request: EmbeddingRequest, form: Format, values: int, limit: int) -> list[str]:
    """Changes that would make an answer of so many values fit."""
    npy = ["format=npy"] if form == "json" and values * _VALUE_BYTES["npy"] <= limit else []
    return npy + (["reduce=mean"] if request.reduce == "flatten" else ["fewer images"])


def _encode(call: ImageCall, request: EmbeddingRequest, form: Format, vectors: NDArray[np.float32]) -> Content:
    match form:
        case "npy":
            return to_npy(vectors)
        case "npz":
            return to_npz([FeatureMap(request.layer, Viewed(vectors))])
    answer = {
        "model": call.model.name,
        "version": call.model.version,
        "layer": request.layer.path,
        "results": [{"embedding": vector} for vector in vectors],
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)

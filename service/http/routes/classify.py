"""Images in, classes out."""

from collections.abc import Iterable, Sequence
from functools import partial

import orjson
from fastapi import APIRouter, Response
from pydantic import Field

from service.buffer import Content
from service.classification import best_classes, classify, decoded, is_brief
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, ImageRoute, problem_responses
from service.http.negotiation import MEDIA_TYPES
from service.http.queries import ImageQuery, documented, parse_query
from service.http.schemas import ClassifyAnswer
from service.prediction import Prediction
from service.settings import Decoding

router = APIRouter(tags=["classification"], route_class=ImageRoute)


class ClassifyQuery(ImageQuery):
    """The parameters of a request for classes."""

    top_k: int | None = Field(
        None, description="How many classes of each image, the best first; 5 where it is not given."
    )


@router.put("/classify", include_in_schema=False)
@router.post(
    "/classify",
    response_model=ClassifyAnswer,
    openapi_extra={**IMAGE_BODY, "parameters": documented(ClassifyQuery)},
    responses=problem_responses(400, 404, 408, 413, 415, 422, 503, 504),
)
async def classify_images(call: ImageCallOf) -> Response:
    """Tell what one or several images show."""
    query = parse_query(call.request, ClassifyQuery)
    decoding = call.decoding(query)
    if is_brief(call.model, call.body):
        work = _work_here(call, query.top_k, decoding)
    else:
        work = call.in_thread(partial(_work, call, query.top_k, decoding))
    return await call.answer(work, media_type=MEDIA_TYPES["json"], decoding=decoding)


def _work(call: ImageCall, top_k: int | None, decoding: Decoding) -> bytes:
    max_pixels = call.engine.settings.max_pixels
    images = call.images()
    found = classify(call.model, images, top_k=top_k, max_pixels=max_pixels, decoding=decoding, timings=call.timings)
    return _written(call, found)


async def _work_here(call: ImageCall, top_k: int | None, decoding: Decoding) -> Content:
    """The same on the event loop, where requests share runs."""
    model, max_pixels = call.model, call.engine.settings.max_pixels
    images = call.images()
    pixels = decoded(model, images, top_k=top_k, max_pixels=max_pixels, decoding=decoding, timings=call.timings)
    probabilities = await call.engine.turns.probabilities(model, pixels, call.timings)
    return _written(call, best_classes(model, probabilities, top_k=top_k))


def _written(call: ImageCall, found: Iterable[Sequence[Prediction]]) -> bytes:
    with call.timings.measure("encode"):
        results = [{"predictions": predictions} for predictions in found]
        return orjson.dumps({"model": call.model.name, "version": call.model.version, "results": results})

"""Images in, classes out."""

from functools import partial

import orjson
from fastapi import APIRouter, Response
from pydantic import Field

from service.classification import classify, is_brief
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, ImageRoute, problem_responses
from service.http.negotiation import MEDIA_TYPES
from service.http.queries import ImageQuery, documented, parse_query
from service.http.schemas import ClassifyAnswer
from service.settings import Decoding

router = APIRouter(tags=["classification"], route_class=ImageRoute)


class ClassifyQuery(ImageQuery):
    """The parameters of a request for classes."""

    top_k: int | None = Field(
        None, description="How many classes of each image, the best first; 5 where it is not given."
    )


@router.put("/classify", include_in_schema=False, openapi_extra={"parameters": documented(ClassifyQuery)})
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
    work = partial(_work, call, query.top_k, decoding)
    brief = is_brief(call.model, call.body)
    return await call.answer(work, media_type=MEDIA_TYPES["json"], decoding=decoding, brief=brief)


def _work(call: ImageCall, top_k: int | None, decoding: Decoding) -> bytes:
    model, max_pixels = call.model, call.engine.settings.max_pixels
    images = call.images()
    found = classify(model, images, top_k=top_k, max_pixels=max_pixels, decoding=decoding, timings=call.timings)
    with call.timings.measure("encode"):
        results = [{"predictions": predictions} for predictions in found]
        return orjson.dumps({"model": model.name, "version": model.version, "results": results})

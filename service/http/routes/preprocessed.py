"""An image in, what the network sees of it out."""

from typing import Final

from fastapi import APIRouter, Response

from service import pictures
from service.errors import ParameterError
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, ImageRoute, problem_responses
from service.http.negotiation import MEDIA_TYPES, choose_format
from service.http.queries import ImageQuery, documented, parse_query
from service.image import decode
from service.settings import Decoding

router = APIRouter(tags=["feature maps"], route_class=ImageRoute)

_PNG: Final = MEDIA_TYPES["png"]


@router.put("/preprocessed", include_in_schema=False)
@router.post(
    "/preprocessed",
    response_class=Response,
    openapi_extra={**IMAGE_BODY, "parameters": documented(ImageQuery)},
    responses={
        200: {"description": "A PNG of the size of the input, grey or in colour.", "content": {_PNG: {}}},
        **problem_responses(400, 404, 406, 408, 413, 415, 422, 503, 504),
    },
)
async def show_preprocessed(call: ImageCallOf) -> Response:
    """See what the network sees of one image: cut, resized, turned as its EXIF orientation says.

    Only the normalisation comes behind it, which is part of the network's graph.
    """
    decoding = call.decoding(parse_query(call.request, ImageQuery))
    choose_format(None, call.request.headers.get("accept", ""), forms=["png"])
    return await call.answer(call.in_thread(lambda: _work(call, decoding)), media_type=_PNG, decoding=decoding)


def _work(call: ImageCall, decoding: Decoding) -> bytes:
    max_pixels = call.engine.settings.max_pixels
    images = call.images()
    if len(images) > 1:
        raise ParameterError(f"a png holds one image and there are {len(images)}; accepted: one")
    with call.timings.measure("decode"):
        pixels = decode(images[0], call.model.image_input, max_pixels=max_pixels, decoding=decoding)
    with call.timings.measure("encode"):
        return pictures.to_png(pixels)

"""Images in, the outputs of layers out."""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter, Query, Response

from service.encoding import encode
from service.feature_maps import Format, check_answer, feature_maps
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, problem_responses
from service.http.negotiation import MEDIA_TYPES, choose_format
from service.http.schemas import FeatureMapsAnswer
from service.layers import Layer

router = APIRouter(tags=["feature maps"])

LayerNames = Annotated[
    list[str],
    Query(
        alias="layer",
        description="A path, an alias, or an index (0 is the first layer, -1 the last); once for each layer.",
        examples=["0"],
    ),
]
FormatName = Annotated[
    str | None,
    Query(alias="format", description="json, npy, npz or png; goes before Accept.", examples=["png"]),
]


@router.put("/feature-maps", include_in_schema=False)
@router.post(
    "/feature-maps",
    response_model=FeatureMapsAnswer,
    openapi_extra=IMAGE_BODY,
    responses=problem_responses(400, 404, 406, 408, 413, 415, 422, 503, 504),
)
async def fetch_feature_maps(call: ImageCallOf, layer: LayerNames = [], format_: FormatName = None) -> Response:  # noqa: B006
    """Fetch the output of one or several layers.

    Only the part of the network up to the layers is computed.  json and npz hold any number of layers and images, npy
    one layer (float32, images first), png one layer of one image: its channels side by side, each scaled on its own.
    """
    form = choose_format(format_, call.request.headers.get("accept", ""))
    wanted = call.model.layers.find_all(layer)
    return await call.answer(lambda: _work(call, wanted, form), media_type=MEDIA_TYPES[form])


def _work(call: ImageCall, wanted: Sequence[Layer], form: Format) -> bytes:
    settings = call.engine.settings
    images = call.images()
    check_answer(wanted, images=len(images), form=form, max_bytes=settings.max_answer_bytes)
    maps = feature_maps(call.model, images, wanted, max_pixels=settings.max_pixels, timings=call.timings)
    with call.timings.measure("encode"):
        return encode(maps, form, model=call.model.name, version=call.model.version)

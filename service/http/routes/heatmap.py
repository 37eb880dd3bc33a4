"""Images in, where the evidence for a class is out."""

from functools import partial
from typing import Any, Final, Literal
from urllib.parse import quote

import numpy as np
import orjson
from fastapi import APIRouter, Response
from pydantic import Field

from service import pictures
from service.addressing import find_one
from service.buffer import Content
from service.encoding import to_npy
from service.errors import ParameterError
from service.feature_maps import Format, refuse_too_large
from service.heat_maps import HeatMap, HeatMaps, heat_maps
from service.heat_pictures import DEFAULT_OPACITY, picture
from service.heat_plans import DEFAULT_CHANNELS, HeatPlan, HeatRequest, Method, plan
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, ImageRoute, problem_responses
from service.http.negotiation import MEDIA_TYPES, choose_format
from service.http.queries import ImageQuery, documented, parse_query
from service.http.schemas import HeatMapAnswer
from service.model import Model
from service.pictures import Colormap

router = APIRouter(tags=["feature maps"], route_class=ImageRoute)

_FORMS: Final[tuple[Format, ...]] = ("json", "npy", "png")
_VALUE_BYTES: Final = {"json": 16, "npy": 4}


class HeatQuery(ImageQuery):
    """The parameters of a request for a heat map."""

    target: str | None = Field(
        None,
        alias="class",
        description="The class, by number or label; where it is not given, the most probable one of each image.",
        examples=["281"],
    )
    vs: str | None = Field(None, description="Another class: evidence for the one rather than the other.")
    method: Literal["auto", Method] = Field(
        "auto",
        description="auto is cam where global average pooling and one linear layer give the classes, else eigen-cam.",
    )
    layer: str | None = Field(
        None, description="Whose maps are used (eigen-cam, score-cam), by any of its names; else the last with extent."
    )
    channels: int | None = Field(
        None, description=f"score-cam: how many maps are tried, the strongest; {DEFAULT_CHANNELS} where not given."
    )
    window: int | None = Field(
        None, description="occlusion: the side of what is hidden, in pixels; a seventh of the input where not given."
    )
    stride: int | None = Field(
        None, description="occlusion: from one window to the next, in pixels; half a window where not given."
    )
    format: str | None = Field(None, description="json, npy or png; goes before Accept.", examples=["png"])
    colormap: Colormap | None = Field(
        None, description="The colours of a png; magma where it is not given, and rdbu with vs: red for, blue against."
    )
    opacity: float | None = Field(
        None, ge=0, le=1, description=f"Of the heat in a png; {DEFAULT_OPACITY} where it is not given."
    )


@router.put("/heatmap", include_in_schema=False)
@router.post(
    "/heatmap",
    response_model=HeatMapAnswer,
    response_model_exclude_unset=True,
    openapi_extra={**IMAGE_BODY, "parameters": documented(HeatQuery)},
    responses=problem_responses(400, 404, 406, 408, 413, 415, 422, 503, 504),
)
async def show_heat(call: ImageCallOf) -> Response:
    """Show where in an image the evidence for a class is.

    - cam: each place's share of the logit; the mean over the map and the bias of the class are the logit
    - eigen-cam: where the maps of a layer answer most, whatever the class
    - score-cam: maps weighted by what the network says where only they are seen
    - occlusion: by how much the probability of the class falls where a square is hidden; as large as the input

    json and npy, (images, height, width), are not scaled.  png is one image, laid over what the network saw.  The
    headers Striate-Method and Striate-Layer, and Striate-Class for one image, say what was done.
    """
    query = parse_query(call.request, HeatQuery)
    form = choose_format(query.format, call.request.headers.get("accept", ""), forms=_FORMS)
    request = to_request(query, call.model, form)
    headers: dict[str, str] = {}
    work = partial(_work, call, query, request, form, headers)
    answer = await call.answer(call.in_thread(work), media_type=MEDIA_TYPES[form], decoding=call.decoding(query))
    answer.headers.update(headers)
    return answer


def to_request(query: HeatQuery, model: Model, form: Format) -> HeatRequest:
    """Parse the parameters.

    Raises:
        UnknownLayerError: There is no such layer.
        ParameterError: One of them is for pictures, or names several layers.
    """
    if form != "png" and (query.colormap is not None or query.opacity is not None):
        raise ParameterError(f"colormap and opacity are for format png, and format is {form}")
    return HeatRequest(
        method=None if query.method == "auto" else query.method,
        layer=find_one(model.layers, query.layer) if query.layer is not None else None,
        target=query.target,
        versus=query.vs,
        channels=query.channels,
        window=query.window,
        stride=query.stride,
    )


def _work(call: ImageCall, query: HeatQuery, request: HeatRequest, form: Format, headers: dict[str, str]) -> Content:
    settings, images = call.engine.settings, call.images()
    if form == "png" and len(images) > 1:
        raise ParameterError(f"format png holds one image and there are {len(images)}; accepted: json, npy")
    made = plan(call.model, request, images=len(images))
    _check_size(call, made, form, images=len(images))
    decoding = call.decoding(query)
    found = heat_maps(call.model, images, made, max_pixels=settings.max_pixels, decoding=decoding, timings=call.timings)
    headers.update(_headers(found))
    with call.timings.measure("encode"):
        if form == "json":
            return to_json(found, call.model)
        if form == "npy":
            return to_npy(np.stack([one.values for one in found.maps]))
        opacity = DEFAULT_OPACITY if query.opacity is None else query.opacity
        return pictures.to_png(picture(found, colormap=query.colormap, opacity=opacity))


def to_json(found: HeatMaps, model: Model) -> bytes:
    """All heat maps; NaN and infinity are null."""
    labels = model.metadata.output.labels if model.metadata is not None else None
    answer = {
        "model": model.name,
        "version": model.version,
        "method": found.plan.method,
        "layer": found.plan.layer,
        "results": [_written(one, labels) for one in found.maps],
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def _written(one: HeatMap, labels: tuple[str, ...] | None) -> dict[str, Any]:
    against = {"vs": _class(one.versus, labels)} if one.versus is not None else {}
    return {**_class(one.class_id, labels), **against, "shape": one.values.shape, "data": one.values}


def _class(number: int | None, labels: tuple[str, ...] | None) -> dict[str, Any]:
    return {"class_id": number, "label": labels[number] if labels is not None and number is not None else None}


def _headers(found: HeatMaps) -> dict[str, str]:
    """What was done, for the forms that cannot say it."""
    said: dict[str, str | int | None] = {"Striate-Method": found.plan.method, "Striate-Layer": found.plan.layer}
    if len(found.maps) == 1:
        said |= {"Striate-Class": found.maps[0].class_id}
    return {name: quote(str(value), safe="/:") for name, value in said.items() if value is not None}


def _check_size(call: ImageCall, made: HeatPlan, form: Format, *, images: int) -> None:
    spec, limit = call.model.image_input, call.engine.settings.max_answer_bytes
    if form == "png":
        factor = pictures.enlargement(max(spec.height, spec.width))
        refuse_too_large(3 * spec.height * spec.width * factor**2, ["format=npy"], max_bytes=limit)
    elif made.shape is not None:
        values = images * made.shape[0] * made.shape[1]
        npy = ["format=npy"] if form == "json" and values * _VALUE_BYTES["npy"] <= limit else []
        refuse_too_large(values * _VALUE_BYTES[form], [*npy, "fewer images"], max_bytes=limit)

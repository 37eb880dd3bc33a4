"""Images in, the outputs of layers out."""

from typing import Literal

from fastapi import APIRouter, Response
from pydantic import Field

from service.addressing import check_count, find_layers
from service.buffer import Content
from service.encoding import check_size, encode, plan
from service.errors import ParameterError
from service.feature_maps import Format, MapRequest, PictureStyle, feature_maps
from service.http.calls import IMAGE_BODY, ImageCall, ImageCallOf, ImageRoute, problem_responses
from service.http.negotiation import MEDIA_TYPES, choose_format
from service.http.queries import ImageQuery, documented, parse_query
from service.http.schemas import FeatureMapsAnswer, PlanAnswer, PlannedMap
from service.layers import Layer
from service.pictures import Colormap, Scale
from service.settings import Decoding
from service.view import Dtype, Reduce, View, parse_channels, parse_ranges

router = APIRouter(tags=["feature maps"], route_class=ImageRoute)


class MapQuery(ImageQuery):
    """The parameters of a request for feature maps."""

    layer: list[str] = Field(
        [],
        description="A path, an alias, an index (0 is the first layer, -1 the last), a glob (layer3.*.conv2), an "
        "operator (type:Conv), or default (the last map with an extent); once for each layer.",
        examples=[["0"]],
    )
    channels: str | None = Field(
        None,
        description="Numbers and ranges (0,3,5-9), or the strongest of each image: top:8 by their mean, top:8:max.",
    )
    rows: str | None = Field(None, description="Rows of the maps, as 0-9; for layers with maps.")
    columns: str | None = Field(None, description="Columns of the maps, as 0-9; for layers with maps.")
    reduce: Reduce = Field(
        "none", description="mean or max: one value for each channel; flatten: one vector for each image."
    )
    normalize: Literal["none", "l2"] = Field("none", description="l2: the values of each image have the length 1.")
    statistics: bool = Field(default=False, description="Numbers that describe the values, instead of the values.")
    dtype: Dtype = Field(
        "float32", description="Smaller answers: float16, or uint8 spread over the range of the values, given beside."
    )
    format: str | None = Field(
        None, description="json, npy, npz, safetensors or png; goes before Accept.", examples=["png"]
    )
    colormap: Colormap = Field("grey", description="The colours of a png; rdbu is white at zero.")
    scale: str = Field(
        "channel",
        description="What is darkest and brightest in a png: the extremes of each channel, of the layer, or two "
        "numbers, as 0,6.",
    )
    enlarge: int | None = Field(
        None, ge=1, le=64, description="The whole factor by which a png is enlarged; else about 800 pixels are filled."
    )
    overlay: float | None = Field(
        None, ge=0, le=1, description="Lay each map of a png over what the network saw, with this opacity."
    )
    dry_run: bool = Field(default=False, description="Tell shapes and bytes, and compute nothing.")


@router.put("/feature-maps", include_in_schema=False)
@router.post(
    "/feature-maps",
    response_model=FeatureMapsAnswer | PlanAnswer,
    openapi_extra={**IMAGE_BODY, "parameters": documented(MapQuery)},
    responses=problem_responses(400, 404, 406, 408, 413, 415, 422, 503, 504),
)
async def fetch_feature_maps(call: ImageCallOf) -> Response:
    """Fetch the output of one or several layers.

    Only the part of the network up to the layers is computed.  json, npz and safetensors hold any number of layers and
    images, npy one layer (images first), png one layer of one image: its channels side by side.
    """
    query = parse_query(call.request, MapQuery)
    form = choose_format(query.format, call.request.headers.get("accept", ""))
    layers = find_layers(call.model.layers, query.layer)
    check_count(len(layers), most=call.engine.settings.max_layers)
    request = to_request(query, layers, form)
    decoding = call.decoding(query)
    if query.dry_run:
        return await call.answer(call.in_thread(lambda: _plan(call, request)), media_type=MEDIA_TYPES["json"])
    work = call.in_thread(lambda: _work(call, request, decoding))
    return await call.answer(work, media_type=MEDIA_TYPES[form], decoding=decoding)


def to_request(query: MapQuery, layers: tuple[Layer, ...], form: Format) -> MapRequest:
    """Parse the parameters.

    Raises:
        ParameterError: One of them is malformed, or is for pictures where there are none.
    """
    style = PictureStyle(
        colormap=query.colormap, scale=parse_scale(query.scale), enlarge=query.enlarge, overlay=query.overlay
    )
    if form != "png" and style != PictureStyle():
        raise ParameterError(f"colormap, scale, enlarge and overlay are for format png, and format is {form}")
    view = View(
        channels=parse_channels(query.channels) if query.channels is not None else None,
        rows=parse_ranges(query.rows, axis="rows") if query.rows is not None else None,
        columns=parse_ranges(query.columns, axis="columns") if query.columns is not None else None,
        reduce=query.reduce,
        l2=query.normalize == "l2",
        dtype=query.dtype,
    )
    return MapRequest(layers, form, view=view, statistics=query.statistics, style=style)


def parse_scale(text: str) -> Scale:
    """Read `channel`, `layer`, or two numbers.

    Raises:
        ParameterError: It is written otherwise.

    >>> parse_scale("0,6")
    Scale(over='fixed', low=0.0, high=6.0)
    """
    match text:
        case "channel" | "layer":
            return Scale(text)
    try:
        low, high = (float(part) for part in text.split(","))
    except ValueError:
        low, high = 0.0, 0.0
    if not -1e30 < low < high < 1e30:
        raise ParameterError(f"scale is {text!r}; accepted: channel, layer, or the darkest and brightest value, as 0,6")
    return Scale("fixed", low, high)


def _work(call: ImageCall, request: MapRequest, decoding: Decoding) -> Content:
    settings, model = call.engine.settings, call.model
    images = call.images()
    spec = model.image_input
    check_size(request, images=len(images), pixels=(spec.height, spec.width), max_bytes=settings.max_answer_bytes)
    found = feature_maps(
        model, images, request, max_pixels=settings.max_pixels, decoding=decoding, timings=call.timings
    )
    with call.timings.measure("encode"):
        return encode(found, request, model=model.name, version=model.version)


def _plan(call: ImageCall, request: MapRequest) -> bytes:
    """Shapes and bytes for the images of the body, or for one where there is no body."""
    model, spec = call.model, call.model.image_input
    images = len(call.images()) if call.body else 1
    planned = [
        PlannedMap(layer=layer.path, shape=list(shape) if shape is not None else None)
        for layer, shape in zip(request.layers, request.shapes, strict=True)
    ]
    answer = PlanAnswer(
        model=model.name,
        version=model.version,
        format=request.form,
        images=images,
        bytes=plan(request, images=images, pixels=(spec.height, spec.width)),
        max_bytes=call.engine.settings.max_answer_bytes,
        maps=planned,
    )
    return answer.model_dump_json().encode()

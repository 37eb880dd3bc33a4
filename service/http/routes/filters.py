"""The learned kernels of a layer."""

from dataclasses import asdict
from http import HTTPStatus
from typing import Any, Final

import orjson
from fastapi import APIRouter, Request, Response
from pydantic import BaseModel, ConfigDict, Field

from service import __version__, pictures
from service.addressing import find_one
from service.buffer import Content
from service.encoding import to_npy
from service.errors import ParameterError
from service.feature_maps import Format, refuse_too_large
from service.filters import Filters, FilterStyle, filters, picture, picture_shape
from service.http.calls import EngineOf, ModelOf, problem_responses
from service.http.etags import is_known, strong_tag
from service.http.holding import held
from service.http.negotiation import MEDIA_TYPES, choose_format
from service.http.observation import observed_of
from service.http.queries import documented, parse_query
from service.http.schemas import FiltersAnswer
from service.layers import Layer
from service.model import Model
from service.pictures import Colormap
from service.statistics import statistics
from service.timing import Timings

router = APIRouter(tags=["models"])

_FORMS: Final[tuple[Format, ...]] = ("json", "npy", "png")
_VALUE_BYTES: Final = {"json": 16, "npy": 4}
_DAY: Final = 86400  # seconds


class FilterQuery(BaseModel):
    """The parameters of a request for kernels."""

    model_config = ConfigDict(frozen=True)

    format: str | None = Field(None, description="json, npy or png; goes before Accept.", examples=["png"])
    statistics: bool = Field(default=False, description="Numbers that describe the kernels, instead of the kernels.")
    colormap: Colormap | None = Field(
        None,
        description="The colours of a png, 0 in the middle; rdbu where it is not given, and for the first kernels of a"
        " network that sees colours: these colours.",
    )
    input_channel: int | None = Field(
        None, description="Which channel of each kernel a png shows; the mean over all of them where it is not given."
    )
    enlarge: int | None = Field(
        None, ge=1, le=64, description="The whole factor by which a png is enlarged; else about 800 pixels are filled."
    )


@router.get(
    "/layers/{layer:path}/filters",
    response_model=FiltersAnswer,
    openapi_extra={"parameters": documented(FilterQuery)},
    responses={
        304: {"description": "Nothing has changed since the answer with the ETag in If-None-Match."},
        **problem_responses(400, 404, 406, 413, 422, 503, 504),
    },
)
async def fetch_filters(request: Request, engine: EngineOf, model: ModelOf, layer: str) -> Response:
    """Fetch the learned kernels of a layer: of a convolution (out, in / groups, height, width), else (out, in).

    A picture shows the kernels side by side, each on a scale of its own with 0 in the middle: those that see the image
    in its colours, others by the mean over their input channels, or by one of them (input_channel).  Weights without
    an extent, as of a linear layer or a 1x1 convolution, are one matrix on one scale, a row for each output.

    The answer has a strong ETag; with a version in the path, it may be kept for a day without asking again.
    """
    query = parse_query(request, FilterQuery)
    form = choose_format(query.format, request.headers.get("accept", ""), forms=_FORMS)
    found = find_one(model.layers, layer)
    headers = _caching(request, model, found, query, form)
    if is_known(request.headers.get("if-none-match", ""), headers.get("ETag")):
        return Response(status_code=HTTPStatus.NOT_MODIFIED, headers=headers)
    timings = observed_of(request.scope).timings = Timings()
    limit = engine.settings.max_answer_bytes
    content = await engine.scheduler.run(lambda: _work(model, found, query, form, limit), timings)
    return held(request, engine.room, content, media_type=MEDIA_TYPES[form], headers=headers)


def _work(model: Model, layer: Layer, query: FilterQuery, form: Format, limit: int) -> Content:
    style = _style(query, form)
    found = filters(model, layer)
    if form == "png":
        height, width = picture_shape(found, style)
        refuse_too_large(3 * height * width, ["enlarge=1", "format=npy"], max_bytes=limit)
        return pictures.to_png(picture(found, style))
    if not query.statistics:
        npy = ["format=npy"] if form == "json" and found.values.size * _VALUE_BYTES["npy"] <= limit else []
        refuse_too_large(found.values.size * _VALUE_BYTES[form], [*npy, "statistics=true"], max_bytes=limit)
    return to_npy(found.values) if form == "npy" else _to_json(model, found, described=query.statistics)


def _style(query: FilterQuery, form: Format) -> FilterStyle:
    """Parse how a picture looks, and refuse what a form cannot hold."""
    style = FilterStyle(query.colormap, query.input_channel, query.enlarge)
    if form != "png" and style != FilterStyle():
        raise ParameterError(f"colormap, input_channel and enlarge are for format png, and format is {form}")
    if form != "json" and query.statistics:
        raise ParameterError(f"statistics come as json, and format is {form}")
    return style


def _to_json(model: Model, found: Filters, *, described: bool) -> bytes:
    values: dict[str, Any] = {"statistics": asdict(statistics(found.values))} if described else {"data": found.values}
    answer = {
        "model": model.name,
        "version": model.version,
        "layer": found.layer.path,
        "operator": found.layer.operator,
        "shape": found.values.shape,
        **values,
        "bias": found.bias,
    }
    return orjson.dumps(answer, option=orjson.OPT_SERIALIZE_NUMPY)


def _caching(request: Request, model: Model, layer: Layer, query: FilterQuery, form: Format) -> dict[str, str]:
    """Headers for caches.  A file without metadata is not known to the byte, so that its answers have no tag."""
    if model.metadata is None:
        return {"Cache-Control": "no-cache", "Vary": "Accept"}
    parts = (__version__, model.metadata.artifact.sha256, layer.tensor, layer.path, form, query.model_dump_json())
    tag = strong_tag("\0".join(parts).encode())
    # Without a version in the path, another version may answer tomorrow.
    kept = f"max-age={_DAY}" if "version" in request.path_params else "no-cache"
    return {"ETag": tag, "Cache-Control": kept, "Vary": "Accept"}

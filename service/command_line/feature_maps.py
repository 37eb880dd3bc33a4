"""`striate feature-maps`: the outputs of layers, in a file."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console

from service import feature_maps as maps
from service.addressing import find_layers
from service.command_line.files import read_photo, write_output
from service.command_line.flags import with_settings
from service.encoding import encode
from service.engine import open_engine
from service.errors import ParameterError
from service.feature_maps import Format, MapRequest, PictureStyle
from service.pictures import Colormap
from service.settings import Settings
from service.timing import Timings
from service.view import Dtype, Reduce, View, parse_channels


@with_settings("models", "device", "threads", "max_pixels", "decoding")
def feature_maps(  # noqa: PLR0913  (each is an option)
    photos: Annotated[list[Path], typer.Argument(help="Image files: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.")],
    *,
    model: Annotated[str, typer.Option(help="A model of the repository, as `efficientnet-lite0`.")],
    layer: Annotated[
        list[str],
        typer.Option(help="A path, alias, index, glob, type:OPERATOR or default; `striate models layers` lists them."),
    ],
    output: Annotated[
        Path, typer.Option("--output", "-o", help="The file to write: .npz, .npy, .safetensors, .json or .png.")
    ],
    version: Annotated[str | None, typer.Option(help="One version; else the highest that loads.")] = None,
    channels: Annotated[str | None, typer.Option(help="0,3,5-9, or the strongest: top:8.")] = None,
    reduce: Annotated[Reduce, typer.Option(help="One value a channel, or one vector.")] = "none",
    dtype: Annotated[Dtype, typer.Option(help="The type of the numbers.")] = "float32",
    colormap: Annotated[Colormap, typer.Option(help="The colours of a .png.")] = "grey",
    overlay: Annotated[float | None, typer.Option(help="Lay a .png over the photo.", min=0, max=1)] = None,
    settings: Settings,
) -> None:
    """Write the outputs of layers to a file, with the engine that serves, and without a server.

    An npz, safetensors or json file holds any number of layers and photos, an npy file one layer, a png file one layer
    of one photo.

        striate feature-maps cat.jpg --model efficientnet-lite0 --layer 0 --layer -1 -o maps.npz
    """
    loaded = open_engine(settings).registry.load(model, version)
    request = MapRequest(
        find_layers(loaded.layers, layer),
        _form(output),
        view=View(channels=parse_channels(channels) if channels else None, reduce=reduce, dtype=dtype),
        style=PictureStyle(colormap=colormap, overlay=overlay),
    )
    request.check(images=len(photos))
    console = Console(stderr=True, highlight=False)
    with console.status(f"computing {len(request.layers)} layers of {len(photos)} photos"):
        images = [read_photo(photo) for photo in photos]
        found = maps.feature_maps(
            loaded,
            images,
            request,
            max_pixels=settings.max_pixels,
            decoding=settings.decoding,
            timings=Timings(),
        )
        write_output(output, encode(found, request, model=loaded.name, version=loaded.version))
    for one in found.maps:
        console.print(f"{one.layer.path}: {'x'.join(map(str, one.data.shape))}")
    console.print(f"written to {output}")


def _form(output: Path) -> Format:
    for form in get_args(Format):
        if output.suffix.lower() == f".{form}":
            return form  # type: ignore[no-any-return]  # get_args is untyped
    accepted = ", ".join(f".{form}" for form in get_args(Format))
    raise ParameterError(f"the name of {output} ends in {output.suffix!r}; accepted: {accepted}")

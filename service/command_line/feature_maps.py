"""`striate feature-maps`: the outputs of layers, in a file."""

from pathlib import Path
from typing import Annotated, get_args

import typer
from rich.console import Console

from service import feature_maps as maps
from service.command_line.files import read_photo, write_output
from service.command_line.flags import with_settings
from service.encoding import encode
from service.engine import open_engine
from service.errors import ParameterError
from service.feature_maps import Format
from service.settings import Settings
from service.timing import Timings


@with_settings("models", "device", "threads", "max_pixels")
def feature_maps(
    photos: Annotated[list[Path], typer.Argument(help="Image files.")],
    *,
    model: Annotated[str, typer.Option(help="A model of the repository, as `efficientnet-lite0`.")],
    layer: Annotated[
        list[str], typer.Option(help="A path, alias or index; once for each layer. `striate models show` lists them.")
    ],
    output: Annotated[Path, typer.Option("--output", "-o", help="The file to write: .npz, .npy, .json or .png.")],
    version: Annotated[str | None, typer.Option(help="One version; else the highest that loads.")] = None,
    settings: Settings,
) -> None:
    """Write the outputs of layers to a file, with the engine that serves, and without a server.

    An npz or json file holds any number of layers and photos, an npy file one layer, a png file one layer of one photo.

        striate feature-maps cat.jpg --model efficientnet-lite0 --layer 0 --layer -1 -o maps.npz
    """
    form = _form(output)
    loaded = open_engine(settings).registry.load(model, version)
    wanted = loaded.layers.find_all(layer)
    maps.check_answer(wanted, images=len(photos), form=form, max_bytes=None)
    console = Console(stderr=True, highlight=False)
    with console.status(f"computing {len(wanted)} layers of {len(photos)} photos"):
        found = maps.feature_maps(
            loaded, [read_photo(photo) for photo in photos], wanted, max_pixels=settings.max_pixels, timings=Timings()
        )
        write_output(output, encode(found, form, model=loaded.name, version=loaded.version))
    for one in found:
        console.print(f"{one.layer.path}: {'x'.join(map(str, one.data.shape))}")
    console.print(f"written to {output}")


def _form(output: Path) -> Format:
    for form in get_args(Format):
        if output.suffix.lower() == f".{form}":
            return form  # type: ignore[no-any-return]  # get_args is untyped
    raise ParameterError(f"the name of {output} ends in {output.suffix!r}; accepted: .npz, .npy, .json, .png")

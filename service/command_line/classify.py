"""`striate classify`: what photos show."""

from pathlib import Path
from typing import Annotated

import orjson
import typer
from rich.console import Console
from rich.progress import track
from rich.table import Table

from service import classification
from service.command_line.files import read_photo
from service.command_line.flags import with_settings
from service.engine import open_engine
from service.errors import ParameterError, RequestError
from service.prediction import Prediction
from service.settings import Settings
from service.timing import Timings


@with_settings("models", "device", "threads", "max_pixels", "decoding")
def classify(
    photos: Annotated[list[Path], typer.Argument(help="Image files: JPEG, PNG, WebP, GIF, BMP, TIFF or AVIF.")],
    *,
    model: Annotated[str, typer.Option(help="A model of the repository, as `efficientnet-lite0`.")],
    version: Annotated[str | None, typer.Option(help="One version; else the highest that loads.")] = None,
    top_k: Annotated[int | None, typer.Option(help="How many classes of each photo.", show_default="5")] = None,
    json: Annotated[bool, typer.Option("--json", help="A line of JSON for each photo instead of a table.")] = False,
    settings: Settings,
) -> None:
    """Tell what photos show, with the engine that serves, and without a server.

    A photo that cannot be used is named, the others are classified, and the exit status is 1.

    striate classify cat.jpg cup.png --model efficientnet-lite0 --top-k 3
    """
    loaded = open_engine(settings).registry.load(model, version)
    console = Console(soft_wrap=True)
    shown = track(photos, "classifying", console=Console(stderr=True), disable=len(photos) < 2, transient=True)
    refused = 0
    for photo in shown:
        try:
            (best,) = classification.classify(
                loaded,
                [read_photo(photo)],
                top_k=top_k,
                max_pixels=settings.max_pixels,
                decoding=settings.decoding,
                timings=Timings(),
            )
        except ParameterError:
            raise
        except RequestError as error:
            typer.echo(f"error: {photo}: {error}", err=True)
            refused += 1
            continue
        if json:
            typer.echo(orjson.dumps({"photo": str(photo), "predictions": best}))
        else:
            console.print(_table(photo, best))
    if refused:
        raise typer.Exit(1)


def _table(photo: Path, best: tuple[Prediction, ...]) -> Table:
    table = Table(title=str(photo), title_justify="left", box=None, show_header=False)
    for prediction in best:
        table.add_row(f"{prediction.probability:7.2%}", str(prediction.class_id), prediction.label or "")
    return table

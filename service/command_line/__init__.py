"""The command `striate`.

    flags.py         settings as flags of a command
    serve.py         striate serve
    settings.py      striate settings
    models.py        striate models list | show | layers
    import_model.py  striate models import
    classify.py      striate classify
    feature_maps.py  striate feature-maps

Other packages join with an entry point of the group `striate.commands`, as `striate export` does.
"""

import sys
from importlib.metadata import entry_points
from typing import Annotated

import typer
from rich.console import Console
from rich.markup import escape

from service import __version__
from service.command_line.classify import classify
from service.command_line.feature_maps import feature_maps
from service.command_line.models import models
from service.command_line.serve import serve
from service.command_line.settings import settings
from service.errors import StriateError

HELP = """Serve convolutional networks over HTTP: classes of images, and the feature maps of any layer.

Start with `striate serve`, then send a photo:

    curl --data-binary @photo.jpg localhost:8000/v1/models/efficientnet-lite0/classify
"""


def build() -> typer.Typer:
    """Put the command together."""
    app = typer.Typer(
        name="striate",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    app.command()(serve)
    app.command()(settings)
    app.command()(classify)
    app.command("feature-maps")(feature_maps)
    app.add_typer(models, name="models")
    for entry_point in entry_points(group="striate.commands"):
        app.add_typer(entry_point.load(), name=entry_point.name)
    return app


def main() -> None:
    """Run the command; an error of ours is one line, without a trace."""
    try:
        build()()
    except StriateError as error:
        # Escaped: what stands in brackets in a message is no markup.
        message = f"[bold red]error:[/] {escape(str(error))}"
        Console(stderr=True, highlight=False).print(message, markup=True, soft_wrap=True)
        sys.exit(1)


def _print_version(wanted: bool) -> None:  # noqa: FBT001  (Typer calls it so)
    if wanted:
        typer.echo(f"striate {__version__}")
        raise typer.Exit


def _options(
    *,
    version: Annotated[
        bool, typer.Option("--version", help="Print the version and stop.", is_eager=True, callback=_print_version)
    ] = False,
) -> None:
    """The options of the command as a whole: each acts by its callback."""

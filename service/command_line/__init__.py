"""The command `striate`.

    flags.py         settings as flags of a command
    serve.py         striate serve
    health.py        striate health
    settings.py      striate settings
    keys.py          striate keys new | list
    models.py        striate models list | show | layers
    import_model.py  striate models import
    classify.py      striate classify
    feature_maps.py  striate feature-maps

Other packages join with an entry point of the group `striate.commands`, as `striate export` does.

Only the module of the command that runs is imported, since `striate health` runs every few seconds in a container.
"""

import sys
from collections.abc import Sequence
from importlib.metadata import EntryPoint, entry_points
from importlib.util import find_spec
from typing import Annotated, Final

import typer

from service import __version__
from service.errors import MissingCommandError, StriateError

GROUP: Final = "striate.commands"

# In the order of the help.
OWN: Final = tuple(
    EntryPoint(name, f"service.command_line.{place}", GROUP)
    for name, place in {
        "serve": "serve:serve",
        "health": "health:health",
        "settings": "settings:settings",
        "keys": "keys:keys",
        "classify": "classify:classify",
        "feature-maps": "feature_maps:feature_maps",
        "models": "models:models",
    }.items()
)

HELP = """Serve convolutional networks over HTTP: classes of images, and the feature maps of any layer.

Start with `striate serve`, then send a photo:

    curl --data-binary @photo.jpg localhost:8000/v1/models/efficientnet-lite0/classify
"""


def build(arguments: Sequence[str]) -> typer.Typer:
    """Put the command together.

    Args:
        arguments: What it will be run with: the command that is named first is the only one to be put in; where there
            is none of its name, all are, as help needs them.
    """
    app = typer.Typer(
        name="striate",
        help=HELP,
        no_args_is_help=True,
        rich_markup_mode="markdown",
        pretty_exceptions_show_locals=False,
        context_settings={"help_option_names": ["-h", "--help"]},
    )
    app.callback()(_options)
    for command in _commands(arguments[0] if arguments else ""):
        _add(app, command)
    return app


def run(app: typer.Typer) -> None:
    """Run the command; an error of ours is one line, without a trace."""
    try:
        app()
    except StriateError as error:
        from rich.console import Console  # noqa: PLC0415  (15 ms that a start need not take)
        from rich.markup import escape  # noqa: PLC0415

        # Escaped: what stands in brackets in a message is no markup.
        message = f"[bold red]error:[/] {escape(str(error))}"
        Console(stderr=True, highlight=False).print(message, markup=True, soft_wrap=True)
        sys.exit(1)


def _commands(named: str) -> list[EntryPoint]:
    """Those of a name, or all."""
    found = [command for command in OWN if command.name == named]
    if not found:
        known = [*OWN, *entry_points(group=GROUP)]
        found = [command for command in known if command.name == named] or known
    return found


def _add(app: typer.Typer, command: EntryPoint) -> None:
    package = command.module.partition(".")[0]
    if find_spec(package) is None:
        _add_missing(app, command, package)
    elif isinstance(loaded := command.load(), typer.Typer):
        app.add_typer(loaded, name=command.name)
    else:
        app.command(command.name)(loaded)


def _add_missing(app: typer.Typer, command: EntryPoint, package: str) -> None:
    """A command that tells how to get it: an image of the service leaves out what trains networks."""

    def missing() -> None:
        raise MissingCommandError(
            f"`striate {command.name}` is not installed here, as there is no package {package!r}; `make setup` in a"
            " clone of the project installs it, with all that it needs"
        )

    any_arguments = {"ignore_unknown_options": True, "allow_extra_args": True, "help_option_names": []}
    app.command(command.name, help="Not installed here.", context_settings=any_arguments)(missing)


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

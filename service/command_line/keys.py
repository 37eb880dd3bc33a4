"""`striate keys`: keys of callers."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service.command_line.flags import with_settings
from service.errors import SettingsError
from service.keys import Role, make_key, parse_file
from service.settings import Settings

keys = typer.Typer(help="Make and list the keys of callers.", no_args_is_help=True)


@keys.command("new")
def new_key(
    name: Annotated[str, typer.Argument(help="Of the caller; logs have it.")],
    *,
    role: Annotated[
        Role, typer.Option(help="caller: all but what the others are for; metrics: /metrics; admin: anything.")
    ] = "caller",
) -> None:
    """Make a key: for the caller the key itself, on stderr; for the file of keys its hash, on stdout.

    The key is shown this once. What the service keeps does not tell it.

        striate keys new web >> striate.keys
    """
    sent, key = make_key(name, role)
    typer.echo(f"the key of {name}, shown this once: {sent}", err=True)
    typer.echo(key.line())


@keys.command("list")
@with_settings("keys_file")
def list_keys(*, settings: Settings) -> None:
    """List the names and roles in a file of keys, which is checked as the service does it.

    striate keys list --keys-file striate.keys
    """
    if settings.keys_file is None:
        raise SettingsError("there is no file of keys: give --keys-file FILE")
    table = Table("name", "role", "SHA-256", box=None)
    for key in parse_file(settings.keys_file):
        table.add_row(key.name, key.role, f"{key.digest.hex()[:12]}…")
    Console(highlight=False).print(table)

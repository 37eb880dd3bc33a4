"""`striate settings`: every setting on one page, which is `docs/settings.md`."""

from collections.abc import Iterable, Mapping
from itertools import accumulate, groupby
from pathlib import Path
from typing import Any, Final, Literal, get_args, get_origin

import typer
from pydantic.fields import FieldInfo

from service.settings import Settings, default_of, flag, variable

# Under each heading come the settings from the one named here to the next one named, in the order of the class.
_HEADINGS: Final[Mapping[str, str]] = {
    "config": "The file",
    "models": "Models",
    "host": "Address",
    "device": "Devices and cores",
    "max_body_bytes": "Images, requests and answers",
    "max_queue": "Waiting",
    "keys_file": "Access",
    "shutdown_seconds": "Operation",
}
_KINDS: Final[Mapping[Any, str]] = {
    int: "a whole number",
    float: "a number",
    bool: "`true` or `false`",
    Path: "a path",
    Path | None: "a path",
    tuple[str, ...]: "a list",
}
_BOUNDS: Final[Mapping[str, str]] = {"ge": "from", "gt": "above", "le": "to", "lt": "below"}
_INTRODUCTION: Final = """\
# Settings

<!-- Made by `make settings`, from service/settings.py. -->

Each setting is a flag of `striate serve`, an environment variable, and a key of a TOML file: `--max-queue 64`,
`STRIATE_MAX_QUEUE=64`, and `max_queue = 64` in the file that `--config` (or `STRIATE_CONFIG`) names. The first of these
that has it wins; where none has it, the default counts. Paths are relative to where the command is given. A list is an
array in the file, and has commas between its values in a flag or variable (`a,b`). Whatever is unknown or out of range
is refused at the start, all of it in one message:

    $ striate serve --config striate.toml
    error: striate.toml: prot is no setting; did you mean port?

Other commands take those of the settings that concern them; their `--help` lists which. [Access](access.md) tells of
keys, rates, HTTPS and pages of other origins.
"""


def settings() -> None:
    """Print the page of all settings, in Markdown: names, defaults, units and what they mean.

    striate settings > docs/settings.md
    """
    typer.echo(page(), nl=False)


def page() -> str:
    """The page, in Markdown."""
    return "\n".join([_INTRODUCTION, *_sections()])


def _sections() -> Iterable[str]:
    fields = Settings.model_fields
    headings = accumulate(fields, lambda heading, name: _HEADINGS.get(name, heading), initial="")
    for heading, group in groupby(zip(list(headings)[1:], fields, strict=True), key=lambda row: row[0]):
        rows = "\n".join(_row(name, fields[name]) for _, name in group)
        yield f"## {heading}\n\n| setting | accepted | default | meaning |\n| --- | --- | --- | --- |\n{rows}\n"


def _row(name: str, field: FieldInfo) -> str:
    names = f"`{name}`<br>`{flag(name)}`<br>`{variable(name)}`"
    return f"| {names} | {_accepted(field)} | {default_of(field)} | {field.description} |"


def _accepted(field: FieldInfo) -> str:
    if get_origin(field.annotation) is Literal:
        return ", ".join(f"`{choice}`" for choice in get_args(field.annotation))
    return " ".join([_KINDS.get(field.annotation, "text"), *_bounds(field)])


def _bounds(field: FieldInfo) -> Iterable[str]:
    for bound in field.metadata:
        for limit, word in _BOUNDS.items():
            if (value := getattr(bound, limit, None)) is not None:
                yield f"{word} {value:,}"

"""Settings as flags: a command says which settings it takes, and gets them read and checked."""

import functools
import inspect
from collections.abc import Callable
from typing import Annotated, Any, Optional, get_origin

import typer
from pydantic.fields import FieldInfo

from service.settings import Settings, default_of, flag, read_settings, variable


def with_settings(*names: str) -> Callable[[Callable[..., None]], Callable[..., None]]:
    """Give a command a flag for each of some settings, and call it with `settings=`.

    The flag, its help, its type and its default all come from `Settings`, so that they are written once.

    Args:
        names: Settings; none means all.  The file that they may come from is always among them.
    """
    wanted = {"config", *names} if names else Settings.model_fields.keys()
    chosen = {name: field for name, field in Settings.model_fields.items() if name in wanted}

    def decorate(command: Callable[..., None]) -> Callable[..., None]:
        @functools.wraps(command)
        def run(**arguments: Any) -> None:  # noqa: ANN401  (what the command line gives)
            flags = {name: arguments.pop(name) for name in chosen}
            command(settings=read_settings(**flags), **arguments)

        own = inspect.signature(command)
        kept = [p for p in own.parameters.values() if p.name != "settings"]
        parameters = [*kept, *(_flag(name, field) for name, field in chosen.items())]
        run.__signature__ = own.replace(parameters=parameters)  # type: ignore[attr-defined]  # functions may have one
        run.__annotations__ = {p.name: p.annotation for p in parameters} | {"return": None}
        return run

    return decorate


def _flag(name: str, field: FieldInfo) -> inspect.Parameter:
    off = f"/--no-{flag(name)[2:]}" if field.default is True else ""
    option = typer.Option(
        flag(name) + off,
        help=f"{field.description} [default: {default_of(field)}; environment: {variable(name)}]",
        show_default=False,
    )
    kind: Any = str if get_origin(field.annotation) is tuple else field.annotation  # a list is given with commas
    annotation = Annotated[Optional[kind], option]  # noqa: UP045  (a value)
    return inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=None, annotation=annotation)

"""`striate models import`: an ONNX file from elsewhere becomes a model of the repository."""

import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from rich.console import Console
from rich.table import Table

from service import graph, metadata, notation, proposal, repository
from service.command_line.files import read_photo
from service.command_line.flags import with_settings
from service.compute import Compute
from service.errors import ParameterError
from service.model import Model
from service.proposal import Proposal
from service.runtime import open_device
from service.sessions import SessionCache
from service.settings import Settings

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")
# How a value is given on the command line, where the name differs.
_FLAGS: Final[Mapping[str, str]] = {"values": "output-values"}
_SHOWN: Final = (
    "input",
    "layout",
    "height",
    "width",
    "color",
    "crop_fraction",
    "interpolation",
    "rescale_factor",
    "mean",
    "std",
    "output",
    "values",
    "classes",
    "labels",
)

Values = Literal["logits", "probabilities", "sigmoid_logits", "sigmoid", "none"]


@with_settings("models")
def import_model(  # noqa: PLR0913  (each is a flag)
    file: Annotated[Path, typer.Argument(help="An ONNX file, with its weights inside.")],
    *,
    name: Annotated[str | None, typer.Option(help="Of the model.", show_default="the name of the file")] = None,
    version: Annotated[int | None, typer.Option(min=1, help="Its number.", show_default="the next free one")] = None,
    input_: Annotated[str | None, typer.Option("--input", help="The image input, where there are several.")] = None,
    layout: Annotated[Literal["nchw", "nhwc"] | None, typer.Option(help="The order of the axes of the input.")] = None,
    size: Annotated[int | None, typer.Option(min=1, help="Height and width of the input, in pixels.")] = None,
    height: Annotated[int | None, typer.Option(min=1, help="Of the input, in pixels.")] = None,
    width: Annotated[int | None, typer.Option(min=1, help="Of the input, in pixels.")] = None,
    color: Annotated[Literal["rgb", "grey"] | None, typer.Option(help="Three channels, or one.")] = None,
    crop_fraction: Annotated[float | None, typer.Option(help="Part of the largest box that fits; 1 takes all.")] = None,
    interpolation: Annotated[
        Literal["nearest", "bilinear", "bicubic", "lanczos"] | None, typer.Option(help="How pictures are resized.")
    ] = None,
    rescale_factor: Annotated[str | None, typer.Option(help="What pixels are multiplied with first, as 1/255.")] = None,
    mean: Annotated[str | None, typer.Option(help="One for each channel, as 0.485,0.456,0.406.")] = None,
    std: Annotated[str | None, typer.Option(help="One for each channel, as 0.229,0.224,0.225.")] = None,
    output: Annotated[str | None, typer.Option(help="The output of the classes, where there are several.")] = None,
    output_values: Annotated[
        Values | None, typer.Option(help="What the output holds; none where there are no classes.")
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="The classes: a line for each, or JSON.")] = None,
    license_: Annotated[str | None, typer.Option("--license", help="SPDX identifier of the weights' licence.")] = None,
    summary: Annotated[str | None, typer.Option(help="One sentence for people.")] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Show what would be written, and write nothing.")] = False,
    settings: Settings,
) -> None:
    """Put an ONNX file into the repository, with metadata that let it take images.

    What the file tells is proposed and shown; what it does not tell must be given, and all of it is named at once.

    striate models import net.onnx --crop-fraction 0.875 --interpolation bilinear --rescale-factor 1/255
    --mean 0.485,0.456,0.406 --std 0.229,0.224,0.225 --output-values logits --labels classes.txt
    """
    data = read_photo(file)
    model_name = _name(name or file.stem)
    number = version or repository.next_version(settings.models, model_name)
    given = {
        "file": file.name,
        "summary": summary or f"Imported from {file.name}.",
        "input": input_,
        "layout": layout,
        "height": height or size,
        "width": width or size,
        "color": color,
        "crop_fraction": crop_fraction,
        "interpolation": interpolation,
        "rescale_factor": None if rescale_factor is None else notation.number("rescale-factor", rescale_factor),
        "mean": None if mean is None else notation.numbers("mean", mean),
        "std": None if std is None else notation.numbers("std", std),
        "output": output,
        "values": output_values,
        "labels": None if labels is None else notation.class_names(labels),
        "license": license_,
    }
    found = proposal.propose(graph.parse(data, name=file.name), given)
    _show(found)
    if found.missing:
        flags = "; ".join(f"--{_flag(key)} ({why})" for key, why in found.missing.items())
        raise ParameterError(f"{file.name} does not tell everything; give: {flags}")
    facts = proposal.complete(found, data, name=model_name, version=number)
    if dry_run:
        typer.echo("nothing was written: --dry-run")
        return
    files = {repository.MODEL_FILE: data, metadata.FILE_NAME: facts.to_json().encode()}
    check = partial(Model, compute=Compute(open_device("cpu"), cores=1), cache=SessionCache(max_bytes=0))
    folder = repository.add(settings.models, model_name, number, files, check=check)
    typer.echo(f"written to {folder}")


def _name(text: str) -> str:
    if not _NAME.fullmatch(text):
        raise ParameterError(f"the name is {text!r}; give --name with letters, digits, and . _ - between them")
    return text


def _flag(name: str) -> str:
    return _FLAGS.get(name, name).replace("_", "-")


def _show(found: Proposal) -> None:
    """Every value, and who said so."""
    table = Table("value", "", "from", box=None)
    for name in _SHOWN:
        if name in found.missing:
            table.add_row(name, "?", f"must be given: --{_flag(name)}")
        elif name in found.given:
            table.add_row(name, _short(found.given[name]), "given")
        elif name in found.read:
            table.add_row(name, str(found.read[name]), "read from the file")
    console = Console(highlight=False, markup=False)
    (console if console.is_terminal else Console(highlight=False, markup=False, width=240)).print(table)


def _short(value: Any) -> str:  # noqa: ANN401  (whatever was given)
    if isinstance(value, tuple):
        texts = [str(each) for each in value]
        return ", ".join(texts if len(texts) <= 4 else (*texts[:2], "…", texts[-1]))
    return str(value)

"""`striate models`: what is in the model repository."""

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from service import listing
from service.command_line.flags import with_settings
from service.command_line.import_model import import_model
from service.engine import open_engine
from service.metadata import Metadata
from service.model import Model
from service.registry import Entry
from service.settings import Settings

_WIDE = 240  # characters

models = typer.Typer(help="Look at the model repository, and add to it.", no_args_is_help=True)
models.command("import")(import_model)


@models.command("list")
@with_settings("models", "device", "threads")
def list_models(*, settings: Settings) -> None:
    """List every version of every model, also those that do not load, with the reason.

    striate models list --models models
    """
    engine = open_engine(settings)
    engine.registry.load_all()
    table = Table("model", "version", "state", "input", "classes", "layers", "what it is", box=None)
    table.columns[0].no_wrap = True
    for entry in engine.registry.entries:
        table.add_row(entry.folder.name, str(entry.folder.version), entry.state, *_row(entry))
    console = _console()
    console.print(table)
    if not engine.registry.entries:
        console.print(f"there are no models in {settings.models}")


@models.command("show")
@with_settings("models", "device", "threads")
def show_model(
    name: Annotated[str, typer.Argument(help="A model, as `lenet5`.")],
    *,
    version: Annotated[str | None, typer.Option(help="One version; else the highest that loads.")] = None,
    settings: Settings,
) -> None:
    """Show one model: where it came from, its figures, and its layers.

    striate models show lenet5
    """
    model = open_engine(settings).registry.load(name, version)
    console = _console()
    console.print(f"[bold]{model.name}[/] version {model.version} on {model.device.used}")
    if model.metadata is None:
        console.print("It has no metadata.json: it is served as tensors.")
    else:
        console.print(_facts(model.metadata))
    console.print(_layers(model))


@models.command("layers")
@with_settings("models", "device", "threads")
def list_layers(
    name: Annotated[str, typer.Argument(help="A model, as `lenet5`.")],
    *,
    version: Annotated[str | None, typer.Option(help="One version; else the highest that loads.")] = None,
    settings: Settings,
) -> None:
    """Show what each layer of a model is, sees and costs.

    A receptive field is in pixels, for a unit in the middle of a map. Multiply-adds are for one image; the share is
    what has to be computed to get the layer, of those of the whole model.

    striate models layers lenet5
    """
    typer.echo(listing.text(open_engine(settings).registry.load(name, version).layers), nl=False)


def _console() -> Console:
    """As wide as the terminal; wide enough for any row where the output goes to a file or another program."""
    console = Console(highlight=False)
    return console if console.is_terminal else Console(highlight=False, width=_WIDE)


def _row(entry: Entry) -> tuple[str, str, str, str]:
    if entry.model is None:
        return "", "", "", entry.reason or ""
    metadata = entry.model.metadata
    layers = str(len(entry.model.layers))
    if metadata is None:
        return "tensors", "", layers, "an ONNX file without metadata.json"
    size = f"{metadata.input.width}x{metadata.input.height} {metadata.input.color}"
    return size, str(len(metadata.output.labels or ())), layers, metadata.summary


def _facts(metadata: Metadata) -> Table:
    source = metadata.source
    table = Table(box=None, show_header=False)
    table.add_row("summary", metadata.summary)
    table.add_row("architecture", f"{source.architecture}, {source.parameters:,} parameters")
    table.add_row("paper", source.paper)
    table.add_row("weights", f"{source.weights} ({source.license})")
    table.add_row("made by", source.command)
    for kind, figures in (("measured", metadata.measured), ("reported", metadata.reported)):
        for figure in figures:
            where = f"{figure.dataset} {figure.split}, {figure.images:,} images"
            table.add_row(kind, f"{figure.metric} {figure.value:.4f} on {where} ({figure.source})")
    return table


def _layers(model: Model) -> Table:
    table = Table("index", "layer", "operator", "shape", "parameters", "aliases", box=None)
    table.columns[1].overflow = table.columns[-1].overflow = "fold"
    for layer in model.layers:
        shape = listing.shape(layer.shape)
        cells = (str(layer.index), layer.path, layer.operator, shape, f"{layer.parameters:,}", ", ".join(layer.aliases))
        table.add_row(*cells)
    return table

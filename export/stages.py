"""All stages in a row, for the commands: get a network, convert, verify, publish; and verify what was published."""

import math
import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field, replace
from importlib import metadata as packages
from pathlib import Path
from typing import Final

import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from export import (
    agreement,
    card,
    checkpoints,
    conversion,
    curve,
    data,
    history,
    libraries,
    modules,
    publishing,
    training,
    untrained,
    verification,
    weights,
)
from export.adaptation import adapt
from export.architectures import ARCHITECTURES, Architecture, parameters
from export.checkpoints import Checkpoints
from export.conversion import Converted
from export.disk import require_space
from export.errors import ArtifactError, RecipeError
from export.history import Epoch
from export.images import Splits
from export.labels import LABELS
from export.measurement import confusion, predictions, squared_error
from export.publishing import Candidate, Published
from export.recipes import DATASETS, OWN_IMAGES, PRETRAINED, Fixed, OwnModule, Pretrained, Recipe, Untrained, find
from export.training import Hardware, Surroundings
from export.verification import Parity
from service.metadata import ClassOutput, Figure, ImageInput, Metadata, Source

Step = Callable[[str], AbstractContextManager[object]]
"""Tells the user what is being done for as long as it is."""

_TOOLS: Final = ("striate", "torch", "torchvision", "lightning", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu")
_NOT_IN_THE_FILE: Final = "num_batches_tracked"
_SHOWN_CLASSES: Final = 10
_SQUARED_ERROR: Final = "mean squared error, pixels from 0 to 1"
_SIGNAL_TO_NOISE: Final = "peak signal-to-noise ratio, dB"
_UNTRAINED_LIMITS: Final = (
    "It was never trained: what it answers means nothing, and classes have no names.",
    "It is as fast and as large as a trained one, and its layers are the same: that is what it is for.",
)


@dataclass(frozen=True)
class Destination:
    """Where a version goes.

    Args:
        models: The folder of all models.
        version: The number; None for the next free one.
        replace: Take the place of a version that is there already.
    """

    models: Path
    version: int | None = None
    replace: bool = False

    def check(self, name: str) -> None:
        """Refuse before long work what would be refused after it.

        Raises:
            PublishError: The name is none that a model can have.
            VersionExistsError: The version is there already, and is not to be replaced.
        """
        publishing.check_name(name)
        if self.version is not None and not self.replace:
            publishing.refuse_existing(self.models / name / str(self.version))


@dataclass(frozen=True)
class Training:
    """What a user decides about a training beside its recipe.

    Args:
        data: The folder of the data set; None to download it.
        skip_unreadable: Leave out files of a folder of images that are no images.
        checkpoints: Where to keep what is needed to go on after a kill; None for a folder in the user's cache, which is
            gone when the model is published.
        restart: Begin again, whatever is kept there.
        hardware: What to train on.
        logs: Where to write the history, as CSV and for TensorBoard; None for nowhere.
    """

    data: Path | None = None
    skip_unreadable: bool = False
    checkpoints: Path | None = None
    restart: bool = False
    hardware: Hardware = field(default_factory=Hardware)
    logs: Path | None = None


def train(recipe: Recipe, destination: Destination, how: Training, *, command: str, step: Step) -> Path:
    """Train a network, measure it on the test images through the graph that is served, and publish it.

    Args:
        recipe: What to train and how.
        destination: Where it goes.
        how: Everything else.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.
    """
    destination.check(recipe.name)
    _require_space(recipe, destination)
    with step("Reading the data set"):
        splits = data.load(how.data, recipe, skip_unreadable=how.skip_unreadable)
    if recipe.dataset == OWN_IMAGES:
        recipe = _fitted_to(splits, recipe)
    run = checkpoints.identity(recipe, splits.digest(), devices=how.hardware.devices * how.hardware.nodes)
    kept = Checkpoints(how.checkpoints or checkpoints.usual_folder(run), run, how.restart)
    trained = training.fit(recipe, splits, Surroundings(kept, how.hardware, how.logs))
    architecture = ARCHITECTURES[recipe.architecture]
    classes = splits.classes if recipe.task == "classification" else None
    output = architecture.output.model_copy(update={"labels": classes})
    converted, parity = _convert(trained.network, architecture, recipe.input, output, step)
    with step(f"Measuring on {len(splits.test):,} test images"):
        figures, counted = _measured(converted.model, recipe, splits, output, command)
    candidate = Candidate(
        name=recipe.name,
        summary=recipe.summary,
        converted=converted,
        input=recipe.input,
        output=output,
        source=_source(
            recipe,
            trained.network,
            dataset=splits.about,
            weights=_weights_of(recipe),
            license_=recipe.license,
            command=command,
        ),
        reported=(),
        measured=figures,
        limits=recipe.limits,
        parity=parity,
        extras={**_training_files(trained.history), **counted},
    )
    folder = _publish(candidate, destination, step)
    if how.checkpoints is None:
        kept.remove()
    return folder


def _require_space(recipe: Recipe, destination: Destination) -> None:
    """Raises `SpaceError` where the model would not fit onto its disk: nobody waits for hours to be told."""
    architecture = find(ARCHITECTURES, recipe.architecture, kind="architecture")
    with torch.device("meta"):
        weights = sum(value.nbytes for value in architecture.build().state_dict().values())
    require_space(destination.models, weights, what="the weights of the model")


def _fitted_to(splits: Splits, recipe: Recipe) -> Recipe:
    """A recipe for images of one's own, when they are known.  Weights from elsewhere have their own mean already."""
    names = ", ".join(splits.classes[:_SHOWN_CLASSES]) + (", …" if len(splits.classes) > _SHOWN_CLASSES else "")
    named = replace(recipe, summary=f"{recipe.architecture}, trained on images of one's own: {names}.")
    return named if recipe.weights == "pretrained" else data.with_measured_range(named, splits)


def _weights_of(recipe: Recipe) -> str:
    if recipe.weights == "random":
        return "trained by the command above"
    source = next(each for each in PRETRAINED.values() if each.architecture == recipe.architecture)
    return f"trained by the command above, from {source.weights}"


def pretrained(source: Pretrained, destination: Destination, *, command: str, step: Step) -> Path:
    """Publish weights that were trained elsewhere.

    Args:
        source: Whose weights, and for what input.
        destination: Where they go.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.
    """
    destination.check(source.name)
    with step("Loading the weights"):
        network = _with_given_weights(source.architecture)
    output = _output(source.dataset)
    converted, parity = _convert(network, ARCHITECTURES[source.architecture], source.input, output, step)
    candidate = Candidate(
        name=source.name,
        summary=source.summary,
        converted=converted,
        input=source.input,
        output=output,
        source=_source(
            source,
            network,
            dataset=DATASETS[source.dataset],
            weights=source.weights,
            license_=source.license,
            command=command,
        ),
        reported=source.reported,
        measured=(),
        limits=source.limits,
        parity=parity,
        extras=_licence_files(source),
    )
    return _publish(candidate, destination, step)


def from_library(
    source: str, destination: Destination, *, name: str | None, checkpoint: Path | None, command: str, step: Step
) -> Path:
    """Publish a network of torchvision or timm with trained weights.

    Args:
        source: As `torchvision/resnet50`.
        destination: Where it goes.
        name: Of the model; None for one that is made of the source.
        checkpoint: A file with weights; None to download those of the library.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.
    """
    destination.check(name or libraries.model_name(source))
    architecture = libraries.find_architecture(source)
    with step("Loading the weights"):
        taken = libraries.trained(source, checkpoint=checkpoint)
    output = architecture.output.model_copy(update={"labels": taken.labels})
    converted, parity = _convert(taken.network, architecture, taken.input, output, step)
    candidate = Candidate(
        name=name or libraries.model_name(source),
        summary=f"{source} with trained weights.",
        converted=converted,
        input=taken.input,
        output=output,
        source=Source(
            architecture=source,
            parameters=parameters(taken.network),
            paper=architecture.paper,
            weights=taken.weights,
            license=taken.license,
            dataset=taken.dataset,
            command=command,
            recipe=None,
            tools=tools(),
        ),
        reported=taken.reported,
        measured=(),
        limits=taken.limits,
        parity=parity,
        extras={},
    )
    return _publish(candidate, destination, step)


def random(made_from: Untrained, destination: Destination, *, name: str, seed: int, command: str, step: Step) -> Path:
    """Publish a network with random weights.

    Args:
        made_from: Which network, and for what input.
        destination: Where it goes.
        name: Of the model.
        seed: Of the weights.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.
    """
    destination.check(name)
    architecture = libraries.find_architecture(made_from.architecture)
    with step("Drawing the weights"):
        network = untrained.build(architecture.build, made_from.input, seed=seed)
    converted, parity = _convert(network, architecture, made_from.input, architecture.output, step)
    candidate = Candidate(
        name=name,
        summary=f"{made_from.title} with random weights: its answers mean nothing.",
        converted=converted,
        input=made_from.input,
        output=architecture.output,
        source=Source(
            architecture=made_from.architecture,
            parameters=parameters(network),
            paper=architecture.paper,
            weights=f"random numbers, drawn with seed {seed}",
            license="CC0-1.0",
            dataset="nothing",
            command=command,
            recipe={"seed": seed},
            tools=tools(),
        ),
        reported=(),
        measured=(),
        limits=_UNTRAINED_LIMITS,
        parity=parity,
        extras={},
    )
    return _publish(candidate, destination, step)


def fixed(made_from: Fixed, destination: Destination, *, command: str, step: Step) -> Path:
    """Publish a network whose weights are written down.

    Args:
        made_from: Which network, and for what input.
        destination: Where it goes.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.
    """
    destination.check(made_from.name)
    architecture = ARCHITECTURES[made_from.architecture]
    network = _with_given_weights(made_from.architecture)
    converted, parity = _convert(network, architecture, made_from.input, architecture.output, step)
    candidate = Candidate(
        name=made_from.name,
        summary=made_from.summary,
        converted=converted,
        input=made_from.input,
        output=architecture.output,
        source=Source(
            architecture=made_from.architecture,
            parameters=parameters(network),
            paper=architecture.paper,
            weights="written down in the program",
            license="Apache-2.0",
            dataset="nothing",
            command=command,
            recipe=None,
            tools=tools(),
        ),
        reported=(),
        measured=(),
        limits=made_from.limits,
        parity=parity,
        extras={},
    )
    return _publish(candidate, destination, step)


def module(made_from: OwnModule, destination: Destination, *, command: str, step: Step) -> Path:
    """Publish a PyTorch module of one's own.

    Args:
        made_from: Which module, with what weights, for what input.
        destination: Where it goes.
        command: What the user typed, for the card.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.

    Raises:
        CheckpointError: The checkpoint is of another network.
        RecipeError: The module cannot be built, or does not fit the input or the labels.
    """
    destination.check(made_from.name)
    with step("Building the network"):
        network = modules.build(made_from.path)
        weights.load(network, made_from.checkpoint)
        network.eval()
        output = modules.output_of(network, made_from)
    architecture = Architecture(lambda: network, paper="of one's own", output=output)
    converted, parity = _convert(network, architecture, made_from.input, output, step)
    candidate = Candidate(
        name=made_from.name,
        summary=made_from.summary,
        converted=converted,
        input=made_from.input,
        output=output,
        source=Source(
            architecture=made_from.path,
            parameters=parameters(network),
            paper=architecture.paper,
            weights=made_from.checkpoint.name,
            license=made_from.license,
            dataset="not said",
            command=command,
            recipe=None,
            tools=tools(),
        ),
        reported=(),
        measured=(),
        limits=("It is taken as it is: how well it answers was not measured here.",),
        parity=parity,
        extras={},
    )
    return _publish(candidate, destination, step)


def verify(folder: Path, *, step: Step) -> tuple[Parity, ...]:
    """Check a published version: its files against each other, and the model against PyTorch.

    Args:
        folder: Of the version.
        step: Tells the user of each stage.

    Returns:
        The parity of each layer, in order of execution.

    Raises:
        ArtifactError: Its files contradict each other, or the network that they name.
        VerificationError: The model differs from PyTorch.
    """
    with step("Checking the files"):
        published = publishing.read(folder)
    facts = published.metadata
    if facts.copy_of is not None:
        with step(f"Comparing {len(facts.layers)} layers with {facts.copy_of.name}"):
            return agreement.verify(published)
    with step("Rebuilding the network in PyTorch"):
        network = network_of(published)
    with step(f"Comparing {len(facts.layers)} layers with PyTorch"):
        converted = Converted(published.model, facts.layers)
        name = facts.source.architecture
        any_size = not modules.is_path(name) and libraries.find_architecture(name).any_size
        return verification.verify(network, converted, facts.input, facts.output, any_size=any_size)


def prove(made_from: Untrained | Fixed, *, step: Step) -> tuple[int, tuple[Parity, ...]]:
    """Convert an architecture and compare it with PyTorch; nothing is published.

    Its weights are random, or those that are written down.

    Args:
        made_from: Which network, and for what input.
        step: Tells the user of each stage.

    Returns:
        How many parameters it has, and the parity of each layer, in order of execution.

    Raises:
        ConversionError: It does not become a model.
        VerificationError: The model differs from PyTorch.
    """
    architecture = libraries.find_architecture(made_from.architecture)
    with step("Drawing the weights"):
        if isinstance(made_from, Fixed):
            network = _with_given_weights(made_from.architecture)
        else:
            network = untrained.build(architecture.build, made_from.input, seed=0)
    few = verification.FEW_BATCHES
    _, parity = _convert(network, architecture, made_from.input, architecture.output, step, batches=few)
    return parameters(network), parity


def network_of(published: Published) -> nn.Module:
    """The PyTorch network of a published model, in evaluation mode.

    Weights that were trained elsewhere or are written down are taken from there once more; others are read back from
    the ONNX file, where they have the names that they have in PyTorch.

    Raises:
        RecipeError: Its architecture is not known here.
        ArtifactError: The model is not of the architecture that it names.
    """
    source = published.metadata.source
    if modules.is_path(source.architecture):
        network = _with_weights_of(published.model, modules.build(source.architecture))
    elif source.recipe is None and not libraries.is_name(source.architecture):
        network = _with_given_weights(source.architecture)
    else:
        architecture = libraries.find_architecture(source.architecture)
        network = _with_weights_of(published.model, _fitting(architecture, published.metadata))
    if parameters(network) != source.parameters:
        raise ArtifactError(
            f"{published.folder}: metadata.json says {source.parameters:,} parameters; "
            f"{source.architecture} has {parameters(network):,}"
        )
    return network


def _fitting(architecture: Architecture, facts: Metadata) -> nn.Module:
    """With as many channels and classes as a published model has."""
    network = architecture.build()
    if facts.output.labels is None:
        return network
    return adapt(network, facts.input, classes=len(facts.output.labels))


def _with_weights_of(model: ModelProto, network: nn.Module) -> nn.Module:
    network.eval()
    found = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer}
    wanted = {name for name in network.state_dict() if not name.endswith(_NOT_IN_THE_FILE)}
    if missing := sorted(wanted - found.keys()):
        raise ArtifactError(f"model.onnx lacks weights of the network: {', '.join(missing)}")
    try:
        network.load_state_dict({name: found[name] for name in wanted}, strict=False, assign=True)
    except RuntimeError as error:
        raise ArtifactError(f"model.onnx has weights of other shapes than the network: {error}") from error
    return network


def _with_given_weights(name: str) -> nn.Module:
    load = find(ARCHITECTURES, name, kind="architecture").pretrained
    if load is None:
        raise RecipeError(f"there are no trained weights for {name!r}; train it with `striate export train`")
    return load().eval()


def _convert(
    network: nn.Module,
    architecture: Architecture,
    spec: ImageInput,
    output: ClassOutput,
    step: Step,
    *,
    batches: Sequence[int] = verification.BATCHES,
) -> tuple[Converted, tuple[Parity, ...]]:
    any_size = architecture.any_size
    with step("Converting to ONNX"):
        converted = conversion.convert(
            network, spec, output=output.name, any_size=any_size, windows_only=architecture.windows_only
        )
    with step(f"Comparing {len(converted.layers)} layers with PyTorch"):
        return converted, verification.verify(network, converted, spec, output, any_size=any_size, batches=batches)


def _publish(candidate: Candidate, destination: Destination, step: Step) -> Path:
    with step("Publishing"):
        return publishing.publish(
            candidate, destination.models, version=destination.version, replace=destination.replace
        )


def _output(dataset: str) -> ClassOutput:
    return ClassOutput(name=conversion.OUTPUT, values="logits", labels=LABELS[dataset]())


def _measured(
    model: ModelProto, recipe: Recipe, splits: Splits, output: ClassOutput, command: str
) -> tuple[tuple[Figure, ...], dict[str, bytes]]:
    """The figures of merit, and the file that says which class was taken for which, where there are classes."""
    pixels, labels, counted = splits.test.pixels.numpy(), splits.test.labels.numpy(), dict[str, bytes]()
    if recipe.task == "reconstruction":
        error = squared_error(model, recipe.input, output.name, pixels=pixels)
        values = {_SQUARED_ERROR: error, _SIGNAL_TO_NOISE: -10 * math.log10(error)}
    else:
        predicted = predictions(model, recipe.input, output.name, pixels)
        values = {"top-1 accuracy": float((predicted == labels).mean())}
        counts = confusion(labels, predicted, classes=len(splits.classes))
        counted[card.CONFUSION] = card.confusion_table(counts, splits.classes).encode()
    figures = tuple(
        Figure(
            metric=metric,
            value=value,
            dataset=splits.about.partition(" (")[0].partition(":")[0],
            split="test",
            images=len(labels),
            source=f"`{command}`",
        )
        for metric, value in values.items()
    )
    return figures, counted


def _source(
    made_from: Recipe | Pretrained, network: nn.Module, *, dataset: str, weights: str, license_: str, command: str
) -> Source:
    return Source(
        architecture=made_from.architecture,
        parameters=parameters(network),
        paper=ARCHITECTURES[made_from.architecture].paper,
        weights=weights,
        license=license_,
        dataset=dataset,
        command=command,
        recipe=made_from.hyper_parameters() if isinstance(made_from, Recipe) else None,
        tools=tools(),
    )


def tools() -> dict[str, str]:
    """The versions of what made a model."""
    installed = {name: version for name in _TOOLS if (version := _version(name))}
    return {"python": platform.python_version(), **installed}


def _version(package: str) -> str | None:
    try:
        return packages.version(package)
    except packages.PackageNotFoundError:
        return None


def _training_files(epochs: Sequence[Epoch]) -> Mapping[str, bytes]:
    return {card.HISTORY: history.write(epochs).encode(), card.CURVE: curve.draw(epochs)}


def _licence_files(source: Pretrained) -> Mapping[str, bytes]:
    """The licence text of the package and whose work it is.

    Raises:
        RecipeError: The package has no licence text, without which its work may not be passed on.
    """
    text = packages.distribution(source.license_package).read_text("LICENSE")
    if text is None:
        raise RecipeError(f"the package {source.license_package} comes without the file LICENSE")
    return {"LICENSE": text.encode(), card.NOTICE: source.notice.encode()}

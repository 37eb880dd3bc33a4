"""All stages in a row, for the commands: get a network, convert, verify, publish; and verify what was published."""

import platform
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from importlib import metadata as packages
from pathlib import Path
from typing import Final

import numpy as np
import torch
from onnx import ModelProto, numpy_helper
from torch import nn

from export import card, conversion, curve, data, publishing, training, untrained, verification
from export.architectures import ARCHITECTURES, Architecture, parameters
from export.conversion import Converted
from export.errors import ArtifactError, RecipeError
from export.labels import LABELS
from export.measurement import accuracy
from export.publishing import Candidate, Published
from export.recipes import DATASETS, Pretrained, Recipe, Untrained, find
from export.verification import Parity
from service.metadata import ClassOutput, Figure, ImageInput, Source

Step = Callable[[str], AbstractContextManager[object]]
"""Tells the user what is being done for as long as it is."""

_TOOLS: Final = ("striate", "torch", "torchvision", "lightning", "onnx", "onnxscript", "onnxruntime", "onnxruntime-gpu")
_NOT_IN_THE_FILE: Final = "num_batches_tracked"
_UNTRAINED_LIMITS: Final = (
    "It was never trained: the classes that it answers with mean nothing, and have no names.",
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


def train(
    recipe: Recipe,
    destination: Destination,
    *,
    command: str,
    folder: Path | None,
    checkpoints: Path | None,
    step: Step,
) -> Path:
    """Train a network, measure it on the test images through the graph that is served, and publish it.

    Args:
        recipe: What to train and how.
        destination: Where it goes.
        command: What the user typed, for the card.
        folder: Holds the data set; None to download it.
        checkpoints: Where to keep checkpoints; None to keep none.
        step: Tells the user of each stage.

    Returns:
        The folder of the new version.
    """
    destination.check(recipe.name)
    with step("Reading the data set"):
        splits = data.load(folder, recipe)
    trained = training.fit(recipe, splits, checkpoints=checkpoints)
    output = _output(recipe.dataset)
    converted, parity = _convert(trained.network, recipe.input, output, step)
    with step(f"Measuring the accuracy on {len(splits.test):,} test images"):
        figure = _measured(converted.model, recipe, splits.test, command)
    candidate = Candidate(
        name=recipe.name,
        summary=recipe.summary,
        converted=converted,
        input=recipe.input,
        output=output,
        source=_source(
            recipe, trained.network, weights="trained by the command above", license_="Apache-2.0", command=command
        ),
        reported=(),
        measured=(figure,),
        limits=recipe.limits,
        parity=parity,
        extras=_training_files(trained.history),
    )
    return _publish(candidate, destination, step)


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
        network = _trained_elsewhere(source.architecture)
    output = _output(source.dataset)
    converted, parity = _convert(network, source.input, output, step)
    candidate = Candidate(
        name=source.name,
        summary=source.summary,
        converted=converted,
        input=source.input,
        output=output,
        source=_source(source, network, weights=source.weights, license_=source.license, command=command),
        reported=source.reported,
        measured=(),
        limits=source.limits,
        parity=parity,
        extras=_licence_files(source),
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
    architecture = ARCHITECTURES[made_from.architecture]
    with step("Drawing the weights"):
        network = untrained.build(architecture.build, made_from.input, seed=seed)
    output = ClassOutput(name=conversion.OUTPUT, values="logits", labels=None)
    converted, parity = _convert(network, made_from.input, output, step)
    candidate = Candidate(
        name=name,
        summary=f"{made_from.title} with random weights: its answers mean nothing.",
        converted=converted,
        input=made_from.input,
        output=output,
        source=Source(
            architecture=made_from.architecture,
            parameters=parameters(network),
            paper=architecture.paper,
            weights=f"random numbers, drawn with seed {seed}",
            license="CC0-1.0",
            dataset="nothing",
            command=command,
            recipe={"seed": seed},
            tools=_tools(),
        ),
        reported=(),
        measured=(),
        limits=_UNTRAINED_LIMITS,
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
    with step("Rebuilding the network in PyTorch"):
        network = network_of(published)
    with step(f"Comparing {len(facts.layers)} layers with PyTorch"):
        converted = Converted(published.model, facts.layers)
        return verification.verify(network, converted, facts.input, facts.output)


def network_of(published: Published) -> nn.Module:
    """The PyTorch network of a published model, in evaluation mode.

    Weights that were trained elsewhere are taken from there once more; others are read back from the ONNX
    file, where they have the names that they have in PyTorch.

    Raises:
        RecipeError: Its architecture is not known here.
        ArtifactError: The model is not of the architecture that it names.
    """
    source = published.metadata.source
    architecture = find(ARCHITECTURES, source.architecture, kind="architecture")
    if source.recipe is None:
        network = _trained_elsewhere(source.architecture)
    else:
        network = _with_weights_of(published.model, architecture)
    if parameters(network) != source.parameters:
        raise ArtifactError(
            f"{published.folder}: metadata.json says {source.parameters:,} parameters; "
            f"{source.architecture} has {parameters(network):,}"
        )
    return network


def _with_weights_of(model: ModelProto, architecture: Architecture) -> nn.Module:
    network = architecture.build().eval()
    found = {tensor.name: torch.from_numpy(numpy_helper.to_array(tensor).copy()) for tensor in model.graph.initializer}
    wanted = {name for name in network.state_dict() if not name.endswith(_NOT_IN_THE_FILE)}
    if missing := sorted(wanted - found.keys()):
        raise ArtifactError(f"model.onnx lacks weights of the network: {', '.join(missing)}")
    try:
        network.load_state_dict({name: found[name] for name in wanted}, strict=False, assign=True)
    except RuntimeError as error:
        raise ArtifactError(f"model.onnx has weights of other shapes than the network: {error}") from error
    return network


def _trained_elsewhere(name: str) -> nn.Module:
    load = find(ARCHITECTURES, name, kind="architecture").pretrained
    if load is None:
        raise RecipeError(f"there are no trained weights for {name!r}; train it with `striate export train`")
    return load().eval()


def _convert(
    network: nn.Module, spec: ImageInput, output: ClassOutput, step: Step
) -> tuple[Converted, tuple[Parity, ...]]:
    with step("Converting to ONNX"):
        converted = conversion.convert(network, spec)
    with step(f"Comparing {len(converted.layers)} layers with PyTorch"):
        return converted, verification.verify(network, converted, spec, output)


def _publish(candidate: Candidate, destination: Destination, step: Step) -> Path:
    with step("Publishing"):
        return publishing.publish(
            candidate, destination.models, version=destination.version, replace=destination.replace
        )


def _output(dataset: str) -> ClassOutput:
    return ClassOutput(name=conversion.OUTPUT, values="logits", labels=LABELS[dataset]())


def _measured(model: ModelProto, recipe: Recipe, images: data.Images, command: str) -> Figure:
    pixels = images.pixels.unsqueeze(3).numpy()  # (N, height, width, 1)
    value = accuracy(model, recipe.input, conversion.OUTPUT, pixels=pixels, labels=np.asarray(images.labels))
    return Figure(
        metric="top-1 accuracy",
        value=value,
        dataset=DATASETS[recipe.dataset].partition(" (")[0],
        split="test",
        images=len(images),
        source=f"`{command}`",
    )


def _source(made_from: Recipe | Pretrained, network: nn.Module, *, weights: str, license_: str, command: str) -> Source:
    return Source(
        architecture=made_from.architecture,
        parameters=parameters(network),
        paper=ARCHITECTURES[made_from.architecture].paper,
        weights=weights,
        license=license_,
        dataset=DATASETS[made_from.dataset],
        command=command,
        recipe=made_from.hyper_parameters() if isinstance(made_from, Recipe) else None,
        tools=_tools(),
    )


def _tools() -> dict[str, str]:
    """The versions of what made a model."""
    installed = {name: version for name in _TOOLS if (version := _version(name))}
    return {"python": platform.python_version(), **installed}


def _version(package: str) -> str | None:
    try:
        return packages.version(package)
    except packages.PackageNotFoundError:
        return None


def _training_files(history: Sequence[training.Epoch]) -> Mapping[str, bytes]:
    return {card.HISTORY: training.write_history(history).encode(), card.CURVE: curve.draw(history)}


def _licence_files(source: Pretrained) -> Mapping[str, bytes]:
    """The licence text of the package and whose work it is.

    Raises:
        RecipeError: The package has no licence text, without which its work may not be passed on.
    """
    text = packages.distribution(source.license_package).read_text("LICENSE")
    if text is None:
        raise RecipeError(f"the package {source.license_package} comes without the file LICENSE")
    return {"LICENSE": text.encode(), card.NOTICE: source.notice.encode()}

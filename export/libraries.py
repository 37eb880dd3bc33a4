"""The classifiers of torchvision and timm by name, as `torchvision/convnext_tiny` or `timm/resnet18.a1_in1k`.

What an image must become, the classes, figures and licence are taken from what the library says of its own weights.
"""

import difflib
import functools
import importlib.util
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any, Final, Protocol

from torch import nn
from torchvision import models

from export import weights
from export.architectures import ARCHITECTURES, Architecture
from export.errors import RecipeError, ToolsError
from export.recipes import DATASETS, Untrained, find
from service.metadata import Figure, ImageInput

_NEAREST: Final = 5
_UNKNOWN_LICENCE: Final = "NOASSERTION"
# Heads that help while training; networks are built without them.
_AUXILIARY: Final = ("aux1.", "aux2.", "AuxLogits.")
_INCEPTIONS: Final = ("googlenet", "inception_v3")
_IMAGENET: Final = "ImageNet-1K"


@dataclass(frozen=True)
class Trained:
    """A network with trained weights, and what is said of them.

    Args:
        network: In evaluation mode.
        input: How an image becomes its input.
        labels: The names of its classes; None where they are not known.
        dataset: What the weights were trained on.
        weights: Where they come from, for people.
        url: Where they can be downloaded; empty where there is no one address.
        license: SPDX identifier; `NOASSERTION` where none is stated.
        reported: What the library says of them.
        limits: What a user should know before relying on them.
    """

    network: nn.Module
    input: ImageInput
    labels: tuple[str, ...] | None
    dataset: str
    weights: str
    url: str
    license: str
    reported: tuple[Figure, ...]
    limits: tuple[str, ...]


class Library(Protocol):
    """What the two libraries have in common."""

    def names(self) -> list[str]:
        """Of every network."""

    def architecture(self, key: str) -> Architecture:
        """A network with random weights."""

    def input(self, key: str) -> ImageInput:
        """How an image becomes its input, for the weights that the library takes for the usual ones."""

    def trained(self, key: str, *, download: bool) -> Trained:
        """The usual weights, or a network for others of the same data set."""


def is_name(architecture: str) -> bool:
    """Whether this names a network of a library, and no architecture of ours."""
    return "/" in architecture


def model_name(name: str) -> str:
    """What a network of a library is called when it is published, as `torchvision-resnet50`."""
    return name.replace("/", "-").replace("_", "-")


def find_architecture(name: str) -> Architecture:
    """Look up one of our architectures, or one of a library.

    Raises:
        RecipeError: There is none of this name; the nearest names are in the message.
        ToolsError: The library is not installed.
    """
    if not is_name(name):
        return find(ARCHITECTURES, name, kind="architecture")
    library, key = _resolved(name)
    return library.architecture(key)


def untrained(name: str) -> Untrained:
    """A network of a library that is published with random weights.

    Raises:
        RecipeError: There is none of this name.
        ToolsError: The library is not installed.
    """
    library, key = _resolved(name)
    return Untrained(name, name, library.input(key))


def trained(name: str, *, checkpoint: Path | None) -> Trained:
    """A network of a library with trained weights.

    Args:
        name: As `torchvision/resnet50`.
        checkpoint: A file with weights; None to download those that the library takes for the usual ones.

    Raises:
        RecipeError: There is none of this name, or its weights cannot be downloaded.
        ToolsError: The library is not installed.
        CheckpointError: The file cannot be read, or is of another network.
    """
    library, key = _resolved(name)
    try:
        found = library.trained(key, download=checkpoint is None)
    except (OSError, RuntimeError) as error:
        raise RecipeError(
            f"the weights of {name} cannot be downloaded: {error}; pass --checkpoint FILE to take them from a file"
        ) from error
    if checkpoint is not None:
        weights.load(found.network, checkpoint, left_out=_AUXILIARY)
        if not weights.is_published_as(checkpoint, found.url):
            return _of_unknown_origin(found, checkpoint)
    return found


def _of_unknown_origin(found: Trained, checkpoint: Path) -> Trained:
    """What can be said of weights that are not those that the library publishes: next to nothing."""
    return replace(
        found,
        labels=None,
        dataset="not known here",
        weights=f"the file {checkpoint.name}",
        license=_UNKNOWN_LICENCE,
        reported=(),
        limits=(
            (
                "Its weights came from a file that the library has not published: what they were trained on, the names "
                "of the classes and the licence are not known here."
            ),
            "Images are prepared as the library prepares them for its own weights of this network.",
            _NOT_MEASURED,
        ),
    )


def _resolved(name: str) -> tuple[Library, str]:
    prefix, _, key = name.partition("/")
    if prefix not in _LIBRARIES:
        raise RecipeError(f"{prefix!r} in {name!r} is no library; there are: {', '.join(_LIBRARIES)}")
    library = _LIBRARIES[prefix]
    names = library.names()
    if key not in names:
        nearest = difflib.get_close_matches(key, names, n=_NEAREST, cutoff=0.4)
        hint = ", ".join(f"{prefix}/{each}" for each in nearest) or f"one of {len(names)}, as {prefix}/{names[0]}"
        raise RecipeError(f"{prefix} has no classifier {key!r}; the nearest names: {hint}")
    return library, key


class _Torchvision:
    def names(self) -> list[str]:
        return list(models.list_models(module=models))

    def architecture(self, key: str) -> Architecture:
        paper = f"torchvision's {key}, https://docs.pytorch.org/vision/stable/models.html"
        return Architecture(lambda: _built(key), paper)

    def input(self, key: str) -> ImageInput:
        preset = models.get_model_weights(key).DEFAULT.transforms()
        (crop,), (resize,) = preset.crop_size, preset.resize_size
        return _input((3, crop, crop), min(1.0, crop / resize), preset.interpolation.value, preset.mean, preset.std)

    def trained(self, key: str, *, download: bool) -> Trained:
        chosen = models.get_model_weights(key).DEFAULT
        facts = chosen.meta
        network = _built(key, weights=chosen) if download else _built(key)
        return Trained(
            network=network.eval(),
            input=self.input(key),
            labels=tuple(facts["categories"]),
            dataset=DATASETS["imagenet-1k"],
            weights=f"{chosen} of torchvision",
            url=chosen.url,
            license=_UNKNOWN_LICENCE,
            reported=tuple(_figures(facts)),
            limits=(_licence_of_torchvision(facts), *_LIMITS),
        )


def _built(key: str, **options: Any) -> nn.Module:  # noqa: ANN401  (torchvision's own)
    if key in _INCEPTIONS:
        # With the rescaling inside that torchvision's weights want, with or without these weights.
        options |= {"aux_logits": False, "transform_input": True, "init_weights": "weights" not in options}
    network: nn.Module = models.get_model(key, **options)
    return network


def _figures(facts: Mapping[str, Any]) -> Iterable[Figure]:
    for metric, name in (("acc@1", "top-1 accuracy"), ("acc@5", "top-5 accuracy")):
        value = facts["_metrics"].get(_IMAGENET, {}).get(metric)
        if value is not None:
            yield Figure(
                metric=name,
                value=round(value / 100, 5),
                dataset="ImageNet",
                split="validation",
                images=50_000,
                source=facts["recipe"],
            )


def _licence_of_torchvision(facts: Mapping[str, Any]) -> str:
    if "license" in facts:
        return f"The licence of the weights: {facts['license']}"
    return (
        "torchvision states no licence for these weights; it says that they may have terms of their own, derived from"
        " the data set that they were trained on, and that to find out is up to whoever uses them."
    )


class _Timm:
    def names(self) -> list[str]:
        timm = _timm()
        return [*timm.list_models(), *timm.list_models(pretrained=True)]

    def architecture(self, key: str) -> Architecture:
        build = functools.partial(_timm().create_model, key, pretrained=False)
        return Architecture(build, f"timm's {key}, {_paper(self._facts(key))}")

    def input(self, key: str) -> ImageInput:
        facts = self._facts(key)
        return _input(facts["input_size"], facts["crop_pct"], facts["interpolation"], facts["mean"], facts["std"])

    def trained(self, key: str, *, download: bool) -> Trained:
        facts = self._facts(key)
        network = _timm().create_model(key, pretrained=download)
        labels = _timm_labels(network)
        return Trained(
            network=network.eval(),
            input=self.input(key),
            labels=labels,
            dataset=DATASETS["imagenet-1k"] if labels else f"as timm's tag says: {facts.get('tag') or 'not stated'}",
            weights=f"timm's {key}",
            url=_origin(facts),
            license=facts.get("license") or _UNKNOWN_LICENCE,
            reported=(),
            limits=tuple(_timm_limits(facts)),
        )

    def _facts(self, key: str) -> dict[str, Any]:
        """What timm says of the weights that a name stands for."""
        found = _timm().get_pretrained_cfg(key)
        return dict(found.to_dict()) if found is not None else {}


def _timm() -> Any:  # noqa: ANN401  (an optional module)
    if importlib.util.find_spec("timm") is None:
        raise ToolsError("networks of timm need timm: pip install 'striate[timm]'")
    import timm  # noqa: PLC0415  (it is optional)

    return timm


def _timm_labels(network: nn.Module) -> tuple[str, ...] | None:
    from timm.data.imagenet_info import ImageNetInfo, infer_imagenet_subset  # noqa: PLC0415  (it is optional)

    subset = infer_imagenet_subset(network)
    return tuple(ImageNetInfo(subset).label_descriptions()) if subset == "imagenet-1k" else None


def _timm_limits(facts: Mapping[str, Any]) -> Iterable[str]:
    if facts.get("license") in (None, "unknown"):
        yield "timm states no licence for these weights: to find out is up to whoever uses them."
    else:
        yield f"The licence, {facts['license']}, is what timm states for these weights."
    if facts.get("crop_mode", "center") != "center":
        yield f"timm prepares pictures by {facts['crop_mode']}; here the centre is cut out of them."
    yield from _LIMITS


def _paper(facts: Mapping[str, Any]) -> str:
    found = facts.get("paper_ids") or ()
    first = found if isinstance(found, str) else next(iter(found), "")
    number = first.removeprefix("arXiv:")
    return f"https://arxiv.org/abs/{number}" if number else "https://huggingface.co/timm"


def _origin(facts: Mapping[str, Any]) -> str:
    hub = facts.get("hf_hub_id")
    return str(facts.get("url") or (f"https://huggingface.co/{hub}" if hub else ""))


def _input(
    shape: Iterable[int], crop: float, interpolation: str, mean: Iterable[float], std: Iterable[float]
) -> ImageInput:
    channels, height, width = shape
    if channels not in (1, 3) or interpolation not in ("nearest", "bilinear", "bicubic", "lanczos"):
        raise RecipeError(f"it takes {channels} channels, {interpolation}: pictures cannot become that here")
    return ImageInput(
        name="images",
        height=height,
        width=width,
        color="rgb" if channels == 3 else "grey",
        crop_fraction=crop,
        interpolation=interpolation,  # type: ignore[arg-type]  # one of these, as was just seen
        rescale_factor=1 / 255,
        mean=tuple(mean),
        std=tuple(std),
    )


_NOT_MEASURED: Final = "Its accuracy was not measured here."
_LIMITS: Final = ("It always answers with one of its classes, also for a picture of something else.", _NOT_MEASURED)
_LIBRARIES: Final[Mapping[str, Library]] = {"torchvision": _Torchvision(), "timm": _Timm()}

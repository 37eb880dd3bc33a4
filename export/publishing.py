"""A version in `models/`: written whole or not at all, and never over another one unless that is asked for."""

import csv
import hashlib
import io
import re
import tempfile
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from onnx import ModelProto

from export import card, card_pictures
from export.conversion import Converted
from export.errors import ArtifactError, PublishError, VersionExistsError
from export.verification import Parity
from service import graph, metadata
from service.metadata import Artifact, ClassOutput, Copy, Figure, ImageInput, Metadata, Source

MODEL: Final = "model.onnx"

_NAME: Final = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]*")


@dataclass(frozen=True)
class Candidate:
    """A verified model that is about to be published.

    Args:
        name: Of the model.
        summary: One sentence for people.
        converted: The model and its layer table.
        input: How an image becomes its input.
        output: What its output means.
        source: Where it came from.
        reported: What the source of the weights says.
        measured: What was measured on this very model.
        limits: What a user should know before relying on it.
        parity: How well each layer agrees with PyTorch.
        extras: More files, by name: the training history and curve, the licence.
        copy_of: The original, where this is a copy in other numbers.
    """

    name: str
    summary: str
    converted: Converted
    input: ImageInput
    output: ClassOutput
    source: Source
    reported: tuple[Figure, ...]
    measured: tuple[Figure, ...]
    limits: tuple[str, ...]
    parity: tuple[Parity, ...]
    extras: Mapping[str, bytes]
    copy_of: Copy | None = None


@dataclass(frozen=True)
class Published:
    """A version as it is on disk, after its files were checked against each other."""

    folder: Path
    metadata: Metadata
    model: ModelProto


def publish(candidate: Candidate, models: Path, *, version: int | None = None, replace: bool = False) -> Path:
    """Write a version.

    Args:
        candidate: What to write.
        models: The folder of all models.
        version: Its number; None for one more than the highest that there is.
        replace: Take the place of a version that is there already.

    Returns:
        The folder of the version.

    Raises:
        VersionExistsError: The version is there, and `replace` is not set.
        PublishError: It cannot be written.
    """
    parent = models / candidate.name
    number = next_version(parent) if version is None else version
    try:
        parent.mkdir(parents=True, exist_ok=True)
        return _write(_files(candidate, number), parent / str(number), replace=replace)
    except OSError as error:
        raise PublishError(f"{parent / str(number)} cannot be written: {error.strerror or error}") from error


def renew(published: Published, facts: Metadata, extras: Mapping[str, bytes]) -> Path:
    """Write the card of a version again, its pictures, and what they are made of; model.onnx stays as it is.

    Args:
        published: What is there.
        facts: What its metadata.json is to say.
        extras: Files that are new, or take the place of others, by name.

    Raises:
        PublishError: It cannot be written.
    """
    folder = published.folder
    try:
        kept = {path.name: path.read_bytes() for path in folder.iterdir() if path.is_file()}
        kept.update(extras)
        made = _card(published.model, facts, kept)
        return _write({**kept, metadata.FILE_NAME: facts.to_json().encode(), **made}, folder, replace=True)
    except OSError as error:
        raise PublishError(f"{folder} cannot be written: {error.strerror or error}") from error


def check_name(name: str) -> None:
    """Stop where a name is none that a model can have: it becomes a folder, and a part of URLs.

    Raises:
        PublishError: It holds something else than letters, digits, dots, dashes and underscores.
    """
    if not _NAME.fullmatch(name):
        raise PublishError(
            f"a model cannot be called {name!r}; accepted are letters and digits, and behind the first '.', '-' and '_'"
        )


def refuse_existing(target: Path) -> None:
    """Stop where a version is there already.

    Raises:
        VersionExistsError: It is.
    """
    if target.exists():
        raise VersionExistsError(
            f"{target} is there already; leave out --version for the next free one, or pass --replace to overwrite it"
        )


def next_version(parent: Path) -> int:
    """One more than the highest version of a model; 1 where there is none.

    Args:
        parent: The folder of the model.
    """
    versions = (int(folder.name) for folder in parent.glob("*") if folder.name.isdecimal())
    return max(versions, default=0) + 1


def read(folder: Path) -> Published:
    """Read a version and check its files against each other.

    Raises:
        ModelFileError: A file is missing or damaged.
        ArtifactError: The files contradict each other; each contradiction is named.
    """
    facts = metadata.read(folder / metadata.FILE_NAME)
    try:
        data = (folder / MODEL).read_bytes()
    except OSError as error:
        raise ArtifactError(f"{folder / MODEL} cannot be read: {error.strerror}") from error
    wrong = _contradictions(folder, facts, data)
    if wrong:
        raise ArtifactError(f"{folder} contradicts itself: {'; '.join(wrong)}")
    return Published(folder, facts, graph.parse(data, name=MODEL))


def _contradictions(folder: Path, facts: Metadata, data: bytes) -> list[str]:
    claims = (
        ("name", facts.name, folder.resolve().parent.name),
        ("version", str(facts.version), folder.resolve().name),
        ("artifact.bytes", facts.artifact.bytes, len(data)),
        ("artifact.sha256", facts.artifact.sha256, hashlib.sha256(data).hexdigest()),
    )
    return [
        f"metadata.json says {key} {claimed}, but it is {found}" for key, claimed, found in claims if claimed != found
    ]


def _files(candidate: Candidate, version: int) -> dict[str, bytes]:
    """Every file of a version, by name."""
    data = candidate.converted.model.SerializeToString(deterministic=True)
    facts = _metadata(candidate, version, data)
    parity = _parity_table(candidate.parity)
    files = {
        MODEL: data,
        metadata.FILE_NAME: facts.to_json().encode(),
        card.PARITY: parity.encode(),
        **candidate.extras,
    }
    return files | _card(candidate.converted.model, facts, files)


def _card(model: ModelProto, facts: Metadata, files: Mapping[str, bytes]) -> dict[str, bytes]:
    """The card and its pictures, made of the other files."""
    history, counts = (files[name].decode() if name in files else None for name in (card.HISTORY, card.CONFUSION))
    confusion = card.read_confusion(counts) if counts else None
    pictures = card_pictures.draw(model, facts, confusion)
    sources = card.Sources(
        facts,
        card.rows(files[card.PARITY].decode()),
        card.rows(history) if history else None,
        card.NOTICE in files,
        card.multiply_adds(model, facts),
        confusion,
        card.FILTERS_PICTURE in pictures,
    )
    return {"README.md": card.text(sources).encode(), **pictures}


def _metadata(candidate: Candidate, version: int, data: bytes) -> Metadata:
    return Metadata(
        schema_version=1,
        name=candidate.name,
        version=version,
        summary=candidate.summary,
        input=candidate.input,
        output=candidate.output,
        layers=candidate.converted.layers,
        source=candidate.source,
        reported=candidate.reported,
        measured=candidate.measured,
        limits=candidate.limits,
        artifact=Artifact(sha256=hashlib.sha256(data).hexdigest(), bytes=len(data)),
        copy_of=candidate.copy_of,
    )


def _parity_table(parity: Sequence[Parity]) -> str:
    text = io.StringIO()
    writer = csv.writer(text, lineterminator="\n")
    writer.writerow(["layer", "shape", "difference"])
    writer.writerows([each.layer, "x".join(map(str, each.shape)), f"{each.difference:.1e}"] for each in parity)
    return text.getvalue()


def _write(files: Mapping[str, bytes], target: Path, *, replace: bool) -> Path:
    """Into a folder beside the target, then one rename: nobody ever sees half a version."""
    if not replace:
        refuse_existing(target)
    # The name starts with a dot, so that a service that looks in the meantime takes it for no version.
    with tempfile.TemporaryDirectory(prefix=".publishing-", dir=target.parent) as scratch:
        fresh = Path(scratch) / "fresh"
        fresh.mkdir()
        for name, data in files.items():
            (fresh / name).write_bytes(data)
        _swap(fresh, target, aside=Path(scratch) / "replaced")
    return target


def _swap(fresh: Path, target: Path, *, aside: Path) -> None:
    """Rename `fresh` to `target`; what was there goes aside, and comes back where this fails."""
    if not target.exists():
        fresh.rename(target)
        return
    target.rename(aside)
    try:
        fresh.rename(target)
    except OSError:
        aside.rename(target)
        raise

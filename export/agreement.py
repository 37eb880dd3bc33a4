"""A copy against its original: the same layers on the same pictures, and figures that keep to their bound."""

from collections.abc import Sequence
from typing import Final

import numpy as np
from numpy.typing import NDArray
from onnx import ModelProto

from export import card, publishing, verification
from export.conversion import Converted
from export.errors import ArtifactError
from export.publishing import Published
from export.verification import Parity, relative_difference
from service import graph, image, runtime
from service.cores import available_cores
from service.metadata import Copy, ImageInput, Metadata

_MAX_PIXELS: Final = 10_000_000
_PICTURES: Final = 4
# Verification allows each layer to be this many times further off than when it was published, and this much more: other
# processors add up, and round, in another order.
_TIMES: Final = 2.0
_MORE: Final = 0.01


def verify(published: Published) -> tuple[Parity, ...]:
    """Check a published copy: its original is there and the same, its figures keep to the bound, and so do its layers.

    Returns:
        How far each layer is from that of the original, in order of execution.

    Raises:
        ArtifactError: One of these is not so.
    """
    facts = published.metadata
    copy = facts.copy_of
    assert copy is not None  # noqa: S101  (callers look)
    folder = published.folder.resolve().parents[1] / copy.name / str(copy.version)
    original = publishing.read(folder)
    if original.metadata.artifact != copy.artifact:
        raise ArtifactError(
            f"{published.folder} was made from a model.onnx with SHA-256 {copy.artifact.sha256}; that of "
            f"{copy.name}/{copy.version} is now {original.metadata.artifact.sha256}"
        )
    _check_bound(facts, copy)
    parity = compare(original, Converted(published.model, facts.layers))
    rows = card.rows((published.folder / card.PARITY).read_text())
    allowed = {row["layer"]: _TIMES * float(row["difference"]) + _MORE for row in rows}
    wrong = [
        f"{each.layer} differs by {each.difference:.2g} of its largest value; allowed is {limit:.2g}"
        for each in parity
        if not each.difference <= (limit := allowed.get(each.layer, 0.0))
    ]
    if wrong:
        raise ArtifactError(
            f"{len(wrong)} layers of {published.folder} are further from the original than when it was published: "
            f"{'; '.join(wrong)}"
        )
    return parity


def compare(original: Published, copied: Converted) -> tuple[Parity, ...]:
    """How far each layer of a copy is from that of its original, on the same pictures each time."""
    spec = original.metadata.input
    encoded = verification.pictures(spec, _PICTURES)
    pixels = np.stack([image.decode(each, spec, max_pixels=_MAX_PIXELS) for each in encoded])
    entries = {entry.path: entry.tensor for entry in original.metadata.layers}
    expected = _run(original.model, [entries[entry.path] for entry in copied.layers], spec, pixels)
    got = _run(copied.model, [entry.tensor for entry in copied.layers], spec, pixels)
    return tuple(
        Parity(entry.path, found.shape[1:], relative_difference(found.astype(np.float32), right))
        for entry, found, right in zip(copied.layers, got, expected, strict=True)
    )


def _check_bound(facts: Metadata, copy: Copy) -> None:
    before = copy.before[0].value if copy.before else 1.0
    if not facts.measured or before - facts.measured[0].value > copy.max_drop + 1e-9:
        raise ArtifactError(f"{facts.name}/{facts.version} states figures that fell by more than its own bound allows")


def _run(
    model: ModelProto, tensors: Sequence[str], spec: ImageInput, pixels: NDArray[np.uint8]
) -> list[NDArray[np.float32]]:
    session = runtime.Session(
        graph.with_pixels(graph.cut(model, tensors), spec),
        device=runtime.open_device("cpu"),
        threads=available_cores(),
    )
    results = session.run({graph.PIXELS: pixels})
    return [results[tensor] for tensor in tensors]

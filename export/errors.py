"""Everything that can go wrong while a model is made, as one tree.

    ExportError
    ├── RecipeError                  no recipe, source or architecture has this name, or it cannot be had here
    ├── ToolsError                   PyTorch or another package of the extra `export` is not installed
    ├── DataError                    the data set is missing, damaged or too small
    ├── TrainingError                a training cannot begin or go on
    │   ├── CheckpointError          a checkpoint is damaged, of another run or of another network
    │   └── SpaceError               the disk is full, or would be
    ├── ConversionError              the network does not become the ONNX model that it should
    ├── DropError                    a copy answers worse than its original by more than is allowed
    ├── MismatchError                one difference between the ONNX model and PyTorch
    │   ├── NameMismatchError        an input, output or layer is missing, or is one too many
    │   ├── AxisMismatchError        an axis is fixed that should be free, or the other way round
    │   ├── ShapeMismatchError       a tensor has another shape
    │   └── ValueMismatchError       a tensor has other values
    ├── VerificationError            an ONNX model differs from PyTorch; it holds every mismatch
    └── PublishError                 a version cannot be written
        ├── VersionExistsError       it is there already
        └── ArtifactError            the files of a published version contradict each other

`ExportError` is a `service.errors.StriateError`.
"""

from collections.abc import Sequence

from service.errors import StriateError


class ExportError(StriateError):
    """The root of every error of the export."""


class RecipeError(ExportError):
    """No recipe, source or architecture has this name, or it cannot be had here."""


class ToolsError(ExportError):
    """PyTorch or another package of the extra `export` is not installed."""


class DataError(ExportError):
    """The data set is missing, damaged or too small."""


class TrainingError(ExportError):
    """A training cannot begin or go on."""


class CheckpointError(TrainingError):
    """A checkpoint is damaged, of another run or of another network."""


class SpaceError(TrainingError):
    """The disk is full, or would be."""


class ConversionError(ExportError):
    """The network does not become the ONNX model that it should."""


class DropError(ExportError):
    """A copy answers worse than its original by more than is allowed."""


class MismatchError(ExportError):
    """One difference between the ONNX model and PyTorch."""


class NameMismatchError(MismatchError):
    """An input, output or layer is missing, or is one too many."""


class AxisMismatchError(MismatchError):
    """An axis is fixed that should be free, or the other way round."""


class ShapeMismatchError(MismatchError):
    """A tensor has another shape."""


class ValueMismatchError(MismatchError):
    """A tensor has other values."""


class VerificationError(ExportError):
    """An ONNX model differs from PyTorch.

    Args:
        failures: Every mismatch that was found, in order of execution; at least one.
    """

    def __init__(self, failures: Sequence[MismatchError]) -> None:
        rest = "".join(f"\n  {failure}" for failure in failures[1:])
        super().__init__(f"the model differs from PyTorch in {len(failures)} places; the first: {failures[0]}{rest}")
        self.failures = tuple(failures)


class PublishError(ExportError):
    """A version cannot be written."""


class VersionExistsError(PublishError):
    """The version is there already."""


class ArtifactError(PublishError):
    """The files of a published version contradict each other."""

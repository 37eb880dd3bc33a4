"""The shipped models lie as Triton wants them: its rules, checked here, since Triton itself does not run here.

The rules are those of Triton's documents `model_repository.md` and `model_configuration.md`.
"""

from pathlib import Path

import onnx
import pytest
from onnx import TensorProto

from service.signature import signature

MODELS = Path(__file__).parents[2] / "models"
NAMES = sorted(path.name for path in MODELS.iterdir() if path.is_dir())


@pytest.mark.parametrize("name", NAMES)
def test_versions_are_numbers(name: str) -> None:
    """Folders whose names are no numbers, or begin with 0, are ignored by Triton: every folder is a version."""
    folders = [path.name for path in (MODELS / name).iterdir() if path.is_dir()]
    assert folders
    assert all(folder.isdecimal() and not folder.startswith("0") for folder in folders)


@pytest.mark.parametrize("name", NAMES)
def test_each_version_has_one_file(name: str) -> None:
    """Of the name that Triton expects of ONNX; weights are in it, and not beside it."""
    for version in (MODELS / name).iterdir():
        model = onnx.load(version / "model.onnx", load_external_data=False)
        assert all(tensor.data_location != TensorProto.EXTERNAL for tensor in model.graph.initializer)


@pytest.mark.parametrize("name", NAMES)
def test_no_configuration_is_needed(name: str) -> None:
    """Triton completes that of an ONNX model: types and shapes are in the file, and an open first axis is the batch."""
    for version in (MODELS / name).iterdir():
        found = signature(onnx.load(version / "model.onnx"))
        assert found.batched
        for tensor in (*found.inputs, *found.outputs):
            assert tensor.element == TensorProto.FLOAT
            assert tensor.shape is not None
            # Triton takes an image of any size: only the channels, or the classes, must be fixed.
            assert tensor.shape[1] is not None

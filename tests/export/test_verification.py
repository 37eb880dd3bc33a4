"""A model that differs from PyTorch is found out, and named."""

from dataclasses import replace

import numpy as np
import pytest
from onnx import ModelProto, numpy_helper

from export.conversion import Converted
from export.errors import (
    AxisMismatchError,
    MismatchError,
    NameMismatchError,
    ShapeMismatchError,
    ValueMismatchError,
    VerificationError,
)
from export.verification import TOLERANCE, pictures, relative_difference, verify
from service import graph, image
from service.metadata import ClassOutput, ImageInput
from tests.export.conftest import Trap

Verified = tuple[Trap, Converted, ImageInput, ClassOutput]


@pytest.fixture
def verified(trap: Trap, converted: Converted, trap_input: ImageInput, trap_output: ClassOutput) -> Verified:
    """All that `verify` takes, agreeing with each other."""
    return trap, converted, trap_input, trap_output


def changed(converted: Converted) -> tuple[Converted, ModelProto]:
    """A copy, and its model, which may be changed."""
    model = ModelProto()
    model.CopyFrom(converted.model)
    return replace(converted, model=model), model


def failures(network: Trap, converted: Converted, spec: ImageInput, output: ClassOutput) -> list[MismatchError]:
    """What `verify` raises."""
    with pytest.raises(VerificationError) as caught:
        verify(network, converted, spec, output)
    return list(caught.value.failures)


def test_a_faithful_model_passes_with_the_parity_of_each_layer(verified: Verified) -> None:
    """Layers come in order of execution, with the shape for one image."""
    parity = verify(*verified)
    assert [each.layer for each in parity] == [entry.path for entry in verified[1].layers]
    assert parity[0].shape == (4, 6, 8)
    assert all(each.difference <= TOLERANCE for each in parity)


def test_an_input_of_another_name_is_a_name_mismatch(verified: Verified) -> None:
    """The service would not find it."""
    network, converted, spec, output = verified
    found = failures(network, converted, spec.model_copy(update={"name": "pixels"}), output)
    assert {type(failure) for failure in found} == {NameMismatchError}
    assert "input 'pixels' is missing; the model has ['images']" in str(found[0])


def test_a_layer_that_is_missing_and_one_too_many_are_name_mismatches(verified: Verified) -> None:
    """Both are told, also when they are one layer under a wrong name."""
    network, converted, spec, output = verified
    first, *rest = converted.layers
    table = (first.model_copy(update={"path": "conv"}), *rest)
    found = failures(network, replace(converted, layers=table), spec, output)
    assert [type(failure) for failure in found] == [NameMismatchError, NameMismatchError]
    assert "layer 'conv1' is missing" in str(found[0])
    assert "layer 'conv' is not in the network" in str(found[1])


def test_a_tensor_that_no_node_computes_is_a_name_mismatch(verified: Verified) -> None:
    """A table that points nowhere is refused."""
    network, converted, spec, output = verified
    table = (converted.layers[0].model_copy(update={"tensor": "nothing"}), *converted.layers[1:])
    found = failures(network, replace(converted, layers=table), spec, output)
    assert [type(failure) for failure in found] == [NameMismatchError]


def test_a_fixed_batch_axis_is_an_axis_mismatch(verified: Verified) -> None:
    """A model that takes two images at a time and no other number is refused."""
    network, converted, spec, output = verified
    broken, model = changed(converted)
    model.graph.input[0].type.tensor_type.shape.dim[0].dim_value = 2
    found = failures(network, broken, spec, output)
    assert [type(failure) for failure in found] == [AxisMismatchError]
    assert "images has axes (2, 3, 6, 8); they should be ('batch', 3, 6, 8)" in str(found[0])


def test_fewer_labels_than_classes_is_an_axis_mismatch(verified: Verified) -> None:
    """An answer without a name would be found by a user, too late."""
    network, converted, spec, output = verified
    found = failures(network, converted, spec, output.model_copy(update={"labels": ("a", "b")}))
    assert [type(failure) for failure in found] == [AxisMismatchError]
    assert "logits has axes ('batch', 5); they should be ('batch', 2)" in str(found[0])


def test_a_table_that_points_to_another_tensor_is_a_shape_mismatch(verified: Verified) -> None:
    """The layer and both shapes are named, once and not for each batch."""
    network, converted, spec, output = verified
    table = tuple(
        entry.model_copy(update={"tensor": "conv1"}) if entry.path == "head.0.0" else entry
        for entry in converted.layers
    )
    found = failures(network, replace(converted, layers=table), spec, output)
    assert [type(failure) for failure in found] == [ShapeMismatchError]
    assert str(found[0]) == "head.0.0 at batch 1 has shape (1, 4, 6, 8); PyTorch gives (1, 192)"


def test_a_weight_that_is_off_is_a_value_mismatch_from_there_on(verified: Verified) -> None:
    """The first layer that differs is named first; those before it are fine."""
    network, converted, spec, output = verified
    broken, model = changed(converted)
    [weight] = [tensor for tensor in model.graph.initializer if tensor.name == "conv2.weight"]
    weight.CopyFrom(numpy_helper.from_array(numpy_helper.to_array(weight) * np.float32(1.001), weight.name))
    found = failures(network, broken, spec, output)
    assert {type(failure) for failure in found} == {ValueMismatchError}
    assert str(found[0]).startswith("conv2 at batch 1 differs by")
    assert not [failure for failure in found if str(failure).startswith(("conv1", "bn1", "relu:1", "dropout"))]


def test_the_path_of_pictures_is_compared_too(verified: Verified, monkeypatch: pytest.MonkeyPatch) -> None:
    """Normalisation that is wrong in the graph alone is found out, though every tensor agrees."""
    honest = graph.with_pixels
    monkeypatch.setattr(
        graph, "with_pixels", lambda model, spec: honest(model, spec.model_copy(update={"mean": (0.6, 0.5, 0.4)}))
    )
    found = failures(*verified)
    assert [type(failure) for failure in found] == [ValueMismatchError]
    assert str(found[0]).startswith("output logits from pictures at batch 2 differs by")


def test_pictures_are_not_of_the_size_of_the_input(trap_input: ImageInput) -> None:
    """So that cutting and resizing are part of what is compared; no two are the same."""
    decoded = [image.decode(data, trap_input, max_pixels=10_000) for data in pictures(trap_input, 4)]
    assert {picture.shape for picture in decoded} == {(6, 8, 3)}
    assert len({picture.tobytes() for picture in decoded}) == 4


def test_no_number_is_no_agreement() -> None:
    """NaN compares as neither smaller nor larger, and must not pass."""
    assert not relative_difference(np.array([np.nan]), np.array([1.0])) <= TOLERANCE


def test_a_layer_of_zeros_must_be_zeros() -> None:
    """Where nothing is expected, the difference counts as it is."""
    assert relative_difference(np.array([0.5]), np.array([0.0])) == 0.5

"""Promises of service.signature."""

from collections.abc import Sequence

import numpy as np
import pytest
from onnx import ModelProto, TensorProto, helper, numpy_helper

from service.signature import Signature, Tensor, signature

Shape = Sequence[int | str | None] | None


def adding(images: Shape, sums: Shape, kind: int = TensorProto.FLOAT) -> ModelProto:
    """Adds a weight, which old files list among the inputs, to `images`."""
    weight = numpy_helper.from_array(np.ones((1, 2), np.float32), "weight")
    graph = helper.make_graph(
        [helper.make_node("Add", ["images", "weight"], ["sums"])],
        "g",
        [
            helper.make_tensor_value_info("images", kind, images),
            helper.make_tensor_value_info("weight", kind, [1, 2]),
        ],
        [helper.make_tensor_value_info("sums", kind, sums)],
        [weight],
    )
    return helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)


def test_a_file_says_what_it_takes_and_gives() -> None:
    """Weights are none of it; a size that is open is None."""
    found = signature(adding(["N", 2], [None, 2]))
    assert found == Signature(
        (Tensor("images", TensorProto.FLOAT, (None, 2)),), (Tensor("sums", TensorProto.FLOAT, (None, 2)),)
    )


def test_what_the_file_leaves_out_of_its_outputs_is_inferred() -> None:
    """A shape that it tells is taken as it is."""
    assert signature(adding([3, 2], None)).outputs == (Tensor("sums", TensorProto.FLOAT, (3, 2)),)
    assert signature(adding([3, 2], ["N", 2])).outputs == (Tensor("sums", TensorProto.FLOAT, (None, 2)),)
    assert signature(adding(None, None)).inputs == (Tensor("images", TensorProto.FLOAT, None),)


@pytest.mark.parametrize(
    ("images", "sums", "batched"),
    [
        pytest.param(["N", 2], ["N", 2], True, id="open"),
        pytest.param(["N", 2], [None, 2], True, id="open without a name"),
        pytest.param([1, 2], ["N", 2], False, id="a fixed input"),
        pytest.param(["N", 2], [1, 2], False, id="a fixed output"),
        pytest.param([1, "N"], [1, "N"], False, id="another axis"),
        pytest.param([], [], False, id="no axes"),
        pytest.param(None, None, False, id="unknown"),
    ],
)
def test_a_first_axis_that_is_open_everywhere_is_that_of_the_batch(
    images: Shape, sums: Shape, *, batched: bool
) -> None:
    """As Triton takes it."""
    assert signature(adding(images, sums)).batched is batched


def test_without_tensors_there_is_no_batch() -> None:
    """There would be nothing to count."""
    assert not Signature((), ()).batched

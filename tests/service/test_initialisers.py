"""Promises of service.initialisers."""

import weakref
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import ModelProto, TensorProto, helper

from service import graph
from service.errors import ModelFileError
from service.initialisers import SMALL, Initialisers, is_apart, take_apart
from service.runtime import Array, Session, open_device
from service.weights import weights_of
from tests import tiny_models

INPUTS = 64
MATRIX = np.arange(INPUTS * 32, dtype=np.float32).reshape(INPUTS, 32) / 1000  # more than `SMALL` values


def dense(matrix: NDArray[Any] = MATRIX) -> ModelProto:
    """One matrix, then a bias of few values."""
    return tiny_models.model(
        [
            helper.make_node("MatMul", ["images", "matrix"], ["product"]),
            helper.make_node("Add", ["product", "bias"], ["logits"]),
        ],
        {"matrix": matrix, "bias": np.ones(matrix.shape[1], np.float32)},
        input_shape=["batch", matrix.shape[0]],
        output=("logits", ["batch", matrix.shape[1]]),
    )


def open_session(model: ModelProto, initialisers: Initialisers | None = None) -> Session:
    """On the CPU."""
    return Session(model, device=open_device("cpu"), threads=1, initialisers=initialisers)


def test_large_values_are_kept_apart_and_small_ones_stay() -> None:
    """The matrix is replaced by its name, type and shape; shapes and biases are still read from the graph."""
    light, values = take_apart(dense())
    matrix, bias = light.graph.initializer
    assert values["matrix"].tolist() == MATRIX.tolist()
    assert list(values) == ["matrix"]
    assert (matrix.name, matrix.data_type, list(matrix.dims)) == ("matrix", TensorProto.FLOAT, [INPUTS, 32])
    assert is_apart(matrix)
    assert [entry.key for entry in matrix.external_data] == ["location"], "ONNX wants one"
    assert not is_apart(bias)
    assert len(light.SerializeToString()) < MATRIX.nbytes / 10


def test_the_model_is_left_as_it_was() -> None:
    """Taking apart is not in place."""
    model = dense()
    before = model.SerializeToString()
    take_apart(model)
    assert model.SerializeToString() == before


def test_all_but_the_values_is_kept() -> None:
    """Whatever else a file holds is the same in both, and shapes can be inferred."""
    model = dense()
    assert graph.inferred(take_apart(model)[0]).keys() == graph.inferred(model).keys()
    model.producer_name = "nobody"
    model.functions.add(name="f", domain="own")
    model.graph.value_info.add(name="product")
    model.graph.sparse_initializer.add(dims=[2])
    light, _ = take_apart(model)
    for each in (light, model):
        del each.graph.initializer[:]
    assert light == model


@pytest.mark.parametrize(("size", "apart"), [(1, False), (SMALL, False), (SMALL + 1, True)])
def test_what_is_large(size: int, *, apart: bool) -> None:
    """More values than a shape or a scale has."""
    light, values = take_apart(dense(np.ones((size, 1), np.float32)))
    assert ("matrix" in values) == apart == is_apart(light.graph.initializer[0])


def test_sessions_read_the_same_values() -> None:
    """Several sessions of a graph that was taken apart, or of a part of it, answer as one of the whole file."""
    light, values = take_apart(dense())
    feeds: dict[str, Array] = {"images": np.ones((2, INPUTS), np.float32)}
    whole = open_session(dense()).run(feeds)["logits"]
    for _ in range(2):
        assert open_session(light, initialisers=values).run(feeds)["logits"].tolist() == whole.tolist()
    part = open_session(graph.cut(light, ["product"]), initialisers=values)
    np.testing.assert_allclose(part.run(feeds)["product"] + 1, whole)


def test_a_session_counts_what_it_reads() -> None:
    """The cache of sessions is bounded by bytes: those of the weights are among them."""
    light, values = take_apart(dense())
    assert open_session(light, initialisers=values).bytes > MATRIX.nbytes


def test_values_outlive_whoever_took_the_model_apart() -> None:
    """ONNX Runtime does not own them, and a table that is looked up in is not copied for it: the session holds it."""
    table = tiny_models.model(
        [
            helper.make_node("Cast", ["images"], ["rows"], to=TensorProto.INT64),
            helper.make_node("Gather", ["table", "rows"], ["logits"]),
        ],
        {"table": np.full((4, 2**20), 5, np.float32)},
        input_shape=["batch"],
        output=("logits", ["batch", 2**20]),
    )
    light, values = take_apart(table)
    session = open_session(light, initialisers=values)
    kept = weakref.ref(values["table"])
    del light, values
    assert kept() is not None
    assert np.all(session.run({"images": np.array([3], np.float32)})["logits"] == 5)


def test_learned_weights_are_found() -> None:
    """Whoever asks for the numbers of a layer gets them, kept apart or not."""
    light, values = take_apart(dense())
    found, whole = weights_of(light, "logits", values), weights_of(dense(), "logits")
    assert found is not None
    assert whole is not None
    assert found.values.tolist() == whole.values.tolist() == MATRIX.T.tolist()


@pytest.mark.parametrize("change", [b"", b"\0" * 5, bytes(MATRIX.nbytes - 4), bytes(MATRIX.nbytes + 4)])
def test_values_that_do_not_fit_their_shape_are_refused(change: bytes) -> None:
    """They stay in the graph, so that ONNX Runtime looks at them."""
    model = dense()
    model.graph.initializer[0].raw_data = change
    light, values = take_apart(model)
    assert not values
    with pytest.raises(ModelFileError, match="ONNX Runtime refuses the graph"):
        open_session(light, initialisers=values)


def test_of_two_with_one_name_none_is_taken_for_the_other() -> None:
    """The second one, of another shape, is not read in place of the first."""
    model = dense()
    model.graph.initializer.append(TensorProto(name="matrix", data_type=TensorProto.FLOAT, dims=[SMALL + 1]))
    model.graph.initializer[2].raw_data = bytes(4 * (SMALL + 1))
    light, values = take_apart(model)
    assert values["matrix"].shape == MATRIX.shape
    with pytest.raises(ModelFileError, match="ONNX Runtime refuses the graph"):
        open_session(light, initialisers=values)


def test_types_that_numpy_does_not_have_stay() -> None:
    """A matrix in bfloat16 is left where it is."""
    model = dense()
    tensor = model.graph.initializer[0]
    tensor.data_type, tensor.raw_data = TensorProto.BFLOAT16, bytes(MATRIX.nbytes // 2)
    assert not take_apart(model)[1]

"""Promises of service.run_memory, on graphs whose tensors are counted by hand: each of most is 16 bytes."""

from itertools import pairwise

import numpy as np
import pytest
from onnx import GraphProto, NodeProto, TensorProto, helper, numpy_helper

from service.operators import Tensors
from service.run_memory import bytes_at_once

node = helper.make_node


def most(
    *nodes: NodeProto,
    outputs: tuple[str, ...] = ("y",),
    kind: int = TensorProto.FLOAT,
    size: int | str = 2,
    channel_block: int = 1,
) -> int:
    """What a graph takes at once that gets `images`, (1, 1, 2, 2), and has a weight of 16 bytes that does not count."""
    graph = helper.make_graph(
        nodes,
        "g",
        [helper.make_tensor_value_info("images", kind, [1, 1, size, size])],
        [helper.make_tensor_value_info(name, TensorProto.UNDEFINED, None) for name in outputs],
        [numpy_helper.from_array(np.ones((1, 1, 2, 2), np.float32), "w")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    return bytes_at_once(model, Tensors(model), channel_block=channel_block)


def body(*nodes: NodeProto) -> GraphProto:
    """A branch that puts out `out`."""
    return helper.make_graph(nodes, "b", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)])


def chain(*names: str) -> list[NodeProto]:
    """Each is the one before it without what is negative."""
    return [node("Relu", [before], [after]) for before, after in pairwise(names)]


def test_a_tensor_is_there_until_it_was_read() -> None:
    """In a chain two are, however long it is; one that is read again at its end stays."""
    assert most(*chain("images", "a", "b", "c", "y")) == 32
    assert most(*chain("images", "a", "b", "c", "d"), node("Add", ["d", "a"], ["y"])) == 48
    assert most(*chain("images", "a", "b", "c"), node("Add", ["c", "w"], ["y"])) == 32


def test_channels_are_filled_up() -> None:
    """Those of maps, to whole blocks; nothing else has channels."""
    assert most(*chain("images", "a", "y"), channel_block=8) == 2 * 8 * 16
    pair = node("Concat", ["images", "images"], ["a"], axis=1)
    assert most(pair, *chain("a", "b", "y"), channel_block=2) == 2 * 32
    flat = node("Flatten", ["images"], ["a"])
    assert most(flat, *chain("a", "b", "y"), channel_block=8) == 8 * 16 + 16


def test_an_output_stays() -> None:
    """Whoever asked for it gets it in the end."""
    assert most(*chain("images", "a", "b", "c", "y"), outputs=("a", "y")) == 48


def test_an_input_is_there_from_the_beginning() -> None:
    """Whether or not the first node reads it."""
    assert most(*chain("w", "a", "b", "c"), node("Add", ["c", "images"], ["y"])) == 48
    assert most(node("Identity", ["w"], ["y"])) == 32
    assert most(node("ReduceSum", ["images"], ["s"], keepdims=0), *chain("s", "a", "y")) == 20


def test_what_nobody_reads_is_gone_at_once() -> None:
    """Of the two halves of a picture, of 8 bytes each, the first goes on; a result that is left out takes nothing."""
    halves = node("Split", ["images"], ["a", "b"], axis=2, num_outputs=2)
    assert most(halves, *chain("a", "c", "d", "y")) == 32
    assert most(*chain("images", "x"), halves, *chain("a", "c", "y"), node("Relu", ["x"], ["z"])) == 48
    assert most(node("Dropout", ["images"], ["y", ""])) == 32


def test_what_a_branch_makes_is_there_while_its_node_runs() -> None:
    """Also in a branch of a branch, and in a list of them; what it reads from outside is there until then."""
    grown = [node("Concat", ["images"] * 4, ["big"], axis=0), node("ReduceMax", ["big"], ["out"], keepdims=0)]
    around = body(node("If", ["yes"], ["out"], then_branch=body(*grown), else_branch=body(*chain("images", "out"))))
    yes = node("Constant", [], ["yes"], value=helper.make_tensor("v", TensorProto.BOOL, [], [True]))
    simple = most(yes, node("If", ["yes"], ["y"], then_branch=body(*grown), else_branch=body(*chain("images", "out"))))
    nested = most(yes, node("If", ["yes"], ["y"], then_branch=around, else_branch=body(*chain("images", "out"))))
    assert simple >= 16 + 64
    assert nested >= simple
    late = node("If", ["yes"], ["y"], then_branch=body(*chain("a", "out")), else_branch=body(*chain("a", "out")))
    early = node("If", ["yes"], ["y"], then_branch=body(*chain("d", "out")), else_branch=body(*chain("d", "out")))
    assert most(yes, *chain("images", "a", "b", "c", "d"), late) > most(
        yes, *chain("images", "a", "b", "c", "d"), early
    )


@pytest.mark.parametrize(
    ("kind", "size", "expected"),
    [
        pytest.param(TensorProto.DOUBLE, 2, 64, id="64 bits"),
        pytest.param(TensorProto.INT8, 2, 8, id="8 bits"),
        pytest.param(TensorProto.FLOAT, "open", 8, id="sizes that are not known count as 1"),
    ],
)
def test_a_value_takes_what_its_type_takes(kind: int, size: int | str, expected: int) -> None:
    """As far as it is known."""
    assert most(*chain("images", "y"), kind=kind, size=size) == expected

"""Promises of service.soundness: what it refuses and what it lets pass, without anything that might hang on it."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
import pytest
from onnx import (
    AttributeProto,
    FunctionProto,
    GraphProto,
    ModelProto,
    NodeProto,
    SparseTensorProto,
    TensorProto,
    helper,
)

from service import soundness
from service.errors import ModelFileError
from tests.service.test_hostile_files import chain, elsewhere, functions, held, made

node = helper.make_node
OPSETS = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]


def require(model: ModelProto) -> None:
    """Look at a file as it would be on disk."""
    soundness.require(model, name="m", data_bytes=model.ByteSize())


def body(nodes: Sequence[NodeProto] = (), weights: Sequence[TensorProto] = ()) -> GraphProto:
    """A branch, of nodes that put out `out`."""
    return helper.make_graph(
        nodes, "b", [], [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)], initializer=weights
    )


def choice(*nodes: NodeProto, weights: Sequence[TensorProto] = ()) -> NodeProto:
    """A node with two branches, which are the same."""
    branch = body(nodes, weights)
    return node("If", ["images"], ["y"], then_branch=branch, else_branch=branch)


def function(name: str, inputs: Sequence[str], outputs: Sequence[str], *nodes: NodeProto) -> FunctionProto:
    """One of the file's own."""
    return helper.make_function("own", name, inputs, outputs, nodes, OPSETS)


def doublings(first: str, count: int, name: str = "s") -> list[NodeProto]:
    """Each vector is the one before it twice."""
    names = [first, *(f"{name}{i}" for i in range(count))]
    return [node("Concat", [before, before], [after], axis=0) for before, after in pairwise(names)]


def referring(name: str, kind: AttributeProto.AttributeType) -> NodeProto:
    """A constant whose value is an attribute of the call that it is in."""
    constant = NodeProto(op_type="Constant", output=["given"])
    constant.attribute.add(name=name, ref_attr_name="given", type=kind)
    return constant


def long_vectors() -> dict[str, ModelProto]:
    """Each makes a vector of 131,072 values, of few."""
    two = node("Constant", [], ["two"], value_ints=[1, 1])
    twice = function("twice", ["x"], ["z"], node("Concat", ["x", "x"], ["z"], axis=0))
    calls = [node("twice", [f"c{i}" if i else "w"], [f"c{i + 1}"], domain="own") for i in range(16)]
    inside = function("inside", [], ["z"], two, *doublings("two", 16))
    handed = function("handed", ["x"], ["z"], *doublings("x", 16))
    back = function("back", [], ["s14"], two, *doublings("two", 15))
    given = function("given", [], ["z"], referring("value_ints", AttributeProto.INTS), *doublings("given", 1))
    given.attribute.append("given")
    usual = FunctionProto()
    usual.CopyFrom(given)
    usual.attribute.pop()
    usual.attribute_proto.append(helper.make_attribute("given", [1] * 65_536))
    weight = held("w", [1, 1])
    return {
        "in the graph": made(doublings("w", 16), [weight]),
        "of a constant": made([two, *doublings("two", 16)]),
        "of many numbers": made([node("Constant", [], ["n"], value_ints=[1] * 65_536), *doublings("n", 1)]),
        "of many fractions": made([node("Constant", [], ["n"], value_floats=[1.0] * 65_536), *doublings("n", 1)]),
        "of a tensor in a node": made([node("Constant", [], ["n"], value=held("n", [1, 1])), *doublings("n", 16)]),
        "of sizes": made([node("Shape", ["images"], ["n"]), *doublings("n", 17)]),
        "through other nodes": made(
            [*doublings("w", 10), node("Cast", ["s9"], ["n"], to=6), *doublings("n", 6, "t")], [weight]
        ),
        "of an optional input": made([node("Slice", ["w", "w", "w", "", "w"], ["n"]), *doublings("n", 16)], [weight]),
        "in a branch": made([choice(two, *doublings("two", 16))]),
        "of a branch's own": made([choice(*doublings("v", 16), weights=[held("v", [1, 1])])]),
        "of what is around a branch": made([choice(*doublings("w", 16))], [weight]),
        "in a branch in a branch": made([choice(choice(two, *doublings("two", 16)))]),
        "in a function": made([node("inside", [], ["y"], domain="own")], functions=[inside]),
        "handed to a function": made([node("handed", ["w"], ["y"], domain="own")], [weight], [handed]),
        "handed by a function": made([node("back", [], ["n"], domain="own"), *doublings("n", 1)], functions=[back]),
        "by calls": made(calls, [weight], [twice]),
        "given to a function": made([node("given", [], ["y"], domain="own", given=[1] * 65_536)], functions=[given]),
        "given to it as a rule": made([node("given", [], ["y"], domain="own")], functions=[usual]),
    }


@pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in long_vectors().items()])
def test_a_vector_that_grows_is_refused(model: ModelProto) -> None:
    """Wherever it does so: ONNX would write all of it down."""
    with pytest.raises(ModelFileError, match="m computes a shape of 131,072 sizes; accepted: up to 65,536"):
        require(model)


def test_vectors_that_are_long_enough_pass() -> None:
    """Up to the limit, as weights, and where nobody can tell how long they are."""
    require(made(doublings("w", 15), [held("w", [1, 1])]))
    require(made([node("Add", ["w", "w"], ["y"])], [held("w", [1] * 70_000)]))
    require(made([node("Constant", [], ["n"], value_ints=[1] * 70_000)]))
    require(made([node("NonZero", ["images"], ["n"]), *doublings("n", 40)]))
    require(made(doublings("images", 40)))
    weight = held("w", [1, 1])
    require(made([*doublings("w", 10), node("Relu", ["s9"], ["n"]), *doublings("n", 10, "t")], [weight]))
    require(made([node("Concat", ["images", "w"], ["n"]), *doublings("n", 17)], [weight]))
    sums = [node("Add", [f"n{i}" if i else "w"] * 2, [f"n{i + 1}"]) for i in range(40)]
    require(made([*sums, *doublings("n40", 2)], [weight]))
    unknown = function("unknown", ["x"], ["z"], *doublings("x", 39), node("Identity", ["s38"], ["z"]))
    require(made([node("unknown", ["images"], ["n"], domain="own"), *doublings("n", 9)], functions=[unknown]))


def sparse(values: TensorProto, places: TensorProto) -> SparseTensorProto:
    """A tensor of which most is zero."""
    return SparseTensorProto(values=values, indices=places, dims=[3])


def hiding_places() -> dict[str, ModelProto]:
    """Each holds one weight that lies in another file."""
    out, good = elsewhere("weights.bin"), held("good", [0])
    add = node("Add", ["images", "w"], ["y"])
    found = {"a weight": made([add], [out])}
    for name, tensors in {"values": sparse(out, good), "places": sparse(good, out)}.items():
        found[f"sparse {name}"] = made([add])
        found[f"sparse {name}"].graph.sparse_initializer.append(tensors)
        found[f"sparse {name} of a node"] = made([node("Constant", [], ["w"], sparse_value=tensors), add])
        found[f"sparse {name} in a list"] = made([node("Constant", [], ["w"], values=[tensors, tensors]), add])
        del found[f"sparse {name} in a list"].graph.node[0].attribute[0].sparse_tensors[1]
    constant = node("Constant", [], ["w"], value=out)
    listed = NodeProto(op_type="Constant", output=["w"])
    listed.attribute.append(helper.make_attribute("values", [out]))
    branches = NodeProto(op_type="If", input=["yes"], output=["w"])
    branches.attribute.append(helper.make_attribute("branches", [body(weights=[out])]))
    loop = node("Loop", ["images"], ["y"], body=body(weights=[out]))
    return found | {
        "a node": made([constant, add]),
        "a list of a node": made([listed, add]),
        "a weight of a branch": made([loop]),
        "a weight in a list of branches": made([branches, add]),
        "a node of a branch": made([node("Loop", ["images"], ["y"], body=body([constant]))]),
        "a branch of a branch": made([node("Loop", ["images"], ["y"], body=body([loop]))]),
        "a function": made([add], functions=[function("f", [], ["w"], constant)]),
        "a branch of a function": made([add], functions=[function("f", [], ["y"], loop)]),
    }


@pytest.mark.parametrize("model", [pytest.param(model, id=name) for name, model in hiding_places().items()])
def test_weights_in_other_files_are_found(model: ModelProto) -> None:
    """Wherever a file names them."""
    with pytest.raises(ModelFileError, match="m keeps 1 weights in other files"):
        require(model)


def with_dims(*dims: int) -> ModelProto:
    """A file with a weight that says it has these sizes, and holds nothing."""
    return made([node("Add", ["images", "w"], ["y"])], [TensorProto(name="w", data_type=1, dims=dims)])


@pytest.mark.parametrize("dims", [(10**12,), (2**32, 2**32), (-1,), (-1, -1), (0, -1)])
def test_a_weight_that_cannot_be_there_is_refused(dims: tuple[int, ...]) -> None:
    """It says that it has more values than the file has bytes, or fewer than none."""
    with pytest.raises(ModelFileError, match=r"m says that tensor 'w' is \[.*\], and cannot hold it"):
        require(with_dims(*dims))


@pytest.mark.parametrize("dims", [(), (0,), (0, 10**12), (100,)])
def test_a_weight_may_be_small_or_empty(dims: tuple[int, ...]) -> None:
    """As the regions of a node that resizes without any; four bits may be a value."""
    require(with_dims(*dims))


def test_nodes_are_counted_wherever_they_are() -> None:
    """Those of branches, of functions as often as they are called, and branches even where they are empty."""
    require(chain(16_383))
    with pytest.raises(ModelFileError, match="m has 16,385 nodes; accepted: up to 16,384"):
        require(chain(16_384))
    many = node("Sum", ["images"], ["y"])
    many.attribute.append(helper.make_attribute("bodies", [GraphProto(name="b")] * 20_000))
    with pytest.raises(ModelFileError, match="m has 20,001 nodes"):
        require(made([many]))
    one = function("one", ["x"], ["z"], many)
    calls = [node("one", ["images"], [f"y{i}"], domain="own") for i in range(2)]
    with pytest.raises(ModelFileError, match="m has 40,004 nodes"):
        require(made(calls, functions=[one]))
    with pytest.raises(ModelFileError, match="m has 20,003 nodes"):
        require(made([node("If", ["images"], ["y"], body=body([many]))]))


def test_calls_that_double_are_refused() -> None:
    """Forty functions of two calls each are 2^40 calls; in any order."""
    model = functions(recursive=False)
    turned = made(model.graph.node, functions=list(reversed(model.functions)), domain="own")
    for each in (model, turned):
        with pytest.raises(ModelFileError, match=r"m has [0-9,]{15,} nodes; accepted: up to 16,384"):
            require(each)
    with pytest.raises(ModelFileError, match="m: function 'f0' calls itself"):
        require(functions(recursive=True))


@pytest.mark.parametrize("overload", ["", "other"])
@pytest.mark.parametrize("last", [False, True])
def test_two_functions_of_one_name_are_refused(overload: str, *, last: bool) -> None:
    """One that does next to nothing must not be counted in place of one that does too much."""
    step = node("Relu", ["x"], ["z"])
    both = [function("f", ["x"], ["z"], step), function("f", ["x"], ["z"], step, step)]
    both[last].overload = overload
    with pytest.raises(ModelFileError, match="m has two functions of one name"):
        require(made([node("f", ["images"], ["y"], domain="own")], functions=both, domain="own"))


def test_a_node_reads_what_is_computed_before_it() -> None:
    """Inputs, weights, what is left out, and what nodes before it put out; nothing else."""
    good = made([node("Clip", ["images", "", "w"], ["a"]), node("Add", ["a", "w"], ["y"])], [held("w", 1, np.float32)])
    require(good)
    good.graph.node.reverse()
    with pytest.raises(ModelFileError, match="m: a node reads 'a', which no node before it computes"):
        require(good)

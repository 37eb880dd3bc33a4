"""Files that were made to do harm: each is refused with its reason, soon, and with next to no memory.

None of these may hang: a test that does not end has failed.
"""

import json
import os
import random
import re
import resource
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from onnx import FunctionProto, ModelProto, NodeProto, TensorProto, helper, numpy_helper

from service.engine import open_engine
from service.operators import Tensors
from service.registry import Entry
from service.repository import scan
from service.settings import Settings
from tests import tiny_models

node = helper.make_node


def made(
    nodes: Sequence[NodeProto],
    weights: Sequence[TensorProto] = (),
    functions: Sequence[FunctionProto] = (),
    *,
    domain: str = "",
) -> ModelProto:
    """A graph from `images` (N, 1, 2, 2) to `y`, as nobody has checked it."""
    images = helper.make_tensor_value_info("images", TensorProto.FLOAT, ["batch", 1, 2, 2])
    graph = helper.make_graph(
        nodes, "g", [images], [helper.make_tensor_value_info("y", TensorProto.FLOAT, None)], weights
    )
    opsets = [helper.make_opsetid("", 18), *([helper.make_opsetid(domain, 1)] if domain else [])]
    return helper.make_model(graph, opset_imports=opsets, ir_version=10, functions=functions)


def held(name: str, values: object, dtype: type = np.int64) -> TensorProto:
    """A weight."""
    array: NDArray[Any] = np.array(values, dtype)
    return numpy_helper.from_array(array, name)


def with_giant(*nodes: NodeProto, weights: Sequence[TensorProto] = ()) -> ModelProto:
    """The largest value of `giant`, added to the images."""
    largest = node("ReduceMax", ["giant"], ["largest"], keepdims=0)
    return made([*nodes, largest, node("Add", ["images", "largest"], ["y"])], weights)


def giants() -> dict[str, ModelProto]:
    """Files of some hundred bytes that ask for a terabyte."""
    branch = helper.make_graph(
        [
            node("Constant", [], ["size"], value_ints=[10**12]),
            node("ConstantOfShape", ["size"], ["inner"]),
            node("ReduceMax", ["inner"], ["out"], keepdims=0),
        ],
        "branch",
        [],
        [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)],
    )
    chosen = node("If", ["yes"], ["giant"], then_branch=branch, else_branch=branch)
    shape = held("shape", [10**12])
    tens, ten_six = held("ten", [10]), held("six", [6])
    power = node("Pow", ["ten", "six"], ["million"])
    square = node("Mul", ["million", "million"], ["shape"])
    filled = node("ConstantOfShape", ["shape"], ["giant"])
    many = [node("ConstantOfShape", ["shape"], [f"part{i}"]) for i in range(1000)]
    summed = node("Sum", [f"part{i}" for i in range(1000)], ["giant"])
    return {
        "a constant": with_giant(filled, weights=[shape]),
        "a computed constant": with_giant(power, square, filled, weights=[tens, ten_six]),
        "many constants": with_giant(*many, summed, weights=[held("shape", [10**9])]),
        "a constant in a branch": with_giant(chosen, weights=[held("yes", 1, np.bool_)]),
        "Expand": with_giant(
            node("Expand", ["images", "shape"], ["giant"]), weights=[held("shape", [10**12, 1, 2, 2])]
        ),
        "Tile": with_giant(node("Tile", ["images", "times"], ["giant"]), weights=[held("times", [1, 10**12, 1, 1])]),
        "Resize": with_giant(
            node("Resize", ["images", "", "scales"], ["giant"]), weights=[held("scales", [1, 1, 1e6, 1e6], np.float32)]
        ),
        "Range": with_giant(
            node("Range", ["a", "b", "c"], ["giant"]),
            weights=[held(name, value, np.float32) for name, value in (("a", 0), ("b", 1e12), ("c", 1))],
        ),
        "strides": with_giant(
            node("ConvTranspose", ["images", "kernel"], ["giant"], strides=[10**6, 10**6]),
            weights=[held("kernel", [[[[1]]]], np.float32)],
        ),
        "padding": with_giant(
            node("Conv", ["images", "kernel"], ["giant"], pads=[10**6] * 4),
            weights=[held("kernel", [[[[1]]]], np.float32)],
        ),
        "noise": with_giant(node("RandomNormal", [], ["giant"], shape=[10**12])),
    }


def doubling() -> ModelProto:
    """A shape of 2 ** 40 sizes, which ONNX would write down."""
    nodes = [node("Concat", [f"s{i}", f"s{i}"], [f"s{i + 1}"], axis=0) for i in range(39)]
    nodes.append(node("Reshape", ["images", "s39"], ["y"]))
    return made(nodes, [held("s0", [1, 1])])


def functions(*, recursive: bool) -> ModelProto:
    """Forty functions, each of which calls the one before twice; or the first of which calls the last."""
    opsets = [helper.make_opsetid("", 18), helper.make_opsetid("own", 1)]
    first = node("f39" if recursive else "Relu", ["x"], ["z"], domain="own" if recursive else "")
    written = [helper.make_function("own", "f0", ["x"], ["z"], [first], opsets)]
    for i in range(1, 40):
        twice = [
            node(f"f{i - 1}", ["x"], ["w"], domain="own"),
            node(f"f{i - 1}", ["w"], ["z"], domain="own"),
        ]
        written.append(helper.make_function("own", f"f{i}", ["x"], ["z"], twice, opsets))
    return made([node("f39", ["images"], ["y"], domain="own")], functions=written, domain="own")


def elsewhere(location: str) -> TensorProto:
    """A weight that lies in another file."""
    tensor = TensorProto(name="w", data_type=TensorProto.FLOAT, dims=[1], data_location=TensorProto.EXTERNAL)
    entry = tensor.external_data.add()
    entry.key, entry.value = "location", location
    return tensor


def external() -> dict[str, ModelProto]:
    """Weights in other files: as ever, in a node, in a branch, in a function."""
    add = node("Add", ["images", "w"], ["y"])
    out = [helper.make_tensor_value_info("out", TensorProto.FLOAT, None)]
    branch = helper.make_graph([node("Identity", ["w"], ["out"])], "b", [], out, [elsewhere("/etc/passwd")])
    constant = node("Constant", [], ["w"], value=elsewhere("../../../etc/passwd"))
    function = helper.make_function(
        "own", "f", ["x"], ["z"], [constant, node("Add", ["x", "w"], ["z"])], [helper.make_opsetid("", 18)]
    )
    return {
        "weights beside it": made([add], [elsewhere("weights.bin")]),
        "weights above it": made([add], [elsewhere("../../../../etc/passwd")]),
        "weights at a path": made([add], [elsewhere("/etc/passwd")]),
        "a node": made([constant, add]),
        "a branch": made(
            [node("If", ["yes"], ["w"], then_branch=branch, else_branch=branch), add], [held("yes", 1, np.bool_)]
        ),
        "a function": made([node("f", ["images"], ["y"], domain="own")], functions=[function], domain="own"),
    }


def chain(length: int) -> ModelProto:
    """One node behind the other."""
    nodes = [node("Relu", [f"t{i}" if i else "images"], [f"t{i + 1}"]) for i in range(length)]
    return made([*nodes, node("Relu", [f"t{length}"], ["y"])])


def circle(operator: str) -> ModelProto:
    """Two nodes that read each other, before a convolution with what they compute."""
    nodes = [node(operator, ["b"], ["a"]), node(operator, ["a"], ["b"])]
    return made([*nodes, node("Conv", ["images", "a"], ["y"])])


HOSTILE = [
    *(
        pytest.param(model, "takes at least [0-9,]{17,} bytes .*setting max_run_bytes", id=f"giant: {name}")
        for name, model in giants().items()
    ),
    *(
        pytest.param(model, r"keeps \d weights in other files", id=f"external: {name}")
        for name, model in external().items()
    ),
    pytest.param(doubling(), "computes a shape of 131,072 sizes", id="a shape that doubles"),
    pytest.param(functions(recursive=False), "has [0-9,]{15,} nodes; accepted: up to 16,384", id="calls that double"),
    pytest.param(functions(recursive=True), "calls itself", id="a function that calls itself"),
    pytest.param(chain(20_000), "has 20,001 nodes", id="many nodes"),
    pytest.param(circle("Identity"), "reads 'b', which no node before it computes", id="a circle"),
    pytest.param(circle("Cast"), "reads 'b', which no node before it computes", id="a circle of casts"),
    pytest.param(
        made([node("Add", ["images", "w"], ["y"])], [TensorProto(name="w", data_type=1, dims=[10**12])]),
        "says that tensor 'w' is .1000000000000., and cannot hold it",
        id="a weight that is not there",
    ),
    pytest.param(
        made([node("Reshape", ["images", "w"], ["y"])], [TensorProto(name="w", data_type=7, dims=[2**32, 2**32])]),
        "cannot hold it",
        id="a weight whose size overflows",
    ),
    pytest.param(
        made([node("Reshape", ["images", "w"], ["y"])], [TensorProto(name="w", data_type=7, dims=[-1])]),
        "cannot hold it",
        id="a weight of a negative size",
    ),
    pytest.param(
        made([node("Evil", ["images"], ["y"], domain="com.example")], domain="com.example"),
        "com.example:Evil.* is not a registered function/op",
        id="an operator of one's own",
    ),
    pytest.param(made([node("Identity", [], ["y"])]), "no valid graph", id="a node without inputs"),
]


def loaded(repository: Path, **settings: Any) -> Entry:  # noqa: ANN401  (settings)
    """What becomes of the model `hostile`, beside a good one, which must serve."""
    tiny_models.publish(repository, name="good")
    engine = open_engine(Settings(models=repository, device="cpu", threads=1, **settings))
    engine.registry.load_all()
    assert engine.registry.find("good").version == 1
    return engine.registry.entry("hostile")


def write(repository: Path, data: bytes) -> Path:
    """Make `hostile` of the bytes of a file."""
    folder = repository / "hostile" / "1"
    folder.mkdir(parents=True)
    (folder / "model.onnx").write_bytes(data)
    return folder


@pytest.mark.parametrize(("model", "reason"), HOSTILE)
def test_a_hostile_graph_is_refused(repository: Path, model: ModelProto, reason: str) -> None:
    """With its reason, before memory is taken for it; the others serve."""
    write(repository, model.SerializeToString())
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    entry = loaded(repository)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 200_000  # KiB
    assert (entry.state, entry.model) == ("failed", None)
    assert entry.reason is not None
    assert re.search(reason, entry.reason), entry.reason
    assert str(repository) not in entry.reason
    assert "/onnxruntime" not in entry.reason


def test_the_most_that_a_run_may_take_is_a_setting(repository: Path) -> None:
    """`brightness` has two maps of four values at the same time, of 4 bytes each."""
    write(repository, tiny_models.brightness().SerializeToString())
    assert loaded(repository, max_run_bytes=32).state == "ready"
    again = loaded_again(repository, max_run_bytes=31)
    assert "takes at least 32 bytes for one image; accepted: up to 31" in (again.reason or "")


def test_the_most_that_a_file_may_have_is_a_setting(repository: Path) -> None:
    """What is larger is not read."""
    data = tiny_models.brightness().SerializeToString()
    write(repository, data)
    assert loaded_again(repository, max_model_bytes=len(data)).state == "ready"
    again = loaded_again(repository, max_model_bytes=len(data) - 1)
    assert again.reason == f"model.onnx has {len(data)} bytes; accepted: up to {len(data) - 1}"


def loaded_again(repository: Path, **settings: Any) -> Entry:  # noqa: ANN401  (settings)
    """What becomes of it with other limits."""
    engine = open_engine(Settings(models=repository, device="cpu", threads=1, **settings))
    engine.registry.load_all()
    return engine.registry.entry("hostile")


def test_an_input_that_metadata_make_giant_is_refused(repository: Path) -> None:
    """The file leaves its size open, and metadata say 10^6 x 10^6 pixels, which warming up would fill."""
    model = tiny_models.brightness()
    for axis in (2, 3):
        model.graph.input[0].type.tensor_type.shape.dim[axis].dim_param = f"open{axis}"
    spec = tiny_models.image_input().model_copy(update={"height": 10**6, "width": 10**6})
    tiny_models.publish(repository, model, name="hostile", input=spec)
    assert re.search("takes at least [0-9,]{17,} bytes", loaded(repository).reason or "")


@pytest.mark.parametrize(
    "data",
    [
        pytest.param(b"", id="empty"),
        pytest.param(bytes(range(256)) * 40, id="garbage"),
        pytest.param(b"\x00" * 100_000, id="zeros"),
        pytest.param(b"\x3a\x80\x80\x80\x80\x08" + b"x" * 100, id="a length of 2 GiB"),
        pytest.param(b"\x3b" * 100_000, id="groups within groups"),
        pytest.param(tiny_models.brightness().SerializeToString()[:-30], id="cut short"),
    ],
)
def test_what_is_no_model_is_refused(repository: Path, data: bytes) -> None:
    """As no ONNX file."""
    write(repository, data)
    entry = loaded(repository)
    assert re.search("no ONNX file|holds no nodes|says that tensor", entry.reason or ""), entry.reason


def message(field: int, content: bytes) -> bytes:
    """A message within another one, as protobuf writes it."""
    size, digits = len(content), b""
    while size > 0x7F:
        digits += bytes([size & 0x7F | 0x80])
        size >>= 7
    return bytes([field << 3 | 2]) + digits + bytes([size]) + content


def test_graphs_within_graphs_are_refused(repository: Path) -> None:
    """Ten thousand deep: each is an attribute of the only node of the one around it."""
    graph = b""
    for _ in range(10_000):
        graph = message(1, message(5, message(6, graph)))
    write(repository, message(7, graph))
    assert "no ONNX file" in (loaded(repository).reason or "")


def mutant(data: bytes, dice: random.Random) -> bytes:
    """A file with some bits turned, and some bytes gone or doubled."""
    changed = bytearray(data)
    for _ in range(dice.choice((1, 2, 4, 8))):
        place, other = dice.randrange(len(changed)), dice.randrange(len(changed))
        match dice.randrange(3):
            case 0:
                changed[place] ^= 1 << dice.randrange(8)
            case 1:
                del changed[place : place + dice.randrange(1, 9)]
            case 2:
                changed[place:place] = changed[other : other + dice.randrange(1, 60)]
    return bytes(changed)


def test_whatever_is_wrong_in_a_file_takes_nothing_down(repository: Path) -> None:
    """Two hundred that were damaged by chance: each serves or says why not."""
    dice = random.Random(0)  # noqa: S311  (no secret)
    for number in range(200):
        file = repository / f"m{number}" / "1" / "model.onnx"
        file.parent.mkdir(parents=True)
        file.write_bytes(mutant(tiny_models.brightness().SerializeToString(), dice))
    tiny_models.publish(repository, name="good")
    engine = open_engine(Settings(models=repository, device="cpu", threads=1))
    engine.registry.load_all()
    assert engine.registry.find("good").version == 1
    assert all((entry.model is None) == bool(entry.reason) for entry in engine.registry.entries)


def _pipe(path: Path) -> None:
    path.unlink()
    os.mkfifo(path)


def _folder(path: Path) -> None:
    path.unlink()
    path.mkdir()


def _link(target: str) -> Callable[[Path], None]:
    def make(path: Path) -> None:
        path.unlink()
        path.symlink_to(target)

    return make


def _huge(path: Path) -> None:
    os.truncate(path, 2**40)


@pytest.mark.parametrize("name", ["model.onnx", "metadata.json", "config.pbtxt", "labels.txt"])
@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        pytest.param(_pipe, "it is a pipe", id="a pipe"),
        pytest.param(_folder, "it is a folder", id="a folder"),
        pytest.param(_link("/dev/zero"), "a device|leads out of", id="a device"),
        pytest.param(_link("nowhere"), "No such file", id="a link to nowhere"),
        pytest.param(
            _link("model.onnx"), "symbolic links|cannot be the name|No such file|no text|no ONNX", id="a circle"
        ),
        pytest.param(_huge, "has 1,099,511,627,776 bytes; accepted: up to", id="a terabyte"),
    ],
)
def test_what_is_no_file_is_not_waited_for(
    repository: Path, name: str, damage: Callable[[Path], None], reason: str
) -> None:
    """Nor is anything read without end: whichever of the files of a model it is."""
    folder = tiny_models.publish(repository, name="hostile")
    (folder.parent / "config.pbtxt").write_text('output { name: "logits" label_filename: "labels.txt" }')
    (folder.parent / "labels.txt").write_text("a\nb\nc\n")
    damage((folder if name in ("model.onnx", "metadata.json") else folder.parent) / name)
    if name == "metadata.json" and damage.__name__ == "make" and (folder / name).resolve() == folder / "model.onnx":
        reason = "does not follow the schema"
    entry = loaded(repository)
    assert entry.state == "failed"
    assert re.search(reason, entry.reason or ""), entry.reason
    assert str(repository) not in (entry.reason or "")


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(b"\xff\xfe", "does not follow the schema", id="no text"),
        pytest.param(b"[" * 1_000_000, "recursion limit", id="deeply nested"),
        pytest.param(b'{"recipe":' * 100_000, "recursion limit", id="objects deeply nested"),
        pytest.param(
            json.dumps({f"key {i}": i for i in range(100_000)}).encode(), r"and 99,?\d+ more", id="many errors"
        ),
        pytest.param(b'{"a\\nb\\u0007": 1}', "a b : Extra inputs", id="control characters"),
    ],
)
def test_hostile_metadata_are_refused(repository: Path, text: bytes, reason: str) -> None:
    """With a reason of one line that can be shown, however long the list of what is wrong."""
    folder = tiny_models.publish(repository, name="hostile")
    (folder / "metadata.json").write_bytes(text)
    told = loaded(repository).reason or ""
    assert re.search(reason, told), told
    assert told.isprintable()
    assert len(told) <= 1000


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param("output { name: 'x' " * 1000, "nested more than 20 deep", id="deeply nested"),
        pytest.param("[" * 10_000, "expected where", id="brackets"),
        pytest.param('x: "' + "\\" * 9_999, "cannot be read", id="a string without end"),
        pytest.param('output { name: "y" label_filename: "a\0b" }', "cannot be the name of a file", id="a null byte"),
        pytest.param('output { name: "y" label_filename: "/etc/passwd" }', "leads out of the folder", id="a path"),
        pytest.param("max_batch_size: 99999999999", "accepted: a whole number", id="a huge number"),
    ],
)
def test_hostile_configurations_are_refused(repository: Path, text: str, reason: str) -> None:
    """With what is wrong."""
    folder = tiny_models.publish(repository, name="hostile")
    (folder.parent / "config.pbtxt").write_text(text)
    told = loaded(repository).reason or ""
    assert re.search(reason, told), told
    assert len(told) <= 1000


def test_a_configuration_that_is_a_link_tells_nothing_of_its_target(repository: Path, tmp_path: Path) -> None:
    """A message would quote what it cannot read."""
    (tmp_path / "secret").write_text("$6$hash")
    folder = tiny_models.publish(repository, name="hostile")
    (folder.parent / "config.pbtxt").symlink_to(tmp_path / "secret")
    told = loaded(repository).reason or ""
    assert "leads out of the folder of model 'hostile'" in told
    assert "hash" not in told


def test_names_that_cannot_be_shown_are_listed_so_that_they_can(repository: Path) -> None:
    """Control characters, and bytes that are no UTF-8, which JSON cannot hold."""
    for name in (b"a\nb\x1b[31m", b"\xff\xfe"):
        folder = os.fsencode(repository) + b"/" + name + b"/1"
        os.makedirs(folder)  # noqa: PTH103  (the name is no text)
    tiny_models.publish(repository, name="good")
    engine = open_engine(Settings(models=repository, device="cpu", threads=1))
    engine.registry.load_all()
    names = [entry.folder.name for entry in engine.registry.entries]
    assert names == ["a\\nb\\x1b[31m", "good", "\\udcff\\udcfe"]
    json.dumps(names).encode()
    assert {entry.reason for entry in engine.registry.entries if not entry.model} == {
        "the name of its folder holds characters that cannot be printed; give it another one"
    }


def test_a_stray_file_does_not_take_the_place_of_a_model(repository: Path) -> None:
    """One with the name of a folder."""
    tiny_models.publish(repository, name="hostile")
    (repository / "hostile.onnx").write_bytes(b"stray")
    assert loaded(repository).state == "ready"


def test_a_version_that_no_program_can_hold_is_none(repository: Path) -> None:
    """Beyond 64 bits; the answers of the service are read by others."""
    tiny_models.publish(repository, name="hostile")
    (repository / "hostile" / ("9" * 200)).mkdir()
    assert loaded(repository).folder.version == 1
    assert [folder.version for folder in scan(repository) if folder.name == "hostile"] == [1]


def test_what_makes_much_of_little_is_not_computed() -> None:
    """A shape of 10^8 sizes, that is a constant repeated as often as ONNX cannot tell: 800 MB."""
    power = node("Pow", ["ten", "eight"], ["times"])
    repeated = node("Tile", ["ten", "times"], ["shape"])
    model = made(
        [power, repeated, node("Reshape", ["images", "shape"], ["y"])], [held("ten", [10]), held("eight", [8])]
    )
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    tensors = Tensors(model)
    assert tensors.value("times") == [10**8]
    assert tensors.value("shape") is None
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 400_000  # KiB

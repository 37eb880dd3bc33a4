"""Promises of service.registry."""

import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event

import numpy as np
import pytest
from onnx import helper, numpy_helper

from service.engine import open_engine
from service.errors import ModelFileError, ModelNotReadyError, UnknownModelError, UnknownVersionError
from service.model import Model
from service.registry import IndexEntry, Registry
from service.repository import ModelFolder, scan
from service.settings import Settings
from tests import tiny_models

ROOT = Path(__file__).parents[2]


def loaded(settings: Settings) -> Registry:
    """A registry whose models are loaded, as far as they can be."""
    registry = open_engine(settings).registry
    registry.load_all()
    return registry


def test_no_models_are_not_ready(settings: Settings) -> None:
    """A service with nothing to ask is not ready."""
    assert not loaded(settings).ready


def test_a_model_is_not_ready_before_it_is_loaded(repository: Path, settings: Settings) -> None:
    """While models are loading they are listed, and refused with that reason."""
    tiny_models.publish(repository)
    registry = open_engine(settings).registry
    assert [entry.state for entry in registry.entries] == ["loading"]
    assert not registry.ready
    with pytest.raises(ModelNotReadyError, match="'brightness' version 1 is still loading"):
        registry.find("brightness")


def test_the_highest_version_answers(repository: Path, settings: Settings) -> None:
    """Where no version is named; each can be named."""
    for version in (1, 2, 10):
        tiny_models.publish(repository, version=version)
    registry = loaded(settings)
    assert registry.find("brightness").version == 10
    assert registry.find("brightness", "2").version == 2


def test_a_broken_version_leaves_the_one_before_it(repository: Path, settings: Settings) -> None:
    """The highest version that loads answers; the broken one says what is wrong."""
    tiny_models.publish(repository, version=1)
    broken = tiny_models.publish(repository, version=2) / "model.onnx"
    broken.write_bytes(broken.read_bytes()[:200])
    registry = loaded(settings)
    assert registry.ready
    assert registry.find("brightness").version == 1
    with pytest.raises(ModelNotReadyError, match="version 2 failed to load: model.onnx has 200 bytes"):
        registry.find("brightness", "2")


@pytest.mark.parametrize(
    "damage",
    [
        pytest.param(lambda folder: (folder / "model.onnx").unlink(), id="no model"),
        pytest.param(lambda folder: (folder / "model.onnx").write_bytes(b""), id="empty model"),
        pytest.param(lambda folder: (folder / "metadata.json").write_text("{"), id="broken metadata"),
        pytest.param(lambda folder: (folder / "metadata.json").write_bytes(b"\xff\xfe"), id="metadata no text"),
    ],
)
def test_a_broken_model_takes_nothing_down(repository: Path, settings: Settings, damage: object) -> None:
    """The others are served."""
    assert callable(damage)
    damage(tiny_models.publish(repository, name="broken"))
    tiny_models.publish(repository, name="good")
    registry = loaded(settings)
    assert {entry.folder.name: entry.state for entry in registry.entries} == {"broken": "failed", "good": "ready"}
    with pytest.raises(ModelNotReadyError, match="'broken' version 1 failed to load"):
        registry.find("broken")


def test_unknown_names_bring_the_nearest(repository: Path, settings: Settings) -> None:
    """For models and for versions."""
    tiny_models.publish(repository)
    registry = loaded(settings)
    with pytest.raises(UnknownModelError, match="no model 'brigthness'; the nearest: brightness"):
        registry.find("brigthness")
    for version in ("2", "01", "latest", ""):
        with pytest.raises(UnknownVersionError, match=f"no version '{version}'; the nearest: 1"):
            registry.find("brightness", version)


def test_one_model_is_loaded_alone(repository: Path, settings: Settings) -> None:
    """A command that needs one model does not wait for the others."""
    tiny_models.publish(repository, name="a")
    tiny_models.publish(repository, name="b")
    registry = open_engine(settings).registry
    assert registry.load("b").name == "b"
    assert [entry.state for entry in registry.entries] == ["loading", "ready"]


def test_a_model_is_loaded_again(repository: Path, settings: Settings) -> None:
    """What is new on disk is served, and what is gone is not."""
    tiny_models.publish(repository, version=1)
    registry = loaded(settings)
    before = registry.find("brightness")
    tiny_models.publish(repository, version=2)
    (repository / "brightness" / "1").rename(repository / "brightness" / "3-old")
    registry.reload("brightness")
    assert registry.find("brightness").version == 2
    assert [entry.folder.version for entry in registry.versions("brightness")] == [2]
    assert before.probabilities(np.zeros((1, 2, 2, 1), np.uint8)).shape == (1, 3)


def test_a_changed_file_is_served_after_it_is_loaded_again(repository: Path, settings: Settings) -> None:
    """Its layers too: no graph of the old file is used any more."""
    made = tiny_models.brightness()
    file = tiny_models.publish(repository, made, name="tensors", described=False) / "model.onnx"
    registry = loaded(settings)
    feeds = {"images": np.ones((1, 1, 2, 2), np.float32)}
    assert registry.find("tensors").run(feeds, ["conv_out"])["conv_out"].max() == 1
    kernel = next(tensor for tensor in made.graph.initializer if tensor.name == "kernel")
    kernel.CopyFrom(numpy_helper.from_array(np.full((1, 1, 1, 1), 5, np.float32), "kernel"))
    file.write_bytes(made.SerializeToString())
    registry.reload("tensors")
    assert registry.find("tensors").run(feeds, ["conv_out"])["conv_out"].max() == 4


def test_the_version_that_served_stays_where_the_new_file_is_broken(repository: Path, settings: Settings) -> None:
    """The error says what is wrong."""
    file = tiny_models.publish(repository) / "model.onnx"
    registry = loaded(settings)
    before = registry.find("brightness")
    file.write_bytes(b"broken")
    with pytest.raises(ModelFileError, match="model.onnx has 6 bytes"):
        registry.reload("brightness")
    assert registry.find("brightness") is before


def test_a_model_serves_while_it_is_loaded_again(repository: Path, settings: Settings) -> None:
    """At every moment there is one to find, and the service is ready."""
    tiny_models.publish(repository)
    registry = loaded(settings)
    with ThreadPoolExecutor(2) as pool:
        changes = [pool.submit(registry.reload, "brightness") for _ in range(6)]
        while not all(change.done() for change in changes):
            assert registry.find("brightness").version == 1
            assert registry.ready
            assert [entry.state for entry in registry.index()] == ["READY"]
        assert [change.result() for change in changes] == [None] * 6


def test_an_unloaded_model_is_unknown_and_listed(repository: Path, settings: Settings) -> None:
    """It is still in the repository."""
    tiny_models.publish(repository)
    registry = loaded(settings)
    registry.unload("brightness")
    with pytest.raises(UnknownModelError):
        registry.find("brightness")
    assert registry.index() == [IndexEntry("brightness", 1, "UNAVAILABLE", "unloaded")]


def test_a_policy_of_versions_is_followed(repository: Path, settings: Settings) -> None:
    """Versions that `config.pbtxt` leaves out are not served; one that cannot be read is the reason."""
    for version in (1, 2):
        tiny_models.publish(repository, version=version)
    config = repository / "brightness" / "config.pbtxt"
    config.write_text("version_policy { specific { versions: 1 } }")
    assert [entry.folder.version for entry in loaded(settings).entries] == [1]
    config.write_text("version_policy {")
    assert {entry.reason for entry in loaded(settings).entries} == {
        "config.pbtxt: more is expected where 'the file ends' is"
    }


def test_labels_do_not_come_from_elsewhere(repository: Path, settings: Settings) -> None:
    """A file of labels lies beside the versions."""
    tiny_models.publish(repository)
    (repository / "brightness" / "config.pbtxt").write_text('output { name: "y" label_filename: "../../secret" }')
    (entry,) = loaded(settings).entries
    assert "leads out of the folder" in (entry.reason or "")


def test_a_model_that_raises_what_nobody_thought_of_takes_nothing_down(
    repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """Its trace is logged, and the reason names no insides."""

    def load(folder: ModelFolder) -> Model:
        raise ZeroDivisionError(f"in {folder.path}")

    tiny_models.publish(repository)
    registry = Registry(repository, load)
    registry.load_all()
    (entry,) = registry.entries
    assert entry.reason == "its files cannot be understood: ZeroDivisionError; the log of the service says more"
    assert str(repository) in caplog.text


# In a process of its own: one that has run other tests has room left for a model, so that nothing is seen to grow.
_MEMORY = """
import os, sys
from pathlib import Path
from threading import Event
import numpy as np
from benchmarks.processes import proportional_memory
from service.engine import open_engine
from service.settings import Settings

registry = open_engine(Settings(models=Path(sys.argv[1]), device="cpu", threads=1)).registry
registry.load("brightness")
before = proportional_memory(os.getpid())
for _ in range(3):
    registry.reload("large")
    registry.find("large").run({"images": np.ones((1, 4096), np.float32)}, ["y"])
    print(proportional_memory(os.getpid()) - before)
    registry.unload("large")
    print(proportional_memory(os.getpid()) - before)
"""


@pytest.mark.skipif(sys.platform != "linux", reason="the kernel tells the memory of a process")
def test_memory_comes_back_after_a_model_is_unloaded(repository: Path) -> None:
    """Of one with 64 MiB of weights, which takes them several times; again and again."""
    weights = {"weights": np.zeros((4096, 4096), np.float32)}
    nodes = [helper.make_node("MatMul", ["images", "weights"], ["y"])]
    large = tiny_models.model(nodes, weights, input_shape=["batch", 4096], output=("y", ["batch", 4096]))
    tiny_models.publish(repository)
    tiny_models.publish(repository, large, name="large", described=False)
    command = [sys.executable, "-c", _MEMORY, str(repository)]
    run = subprocess.run(command, check=True, stdout=subprocess.PIPE, env={"PYTHONPATH": str(ROOT)})
    taken = [int(line) for line in run.stdout.split()]
    assert min(taken[::2]) > 2**26
    assert max(taken[1::2]) < 2**25


def test_several_threads_load_each_model_once(repository: Path) -> None:
    """The one that began the start, and the application that waits for it: both return when all are loaded."""
    for name in ("one", "two", "three"):
        tiny_models.publish(repository, name=name)
    tried: list[str] = []

    def load(folder: ModelFolder) -> Model:
        tried.append(folder.name)
        raise ModelFileError("it is only looked whether it was tried")

    registry = Registry(repository, load)
    with ThreadPoolExecutor(4) as pool:
        list(pool.map(lambda _: registry.load_all(), range(4)))
    assert sorted(tried) == ["one", "three", "two"]
    assert [entry.state for entry in registry.entries] == ["failed"] * 3


def test_a_service_that_ends_begins_no_other_model(repository: Path) -> None:
    """What is told to end while it loads a hundred models must not load all of them first."""
    for name in ("one", "two"):
        tiny_models.publish(repository, name=name)

    def load(_: ModelFolder) -> Model:
        registry.close()
        raise ModelFileError("nobody waits for it")

    registry = Registry(repository, load)
    registry.load_all()
    assert [entry.state for entry in registry.entries] == ["failed", "loading"]


def test_a_model_that_is_new_is_listed_while_it_is_loaded(repository: Path) -> None:
    """And those that nobody has asked for yet; all in their order."""
    began, gate = Event(), Event()

    def load(_: ModelFolder) -> Model:
        began.set()
        gate.wait(60)
        raise ModelFileError("no model")

    registry = Registry(repository, load)
    for name in ("other", "new"):
        tiny_models.publish(repository, name=name)
    with ThreadPoolExecutor(1) as pool:
        coming = pool.submit(registry.reload, "new")
        try:
            assert began.wait(60)
            assert registry.index() == [
                IndexEntry("new", 1, "LOADING", ""),
                IndexEntry("other", 1, "UNAVAILABLE", "unloaded"),
            ]
        finally:
            gate.set()
        with pytest.raises(ModelFileError, match="model 'new' version 1: no model"):
            coming.result(60)
    tiny_models.publish(repository, name="new", version=2)
    assert registry.index() == [
        IndexEntry("new", 1, "UNAVAILABLE", "no model"),
        IndexEntry("new", 2, "UNAVAILABLE", "unloaded"),
        IndexEntry("other", 1, "UNAVAILABLE", "unloaded"),
    ]


def test_what_is_not_there_is_neither_loaded_nor_unloaded(repository: Path, settings: Settings) -> None:
    """The error says so, with the models that there are where none is near."""
    for name in ("a", "b", "c", "d"):
        tiny_models.publish(repository, name=name)
    registry = open_engine(settings).registry
    with pytest.raises(UnknownModelError, match="the repository has no model 'nowhere'"):
        registry.reload("nowhere")
    with pytest.raises(UnknownModelError, match="no model 'nowhere'; the nearest: a, b, c"):
        registry.unload("nowhere")


def test_what_is_loaded_alone_is_as_much_as_is_asked_for(repository: Path, settings: Settings) -> None:
    """One version, or all of a model."""
    for version in (1, 2):
        tiny_models.publish(repository, version=version)
    registry = open_engine(settings).registry
    assert registry.load("brightness", "1").version == 1
    assert [entry.state for entry in registry.entries] == ["ready", "loading"]
    assert registry.load("brightness").version == 2
    assert [entry.state for entry in registry.entries] == ["ready", "ready"]
    (repository / "brightness" / "2" / "model.onnx").write_bytes(b"broken")
    with pytest.raises(ModelNotReadyError):
        registry.load("brightness", "2")


def test_what_changes_while_it_is_loaded_is_loaded_once_more(repository: Path) -> None:
    """At the next look, and not again at that behind it."""
    tiny_models.publish(repository)
    tried: list[str] = []

    def load(folder: ModelFolder) -> Model:
        if not tried:
            (folder.path / "model.onnx").write_bytes(b"what came meanwhile")
        tried.append(folder.name)
        raise ModelFileError("no model")

    registry = Registry(repository, load)
    registry.load_all()
    for _ in range(3):
        registry.follow("brightness", scan(repository))
    assert len(tried) == 2


def test_a_reason_can_be_shown(repository: Path) -> None:
    """It may quote a hostile file: what cannot be printed is left out, and so is what goes on for ever."""

    def load(_: ModelFolder) -> Model:
        raise ModelFileError("a\nb\x1b[31m" + "c" * 10_000)

    tiny_models.publish(repository)
    registry = Registry(repository, load)
    registry.load_all()
    (entry,) = registry.entries
    assert entry.reason is not None
    assert (entry.reason[:8], len(entry.reason)) == ("a b [31m", 1000)

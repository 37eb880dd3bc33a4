"""Promises of service.watcher."""

import gc
import logging
import os
import shutil
import weakref
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor, wait
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Event
from threading import enumerate as threads

import numpy as np
import pytest

from service.engine import Engine, open_engine
from service.errors import ModelFileError, UnknownModelError
from service.model import Model
from service.registry import Entry, Registry
from service.repository import ModelFolder
from service.settings import Settings
from service.watcher import Watcher
from tests import tiny_models

NOBODY = 65534
WHITE = np.full((1, 2, 2, 1), 255, np.uint8)


@pytest.fixture
def engine(repository: Path, settings: Settings) -> Engine:
    """An engine that serves version 1 of `brightness`, and whose watcher has looked twice."""
    tiny_models.publish(repository)
    made = open_engine(settings)
    made.registry.load_all()
    assert settled(made) is False
    return made


def settled(engine: Engine) -> bool:
    """Look twice, as it takes to follow a change.  Returns whether anything changed."""
    return [engine.watcher.look(), engine.watcher.look()][1]


def entry(engine: Engine, version: int = 1) -> Entry:
    """One version of `brightness`."""
    return engine.registry.entry("brightness", str(version))


def swap(path: Path, data: bytes) -> None:
    """Write a file in place: the same inode, and at least another time of change."""
    path.write_bytes(data)


def test_a_new_model_is_served(engine: Engine, repository: Path) -> None:
    """A folder that was dropped in, and a file without metadata."""
    tiny_models.publish(repository, name="another")
    tiny_models.publish(repository, name="tensors", described=False)
    assert settled(engine)
    assert engine.registry.find("another").version == 1
    assert engine.registry.find("tensors").metadata is None


def test_a_new_version_is_served_and_the_others_stay_loaded(engine: Engine, repository: Path) -> None:
    """Nothing is loaded twice: the first version is the very same object."""
    before = engine.registry.find("brightness")
    tiny_models.publish(repository, version=2)
    assert settled(engine)
    assert engine.registry.find("brightness").version == 2
    assert engine.registry.find("brightness", "1") is before


def test_a_file_that_is_being_copied_is_left_alone(engine: Engine, repository: Path) -> None:
    """Nothing is loaded, and nothing fails, as long as it grows from look to look."""
    file = tiny_models.publish(repository, name="another", described=False) / "model.onnx"
    whole = file.read_bytes()
    for end in range(20, len(whole), 40):
        swap(file, whole[:end])
        assert not engine.watcher.look()
        assert [one.folder.name for one in engine.registry.entries] == ["brightness"]
    swap(file, whole)
    assert settled(engine)
    assert engine.registry.find("another").version == 1


def test_a_version_that_is_gone_is_unloaded(engine: Engine, repository: Path) -> None:
    """The other one answers."""
    tiny_models.publish(repository, version=2)
    settled(engine)
    shutil.rmtree(repository / "brightness" / "2")
    assert settled(engine)
    assert [one.folder.version for one in engine.registry.entries] == [1]
    assert engine.registry.find("brightness").version == 1


def test_a_model_that_is_gone_is_unloaded(engine: Engine, repository: Path) -> None:
    """Whoever asks for it is told which there are."""
    tiny_models.publish(repository, name="another")
    settled(engine)
    shutil.rmtree(repository / "brightness")
    assert settled(engine)
    with pytest.raises(UnknownModelError, match="the nearest: another"):
        engine.registry.find("brightness")


@pytest.mark.parametrize("content", [b"", b"no model", None], ids=["empty", "swapped", "cut short"])
def test_where_the_new_file_is_broken_the_one_before_it_serves(
    engine: Engine, repository: Path, content: bytes | None, caplog: pytest.LogCaptureFixture
) -> None:
    """Its layers too, none of which was asked for before; the reason is listed, and logged once."""
    file = repository / "brightness" / "1" / "model.onnx"
    whole = file.read_bytes()
    before = engine.registry.find("brightness")
    swap(file, whole[:-1] if content is None else content)
    assert settled(engine)
    assert entry(engine).model is before
    assert (entry(engine).reason or "").startswith("what lies there now does not load, and the one before it serves: ")
    assert before.feature_maps(WHITE, before.layers.find_all(["conv"]))[0].tolist() == [[[[1, 1], [1, 1]]]]
    assert before.run({"images": np.ones((1, 1, 2, 2), np.float32)}, ["logits"])["logits"].tolist() == [[0, 1, 2]]
    assert [settled(engine) for _ in range(3)] == [False] * 3
    assert sum("does not load" in record.message for record in caplog.records) == 1
    swap(file, whole)
    assert settled(engine)
    assert entry(engine).reason is None


def test_a_broken_new_version_leaves_the_one_before_it(engine: Engine, repository: Path) -> None:
    """Also where the one before is taken away with it: it serves until another one loads."""
    broken = tiny_models.publish(repository, version=2) / "model.onnx"
    whole = broken.read_bytes()
    swap(broken, whole[:200])
    shutil.rmtree(repository / "brightness" / "1")
    assert settled(engine)
    assert engine.registry.find("brightness").version == 1
    assert entry(engine).reason == "it is gone, and serves until another one loads"
    assert (entry(engine, 2).reason or "").startswith("model.onnx has 200 bytes")
    swap(broken, whole)
    assert settled(engine)
    assert [(one.folder.version, one.state) for one in engine.registry.entries] == [(2, "ready")]


def test_a_repository_that_is_gone_unloads_nothing(
    engine: Engine, repository: Path, caplog: pytest.LogCaptureFixture
) -> None:
    """It may be a network drive: gone, or the empty folder that it was mounted on; the log says so once."""
    caplog.set_level(logging.INFO)
    elsewhere = repository.rename(repository.with_name("elsewhere"))
    assert [settled(engine) for _ in range(3)] == [False] * 3
    repository.mkdir()
    assert [settled(engine) for _ in range(3)] == [False] * 3
    assert engine.registry.find("brightness").version == 1
    told = [record.message for record in caplog.records if record.name == "service.watcher"]
    assert [message.rpartition("models ")[2] for message in told] == [
        "cannot be read: No such file or directory: what is loaded goes on",
        "is empty: what is loaded goes on",
    ]
    repository.rmdir()
    elsewhere.rename(repository)
    assert settled(engine) is False
    assert caplog.records[-1].message.endswith("can be read again")


def test_a_repository_that_was_always_empty_is_no_trouble(settings: Settings, caplog: pytest.LogCaptureFixture) -> None:
    """Whoever starts a service before there is a model is not warned."""
    caplog.set_level(logging.INFO)
    assert settled(open_engine(settings)) is False
    assert [record.message for record in caplog.records if record.name == "service.watcher"] == []


@contextmanager
def as_nobody() -> Iterator[None]:
    """Without the right of root to read everything."""
    if os.geteuid() == 0:
        os.seteuid(NOBODY)
        try:
            yield
        finally:
            os.seteuid(0)
    else:
        yield


def test_a_model_whose_folder_cannot_be_read_goes_on(caplog: pytest.LogCaptureFixture) -> None:
    """With the reason; nor does it stop a service from starting."""
    with TemporaryDirectory(prefix="striate-", dir="/tmp") as name:
        root = Path(name)
        root.chmod(0o755)
        tiny_models.publish(root)
        tiny_models.publish(root, name="another")
        engine = open_engine(Settings(models=root, device="cpu", threads=1))
        engine.registry.load_all()
        settled(engine)
        (root / "brightness").chmod(0)
        with as_nobody():
            assert settled(engine)
            fresh = open_engine(Settings(models=root, device="cpu", threads=1))
            fresh.registry.load_all()
        (root / "brightness").chmod(0o755)
        assert engine.registry.find("brightness").version == 1
        assert "its folder cannot be read: Permission denied" in (entry(engine).reason or "")
        assert entry(fresh).reason == "its folder cannot be read: Permission denied"
        assert fresh.registry.find("another").version == 1
        assert sum("Permission denied" in record.message for record in caplog.records) == 2  # of two registries
        assert settled(engine)
        assert entry(engine).reason is None


def test_an_unloaded_model_stays_unloaded(engine: Engine, repository: Path) -> None:
    """Until it is loaded again by a call, whatever changes in its folder."""
    engine.registry.unload("brightness")
    tiny_models.publish(repository, version=2)
    assert settled(engine) is False
    with pytest.raises(UnknownModelError):
        engine.registry.find("brightness")
    engine.registry.reload("brightness")
    assert engine.registry.find("brightness").version == 2
    tiny_models.publish(repository, version=3)
    assert settled(engine)
    assert engine.registry.find("brightness").version == 3


def test_what_changes_beside_the_versions_is_followed(engine: Engine, repository: Path) -> None:
    """A policy of versions, as Triton has it."""
    tiny_models.publish(repository, version=2)
    settled(engine)
    (repository / "brightness" / "config.pbtxt").write_text("version_policy { specific { versions: 1 } }")
    assert settled(engine)
    assert [one.folder.version for one in engine.registry.entries] == [1]


def test_what_is_no_part_of_a_model_is_not_followed(engine: Engine, repository: Path) -> None:
    """A model card that was written again, and hidden files."""
    before = engine.registry.find("brightness")
    (repository / "brightness" / "1" / "README.md").write_text("a card")
    (repository / "brightness" / ".adding").mkdir()
    assert settled(engine) is False
    assert engine.registry.find("brightness") is before


def test_what_changed_while_the_service_started_is_followed(repository: Path, settings: Settings) -> None:
    """Between the first look at the repository and that of the watcher."""
    tiny_models.publish(repository)
    engine = open_engine(settings)
    tiny_models.publish(repository, version=2)
    engine.registry.load_all()
    assert settled(engine)
    assert engine.registry.find("brightness").version == 2


def test_a_model_that_is_replaced_is_let_go(engine: Engine, repository: Path) -> None:
    """Nobody keeps it, nor the networks that were made for it on demand."""
    model = engine.registry.find("brightness")
    model.feature_maps(WHITE, model.layers.find_all(["conv"]))
    assert engine.sessions.bytes > 0
    gone = weakref.ref(model)
    del model
    file = repository / "brightness" / "1" / "model.onnx"
    file.touch()
    assert settled(engine)
    gc.collect()
    assert gone() is None
    assert engine.sessions.bytes == 0


def test_it_looks_by_itself(repository: Path) -> None:
    """Every so many seconds, in a thread that ends when it is closed."""
    changed = Event()
    engine = open_engine(Settings(models=repository, device="cpu", threads=1, watch_seconds=0.01))
    engine.watcher.start(changed.set)
    tiny_models.publish(repository)
    try:
        assert changed.wait(60)
        assert engine.registry.find("brightness").version == 1
    finally:
        engine.watcher.close()
    assert "watcher" not in {thread.name for thread in threads()}


class SlowRegistry(Registry):
    """One in which to load a model takes until somebody lets it."""

    def __init__(self, root: Path) -> None:
        super().__init__(root, self._wait)
        self.began, self.gate = Event(), Event()
        self.tried: list[str] = []

    def _wait(self, folder: ModelFolder) -> Model:
        self.began.set()
        self.gate.wait(60)
        self.tried.append(folder.name)
        raise ModelFileError("no model")


def test_the_model_that_is_being_loaded_is_waited_for(repository: Path) -> None:
    """Where it ends; what else has changed is not loaded any more."""
    registry = SlowRegistry(repository)
    watcher = Watcher(registry, repository, seconds=0.01)
    for name in ("first", "second"):
        tiny_models.publish(repository / ".coming", name=name).parent.rename(repository / name)
    with ThreadPoolExecutor(1) as pool:
        try:
            watcher.start(lambda: None)
            assert registry.began.wait(60)
            closing = pool.submit(watcher.close)
            assert not wait([closing], timeout=0.2).done
        finally:
            registry.gate.set()
        closing.result(60)
    assert registry.tried == ["first"]


def test_it_is_not_waited_for_for_ever(repository: Path) -> None:
    """A disk may hang; nor does its thread hold up the end of the process."""
    registry = SlowRegistry(repository)
    watcher = Watcher(registry, repository, seconds=0.01, patience_seconds=0.1)
    tiny_models.publish(repository)
    with ThreadPoolExecutor(1) as pool:
        try:
            watcher.start(lambda: None)
            assert registry.began.wait(60)
            pool.submit(watcher.close).result(60)
            assert not registry.tried
            assert [thread.daemon for thread in threads() if thread.name == "watcher"] == [True]
        finally:
            registry.gate.set()


class FaultyRegistry(Registry):
    """One with a fault, at the first change."""

    faults = 0

    def follow(self, name: str, folders: Sequence[ModelFolder]) -> bool:
        """Fail, and later not."""
        self.faults += 1
        if self.faults == 1:
            raise ZeroDivisionError
        return super().follow(name, folders)


def test_a_fault_does_not_end_it(engine: Engine, repository: Path, caplog: pytest.LogCaptureFixture) -> None:
    """The log says which; what could not be followed is tried again."""
    registry = FaultyRegistry(repository, lambda _: engine.registry.find("brightness"))
    watcher = Watcher(registry, repository, seconds=0.01)
    changed = Event()
    watcher.start(changed.set)
    try:
        assert changed.wait(60)
    finally:
        watcher.close()
    assert registry.faults == 2
    assert [record.exc_info[0] for record in caplog.records if record.exc_info] == [ZeroDivisionError]


def test_it_does_not_look_where_it_should_not(repository: Path) -> None:
    """The setting switches it off."""
    engine = open_engine(Settings(models=repository, device="cpu", threads=1, watch_seconds=0))
    changed = Event()
    engine.watcher.start(changed.set)
    tiny_models.publish(repository)
    assert not changed.wait(0.2)
    engine.watcher.close()

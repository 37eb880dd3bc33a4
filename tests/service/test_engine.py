"""Promises of service.engine."""

import threading
from dataclasses import replace
from pathlib import Path

import pytest

from service.cores import available_cores
from service.engine import open_engine
from service.errors import ModelFileError
from service.model import Model
from service.registry import Registry
from service.repository import ModelFolder
from service.settings import Settings
from tests import tiny_models


def test_threads_follow_the_machine_where_nothing_is_said(repository: Path) -> None:
    """0 is as many as the process may use."""
    assert open_engine(Settings(models=repository, device="cpu")).threads == available_cores()
    assert open_engine(Settings(models=repository, device="cpu", threads=3)).threads == 3


def test_a_missing_repository_is_told_at_the_start(tmp_path: Path) -> None:
    """Not when the first request comes."""
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_engine(Settings(models=tmp_path / "missing", device="cpu"))


def test_loading_begins_and_nobody_waits(repository: Path, settings: Settings) -> None:
    """The rest of the service is put together while the models load."""
    tiny_models.publish(repository)
    go_on, ended = threading.Event(), threading.Event()

    def load(_: ModelFolder) -> Model:
        go_on.wait(timeout=30)
        ended.set()
        raise ModelFileError("it is only looked whether it was tried")

    engine = replace(open_engine(settings), registry=Registry(repository, load))
    engine.begin_loading()
    assert not ended.is_set()
    go_on.set()
    assert ended.wait(timeout=30)
    engine.close()

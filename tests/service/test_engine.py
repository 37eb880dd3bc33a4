"""Promises of service.engine."""

from pathlib import Path

import pytest

from service.cores import available_cores
from service.engine import open_engine
from service.errors import ModelFileError
from service.settings import Settings


def test_threads_follow_the_machine_where_nothing_is_said(repository: Path) -> None:
    """0 is as many as the process may use."""
    assert open_engine(Settings(models=repository, device="cpu")).threads == available_cores()
    assert open_engine(Settings(models=repository, device="cpu", threads=3)).threads == 3


def test_a_missing_repository_is_told_at_the_start(tmp_path: Path) -> None:
    """Not when the first request comes."""
    with pytest.raises(ModelFileError, match="cannot be read"):
        open_engine(Settings(models=tmp_path / "missing", device="cpu"))

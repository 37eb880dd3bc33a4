"""A client of the application, with `brightness` in the repository."""

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.engine import open_engine
from service.http.app import create_app
from service.settings import Settings
from tests import tiny_models

Connect = Callable[[Settings], AbstractContextManager[TestClient]]


@contextmanager
def connected(settings: Settings) -> Iterator[TestClient]:
    """A client of an application whose models are loaded."""
    engine = open_engine(settings)
    engine.registry.load_all()
    with TestClient(create_app(engine), raise_server_exceptions=False) as client:
        yield client


@pytest.fixture
def connect() -> Connect:
    """Makes a client for settings of a test's own."""
    return connected


@pytest.fixture
def client(repository: Path, settings: Settings) -> Iterator[TestClient]:
    """A client of an application that serves `brightness`."""
    tiny_models.publish(repository)
    with connected(settings) as client:
        yield client

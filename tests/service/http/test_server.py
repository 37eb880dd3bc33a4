"""Promises of service.http.server."""

from service.engine import open_engine
from service.http.app import create_app
from service.http.server import configure
from service.settings import Settings


def test_what_uvicorn_keeps_is_as_set(settings: Settings) -> None:
    """Where it listens, how long a connection may be idle, and how long it waits at the end."""
    changes = {"host": "127.0.0.2", "port": 1234, "keep_alive_seconds": 7, "shutdown_seconds": 9}
    chosen = settings.model_copy(update=changes)
    config = configure(create_app(open_engine(chosen)), chosen)
    found = (config.host, config.port, config.timeout_keep_alive, config.timeout_graceful_shutdown)
    assert found == tuple(changes.values())

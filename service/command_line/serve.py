"""`striate serve`: the models of a repository over HTTP."""

import logging
import signal

import uvicorn

from service.command_line.flags import with_settings
from service.engine import open_engine
from service.http.app import create_app
from service.settings import Settings


@with_settings()
def serve(*, settings: Settings) -> None:
    """Serve the models of a repository over HTTP.

    Every setting is a flag or an environment variable; the flag wins. Stop with Ctrl-C or SIGTERM: requests that were
    accepted get their answers first.

        striate serve --models models --port 8123
    """
    logging.basicConfig(level=settings.log_level.upper(), format="%(asctime)s %(levelname)-8s %(message)s")
    # uvicorn drains on SIGTERM, and then raises it once more: an orderly end is no failure.
    signal.signal(signal.SIGTERM, lambda *_: None)
    uvicorn.run(
        create_app(open_engine(settings)),
        host=settings.host,
        port=settings.port,
        log_config=None,
        timeout_graceful_shutdown=settings.shutdown_seconds,
        server_header=False,
    )

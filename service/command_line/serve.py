"""`striate serve`: the models of a repository over HTTP."""

import sys

from service import logs, open_files
from service.command_line.flags import with_settings
from service.engine import open_engine
from service.http.app import create_app
from service.http.server import Server, configure
from service.settings import Settings
from service.workers.launch import supervise


@with_settings()
def serve(*, settings: Settings) -> None:
    """Serve the models of a repository over HTTP.

    Every setting is a flag, an environment variable or a line of the TOML file that --config names; the first of these
    wins. Stop with Ctrl-C or SIGTERM: requests that were accepted get their answers first. A second time ends it at
    once.

        striate serve --models models --port 8123
    """
    logs.configure(settings.log_level, settings.log_format)
    open_files.allow(settings.max_connections)
    if settings.workers > 1:
        supervise(settings)
    engine = open_engine(settings)
    server = Server(configure(create_app(engine), settings), broken=lambda: engine.device.pulse.lost)
    server.run()
    sys.exit(server.status)

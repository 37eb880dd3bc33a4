"""`striate serve`: the models of a repository over HTTP."""

import sys
from contextlib import closing
from typing import TYPE_CHECKING

from service import logs, memory, open_files
from service.command_line.flags import with_settings
from service.settings import Settings
from service.workers.launch import listen, supervise

if TYPE_CHECKING:
    from service.engine import Engine
    from service.http.server import Server


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
    for listener in listen(settings.host, settings.port):
        listener.close()  # it can be listened on: else uvicorn would say so when the models are loaded
    sys.exit(_serve(settings))


def _serve(settings: Settings) -> int:
    """Serve in this process until it is told to end; returns its status."""
    with memory.lasting():
        from service.engine import open_engine  # noqa: PLC0415  (neither --help nor the supervisor needs it)

        engine = open_engine(settings)
    with closing(engine):
        engine.begin_loading()
        server = _server(engine)
        server.run()
    return server.status


def _server(engine: "Engine") -> "Server":
    """What speaks HTTP, which is imported while the models load: ONNX Runtime makes sessions without Python's lock."""
    with memory.lasting():
        from service.http.app import create_app  # noqa: PLC0415
        from service.http.server import Server, configure  # noqa: PLC0415

        return Server(configure(create_app(engine), engine.settings), broken=lambda: engine.device.pulse.lost)

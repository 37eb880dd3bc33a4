"""From the settings of the service to its supervisor: what each worker gets, and where to listen."""

import os
import socket
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, NoReturn

import service
from service.cores import available_cores
from service.errors import SettingsError
from service.settings import Settings
from service.workers.plan import Plan

_BACKLOG: Final = 2048  # connections that wait for the supervisor, as many as uvicorn lets wait
_PATIENCE_SECONDS: Final = 5.0  # beyond the setting shutdown_seconds, until a worker that does not end is killed


def supervise(settings: Settings) -> NoReturn:
    """Become the supervisor of `settings.workers` processes.

    This process has loaded all that a command needs, and the supervisor needs next to nothing: it starts afresh.

    Raises:
        SettingsError: As `plan` does.
    """
    command = [sys.executable, "-P", "-m", "service.workers.supervisor", str(plan(settings).save())]
    os.execve(command[0], command, _environment())  # noqa: S606  (no shell is wanted)


def plan(settings: Settings) -> Plan:
    """What the supervisor is to keep running; it is listened already, on sockets that a new program keeps.

    Raises:
        SettingsError: There are more workers than cores, the address cannot be listened on, or this system cannot hand
            connections to processes.
    """
    divided = shares(settings)
    listeners = listen(settings.host, settings.port)
    url = _url(settings, listeners[0])
    for listener in listeners:
        listener.set_inheritable(True)
    return Plan(
        command=[sys.executable, "-P", "-m", "service.workers.worker"],
        listeners=[listener.detach() for listener in listeners],
        url=url,
        shares=[share.model_dump_json() for share in divided],
        threads=sum(share.threads for share in divided),
        patience_seconds=settings.shutdown_seconds + _PATIENCE_SECONDS,
        log_level=settings.log_level,
        log_format=settings.log_format,
    )


def shares(settings: Settings) -> list[Settings]:
    """The settings of each worker: what is counted for the service as a whole is divided among them.

    Raises:
        SettingsError: There are more workers than cores, or this system cannot hand connections to processes.
    """
    workers, threads = settings.workers, settings.threads or available_cores()
    if sys.platform != "linux":
        raise SettingsError(f"workers is {workers}: on {sys.platform} the service is one process; accepted: 1")
    if workers > threads:
        raise SettingsError(f"workers is {workers}, with {threads} cores (setting threads); accepted: 1 to {threads}")
    return [
        settings.model_copy(
            update={
                "threads": _share(threads, workers, number),
                "max_queue": _share(settings.max_queue, workers, number),
                "max_held_bytes": _share(settings.max_held_bytes, workers, number),
                "max_connections": _share(settings.max_connections, workers, number),
                "session_cache_bytes": _share(settings.session_cache_bytes, workers, number),
                "client_rate": settings.client_rate / workers,
                "client_burst": max(1, _share(settings.client_burst, workers, number)),
            }
        )
        for number in range(workers)
    ]


def listen(host: str, port: int) -> list[socket.socket]:
    """Listen on every address of a host, on the same port.

    Raises:
        SettingsError: It cannot be listened on.
    """
    listeners: list[socket.socket] = []
    try:
        found = socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
        for family, address in dict.fromkeys((family, str(address[0])) for family, _, _, _, address in found):
            taken = listeners[0].getsockname()[1] if listeners else port
            listeners.append(socket.create_server((address, taken), family=family, backlog=_BACKLOG))
    except OSError as error:
        raise SettingsError(f"cannot listen on host {host!r}, port {port}: {error.strerror}") from error
    return listeners


def _environment() -> Mapping[str, str]:
    """An environment in which the package is found that runs here, wherever the command was given."""
    before = os.environ.get("PYTHONPATH")
    root = str(Path(service.__file__).parents[1])
    return {**os.environ, "PYTHONPATH": os.pathsep.join([root, *([before] if before else [])])}


def _share(total: int, workers: int, number: int) -> int:
    """What one worker gets; all shares together are the total, and differ by at most 1."""
    each, left = divmod(total, workers)
    return each + (number < left)


def _url(settings: Settings, listener: socket.socket) -> str:
    scheme = "https" if settings.tls_certificate else "http"
    host = f"[{settings.host}]" if ":" in settings.host else settings.host
    return f"{scheme}://{host}:{listener.getsockname()[1]}"

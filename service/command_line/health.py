"""`striate health`: whether the service on this machine is ready, as the health check of a container asks."""

import http.client
import json
from http import HTTPStatus
from typing import Annotated, Final

import typer

from service.command_line.flags import with_settings
from service.errors import HealthError, SettingsError
from service.settings import Settings

_MAX_BYTES: Final = 65_536
# A service that listens on every address is found on this one.
_THIS_MACHINE: Final = {"0.0.0.0": "127.0.0.1", "::": "::1"}  # noqa: S104  (asked, not listened on)


@with_settings("host", "port")
def health(
    *,
    live: Annotated[bool, typer.Option("--live", help="Ask whether it is alive, though it may not be ready.")] = False,
    timeout: Annotated[
        float, typer.Option(help="Longest wait for each step of the answer, in seconds.", min=0.01, max=3600)
    ] = 2,
    settings: Settings,
) -> None:
    """Ask the service on this machine whether it is ready; the exit status is 0 where it is, else 1.

    Where it listens is known from its own settings.

        striate health --port 8123
    """
    question = "live" if live else "ready"
    status, body = _ask(settings, f"/v2/health/{question}", timeout)
    if status != HTTPStatus.OK:
        raise HealthError(f"not {question}: {_reason(body) or f'status {status}'}")
    typer.echo(question)


def _ask(settings: Settings, path: str, timeout: float) -> tuple[int, bytes]:
    """The status of an answer, and its beginning."""
    if settings.port == 0:
        raise SettingsError("port 0 was a free one, and which is not known here: --port tells")
    host = _THIS_MACHINE.get(settings.host, settings.host)
    caller = http.client.HTTPConnection(host, settings.port, timeout=timeout)
    try:
        caller.request("GET", path)
        answer = caller.getresponse()
        return answer.status, answer.read(_MAX_BYTES)
    except (OSError, ValueError, http.client.HTTPException) as error:
        raise HealthError(
            f"no answer from {host} port {settings.port}: {str(error) or type(error).__name__}"
        ) from error
    finally:
        caller.close()


def _reason(body: bytes) -> str:
    """What an answer of the protocol, or of this service's other half, says is wrong; empty where it says nothing."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get("error") or said.get("detail") or "") if isinstance(said, dict) else ""

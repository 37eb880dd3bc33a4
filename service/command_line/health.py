"""`striate health`: whether the service on this machine is ready, as the health check of a container asks."""

import json
import ssl
from http import HTTPStatus
from http.client import HTTPConnection, HTTPException, HTTPSConnection
from typing import Annotated, Final

import typer

from service.command_line.flags import with_settings
from service.errors import HealthError, SettingsError
from service.settings import Settings

_MAX_BYTES: Final = 65_536


@with_settings("host", "port", "tls_certificate")
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
    caller = _caller(settings, timeout)
    try:
        caller.request("GET", path)
        answer = caller.getresponse()
        return answer.status, answer.read(_MAX_BYTES)
    except (OSError, ValueError, HTTPException) as error:
        raise HealthError(
            f"no answer from {caller.host} port {caller.port}: {str(error) or type(error).__name__}"
        ) from error
    finally:
        caller.close()


def _caller(settings: Settings, timeout: float) -> HTTPConnection:
    # Every address, as 0.0.0.0, is one at which this machine finds itself.
    host = settings.host
    if settings.tls_certificate is None:
        return HTTPConnection(host, settings.port, timeout=timeout)
    # The certificate is for the name that others know, and nothing is told that is secret.
    anyone = ssl.create_default_context()
    anyone.check_hostname, anyone.verify_mode = False, ssl.CERT_NONE
    return HTTPSConnection(host, settings.port, timeout=timeout, context=anyone)


def _reason(body: bytes) -> str:
    """What an answer of the protocol, or of this service's other half, says is wrong; empty where it says nothing."""
    try:
        said = json.loads(body)
    except ValueError:
        return ""
    return str(said.get("error") or said.get("detail") or "") if isinstance(said, dict) else ""

"""Hands each call to a replica that has the model which it asks for."""

import logging
from typing import Final

from fastapi import Response
from ray.exceptions import RayActorError
from ray.serve.exceptions import BackPressureError
from ray.serve.handle import DeploymentHandle
from starlette.requests import ClientDisconnect
from starlette.types import Receive, Scope, Send

from deploy.ray.forwarding import Call, Reply, model_of, receive_call
from service.errors import QueueFullError, StriateError
from service.http import problems
from service.settings import Settings

log = logging.getLogger(__name__)

# A call whose replica dies is asked of another one, which is safe: calls change nothing.  One that is what kills
# replicas takes no more of them with it.
_TRIES: Final = 3


class Router:
    """An application that computes nothing.

    Args:
        replicas: Those that hold models.
        settings: Of the service.
    """

    def __init__(self, replicas: DeploymentHandle, settings: Settings) -> None:
        self._replicas = replicas
        self._max_bytes = settings.max_body_bytes
        self._timeout_seconds = settings.body_timeout_seconds

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request."""
        try:
            call = await receive_call(scope, receive, max_bytes=self._max_bytes, timeout_seconds=self._timeout_seconds)
            reply = await self._ask(call)
        except ClientDisconnect:
            return
        except StriateError as error:
            await _problem(scope["path"], error)(scope, receive, send)
        else:
            await _response(reply)(scope, receive, send)

    async def _ask(self, call: Call) -> Reply:
        """Ask a replica; Ray chooses one that has the model, or else one with few models."""
        replicas = self._replicas.options(multiplexed_model_id=model_of(call.path) or "")
        for left in reversed(range(_TRIES)):
            try:
                reply: Reply = await replicas.remote(call)
            except BackPressureError as error:
                raise QueueFullError(str(error)) from error
            except RayActorError as error:
                if not left:
                    raise
                log.warning("%s %s is asked again: %s", call.method, call.path, type(error).__name__)
            else:
                return reply
        raise AssertionError


def _problem(path: str, error: StriateError) -> Response:
    status = problems.status_of(error)
    body, media_type, headers = problems.written(path, status, problems.code_of(type(error)), str(error))
    return Response(body, status, headers, media_type)


def _response(reply: Reply) -> Response:
    response = Response(reply.body, reply.status)
    response.raw_headers = list(reply.headers)
    return response

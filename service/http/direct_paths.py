"""Requests to a model, and about health, answered before FastAPI looks for their route.

FastAPI documents these routes, and answers what is wrong with a path.  To find one, it tries router after router, and
wraps each call in what dependencies may need: as long as all of the rest of the way from the socket to a small network.
"""

import re
from collections.abc import Awaitable, Callable, Iterable, Mapping
from http import HTTPStatus
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http import problems
from service.http.calls import DirectRoute

Answer = Callable[[Request], Awaitable[Response]]

_PATH: Final = re.compile(r"(/v[12])/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(/[^/]+)")


class DirectPaths:
    """Answers the requests that it knows a route for, and passes on all others.

    Args:
        app: What comes after.
        routers: Whose routes are meant, those that are a `DirectRoute`; by what is before `/models`, `/v1` or `/v2`;
            by nothing, where their paths are whole.
    """

    def __init__(self, app: ASGIApp, routers: Mapping[str, Iterable[APIRouter]]) -> None:
        self._app = app
        self._answers: dict[tuple[str, str, str], tuple[DirectRoute, Answer]] = {
            (method, prefix, route.path): (route, route.get_route_handler())
            for prefix, those in routers.items()
            for router in those
            for route in router.routes
            if isinstance(route, DirectRoute)
            for method in _methods(route)
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        answer = self.find(scope) or self._refusal(scope)
        if answer is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await answer(request)
        except Exception as error:  # noqa: BLE001  (what is no problem is raised again)
            response = await problems.response_to(request, error)
        await response(scope, receive, send)

    def _refusal(self, scope: Scope) -> Answer | None:
        """What answers a request whose path has such a route, with another method."""
        if scope["type"] != "http" or (path := _PATH.fullmatch(scope["path"])) is None:
            return None
        known = {method: route for (method, *rest), (route, _) in self._answers.items() if rest == [path[1], path[4]]}
        if not known:
            return None
        scope["route"] = next(iter(known.values()))
        scope["path_params"] = {"model": path[2]} if path[3] is None else {"model": path[2], "version": path[3]}

        async def refuse(_: Request) -> Response:
            raise HTTPException(HTTPStatus.METHOD_NOT_ALLOWED, headers={"Allow": ", ".join(sorted(known))})

        return refuse

    def find(self, scope: Scope) -> Answer | None:
        """What answers a request; its route and the parameters of its path are left in the scope, as routers do."""
        if scope["type"] != "http":
            return None
        path = _PATH.fullmatch(scope["path"])
        prefix, model, version, rest = path.groups() if path else ("", None, None, scope["path"])
        known = self._answers.get((scope["method"], prefix, rest))
        if known is None:
            return None
        scope["route"], answer = known
        scope["path_params"] = {} if path is None else {"model": model} if version is None else path.groupdict()
        return answer


def _methods(route: DirectRoute) -> frozenset[str]:
    """Whatever can be fetched can be asked for without its body."""
    methods = frozenset(route.methods or ())
    return methods | {"HEAD"} if "GET" in methods else methods

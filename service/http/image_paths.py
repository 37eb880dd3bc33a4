"""Requests about images, answered before FastAPI looks for their route.

FastAPI documents these routes and answers what is wrong with them (an unknown path, another method).  To find one, it
tries router after router, and wraps each call in what dependencies may need: as long as all of the rest of the way from
the socket to a small network.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from service.http import problems
from service.http.calls import ImageRoute

Answer = Callable[[Request], Awaitable[Response]]

_PATH: Final = re.compile(r"/v1/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?P<rest>/[^/]+)")


class ImagePaths:
    """Answers requests about images, and passes on all others.

    Args:
        app: What comes after.
        routers: Whose routes are meant: those that are an `ImageRoute`.
    """

    def __init__(self, app: ASGIApp, routers: Iterable[APIRouter]) -> None:
        self._app = app
        routes = [route for router in routers for route in router.routes if isinstance(route, ImageRoute)]
        self._answers: dict[tuple[str, str], tuple[ImageRoute, Answer]] = {
            (method, route.path): (route, route.get_route_handler())
            for route in routes
            for method in route.methods or ()
        }

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        answer = self.find(scope)
        if answer is None:
            await self._app(scope, receive, send)
            return
        request = Request(scope, receive)
        try:
            response = await answer(request)
        except Exception as error:  # noqa: BLE001  (what is no problem is raised again)
            response = await problems.response_to(request, error)
        await response(scope, receive, send)

    def find(self, scope: Scope) -> Answer | None:
        """What answers a request; its route and the parameters of its path are left in the scope, as routers do."""
        if scope["type"] != "http" or (path := _PATH.fullmatch(scope["path"])) is None:
            return None
        model, version, rest = path.groups()
        known = self._answers.get((scope["method"], rest))
        if known is None:
            return None
        scope["route"], answer = known
        scope["path_params"] = {"model": model} if version is None else {"model": model, "version": version}
        return answer

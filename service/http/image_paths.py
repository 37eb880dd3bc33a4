"""The paths of requests about images, found by one look instead of one try after the other.

FastAPI documents these routes and answers what is wrong with them (an unknown path, another method).  To find one, it
tries router after router, and wraps each call in what dependencies may need: as long as all of the rest of the way from
the socket to a small network.
"""

import re
from collections.abc import Awaitable, Callable, Iterable
from typing import Final

from fastapi import APIRouter, Request, Response
from starlette.routing import BaseRoute, Match
from starlette.types import Receive, Scope, Send

from service.http.calls import ImageRoute

Answer = Callable[[Request], Awaitable[Response]]

_PATH: Final = re.compile(r"/v1/models/(?P<model>[^/]+)(?:/versions/(?P<version>[^/]+))?(?P<rest>/[^/]+)")


class ImagePaths(BaseRoute):
    """Stands before the routes of an application, and takes those of its image routes that it knows.

    Args:
        routers: Whose routes are meant: those that are an `ImageRoute`.
    """

    def __init__(self, routers: Iterable[APIRouter]) -> None:
        routes = [route for router in routers for route in router.routes if isinstance(route, ImageRoute)]
        self._answers: dict[tuple[str, str], tuple[ImageRoute, Answer]] = {
            (method, route.path): (route, route.get_route_handler())
            for route in routes
            for method in route.methods or ()
        }

    def matches(self, scope: Scope) -> tuple[Match, Scope]:
        """Whether it is a request about images; all others are for the routes behind."""
        if scope["type"] != "http" or (found := _PATH.fullmatch(scope["path"])) is None:
            return Match.NONE, {}
        known = self._answers.get((scope["method"], found["rest"]))
        if known is None:
            return Match.NONE, {}
        route, answer = known
        parameters = {name: found[name] for name in ("model", "version") if found[name] is not None}
        return Match.FULL, {"endpoint": answer, "route": route, "path_params": parameters}

    async def handle(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer; an error is for the application, as it is from every route."""
        answer: Answer = scope["endpoint"]
        response = await answer(Request(scope, receive, send))
        await response(scope, receive, send)

"""What is seen of each request from outside: its id, its line in the log, its place in the metrics.

`Observation` stands before all else, so that a request has them however it ends: answered, refused or failed.  What is
found out about a request on its way is left in its `Observed`, which `observed_of` finds.
"""

import random
import re
import time
import traceback
from collections.abc import Callable, Mapping
from typing import Final, Protocol, TypeAlias

from starlette.routing import Route, Router
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.http.request_log import Level, RequestLog
from service.model import Model
from service.request_statistics import RequestStatistics
from service.timing import Timings

Templates: TypeAlias = Mapping[tuple[int, bool], str]
"""By the identity of a route, and whether its path has a version."""

REQUEST_ID: Final = "X-Request-ID"

# Asked every few seconds by machines: where all is well, nobody wants to read of it.
_PROBES: Final = frozenset(("/v2/health/live", "/v2/health/ready", "/metrics"))

_LONGEST_PATH: Final = 256  # characters that are logged
_LONGEST_METHOD: Final = 16
_LONGEST_DETAIL: Final = 500
_KEY: Final = "observed"
_ID: Final = re.compile(rb"[\x21-\x7e]{1,128}")
_TRACEPARENT: Final = re.compile(
    rb"(?!ff)[0-9a-f]{2}-(?!0{32})([0-9a-f]{32})-(?!0{16})[0-9a-f]{16}-[0-9a-f]{2}(?:-.*)?"
)


class Observed:
    """What is known of a request; whoever finds out more writes it here.

    Args:
        request_id: What the caller calls it, or else what we do.
        trace_id: The trace that it is part of, as W3C's trace context names it; empty for none.
    """

    __slots__ = (
        "detail",
        "error",
        "exception",
        "model",
        "received",
        "request_id",
        "sent",
        "status",
        "timings",
        "trace_id",
        "version",
    )

    def __init__(self, request_id: str, trace_id: str = "") -> None:
        self.request_id = request_id
        self.trace_id = trace_id
        self.model = ""  # only of one that exists
        self.version = 0
        self.timings: Timings | None = None
        self.error = ""  # the code of what went wrong
        self.detail = ""  # the same in words
        self.exception: BaseException | None = None  # that nobody thought of
        self.received = 0  # bytes of the body
        self.sent = 0
        self.status = 0  # until the answer begins

    def found(self, model: Model) -> None:
        """It is for this model."""
        self.model, self.version = model.name, model.version

    def failed(self, code: str, detail: str) -> None:
        """It is answered with an error."""
        self.error, self.detail = code, detail


def new_id() -> str:
    """A name for a request, which no other has; it is no secret."""
    return f"{random.getrandbits(128):032x}"


def observed_of(scope: Scope) -> Observed:
    """What is known of the request of a scope."""
    observed: Observed = scope["state"][_KEY]
    return observed


class Tracing(Protocol):
    """Makes the spans of requests, as `service.http.tracing` does."""

    def trace(self, scope: Scope, observed: Observed, route: str, *, start: float, end: float) -> str:
        """Make those of a request; returns the id of the trace."""


class Observation:
    """Observes every request of an application.

    Args:
        app: What answers.
        statistics: Counts requests.
        log: Writes a line for each.
        route_of: The template of the path of a scope that was routed; empty where there is none.
        active: Holds the requests that are being answered.
        tracing: Makes spans; None where nobody wants any.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        statistics: RequestStatistics,
        log: RequestLog,
        route_of: Callable[[Scope], str],
        active: set[Observed],
        tracing: Tracing | None = None,
    ) -> None:
        self._app = app
        self._statistics = statistics
        self._log = log
        self._route_of = route_of
        self._active = active
        self._tracing = tracing

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer."""
        if scope["type"] != "http":
            await self._app(scope, receive, send)
            return
        start = time.perf_counter()
        observed = _begun(scope)
        self._active.add(observed)
        complete = False

        async def observed_send(message: Message) -> None:
            nonlocal complete
            if message["type"] == "http.response.start":
                observed.status = message["status"]
                message["headers"] = [*message.get("headers", ()), (b"x-request-id", observed.request_id.encode())]
            elif message["type"] == "http.response.body":
                observed.sent += len(message.get("body", b""))
                complete = not message.get("more_body", False)
            await send(message)

        try:
            await self._app(scope, receive, observed_send)
        except Exception as error:
            observed.exception = error
            if not complete:
                raise
        finally:
            self._active.discard(observed)
            self._end(scope, observed, start)

    def _end(self, scope: Scope, observed: Observed, start: float) -> None:
        end = time.perf_counter()
        seconds = end - start
        route, status = self._route_of(scope), observed.status or 500
        if self._tracing is not None:
            observed.trace_id = self._tracing.trace(scope, observed, route, start=start, end=end)
        self._statistics.answered(
            route, observed.model, observed.version, status, seconds=seconds, timings=observed.timings
        )
        if observed.error:
            self._statistics.failed(observed.error)
        level = _level(route, status)
        if self._log.wants(level):
            self._log.request(
                level,
                {
                    "method": scope["method"][:_LONGEST_METHOD],
                    "path": _path(scope),
                    "route": route,
                    "status": status,
                    "seconds": round(seconds, 6),
                    "model": observed.model,
                    "version": observed.version,
                    "received": observed.received,
                    "sent": 0 if scope["method"] == "HEAD" else observed.sent,
                    "request_id": observed.request_id,
                    "trace_id": observed.trace_id,
                    "caller": scope["state"].get("caller", ""),
                    "error": observed.error,
                    "detail": observed.detail[:_LONGEST_DETAIL],
                    "exception": _traced(observed.exception),
                },
            )


def templates(router: Router, prefix: str = "") -> Templates:
    """The templates of the paths of a router's routes below a prefix.

    A route that is included under several prefixes is one object: whether the path has a version tells them apart.
    FastAPI could tell them too, but makes each route anew for that, which takes as long as to load a small network.
    """
    return {
        (id(route), "{version}" in prefix): prefix + route.path_format
        for route in router.routes
        if isinstance(route, Route)
    }


def route_of(known: Templates, scope: Scope) -> str:
    """The template of the path of a scope that an application has routed; empty where there is none."""
    return known.get((id(scope.get("route")), "version" in scope.get("path_params", ())), "")


def _begun(scope: Scope) -> Observed:
    """A request that has just come."""
    request_id = trace_id = ""
    for name, value in scope["headers"]:
        if name == b"x-request-id" and _ID.fullmatch(value):
            request_id = value.decode()
        elif name == b"traceparent" and (parent := _TRACEPARENT.fullmatch(value)):
            trace_id = parent[1].decode()
    observed = Observed(request_id or new_id(), trace_id)
    scope.setdefault("state", {})[_KEY] = observed
    return observed


def _level(route: str, status: int) -> Level:
    if status >= 500:
        return "error" if status == 500 else "warning"
    return "debug" if status < 400 and route in _PROBES else "info"


def _path(scope: Scope) -> str:
    """The path as it was sent, percent-encoded; without the query string."""
    path = (scope.get("raw_path") or scope["path"].encode()).decode("ascii", "backslashreplace")
    return path if len(path) <= _LONGEST_PATH else f"{path[:_LONGEST_PATH]}…"


def _traced(error: BaseException | None) -> str:
    return "" if error is None else "".join(traceback.format_exception(error))

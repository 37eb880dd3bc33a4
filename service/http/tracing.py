"""Traces of requests, sent by OTLP.  Imported only where they are wanted: it takes OpenTelemetry's SDK.

The spans of a request are made when it is answered, from what was measured on its way: nothing has to be carried along,
and what is not wanted costs nothing.  They are sent by a thread in the background.  What a collector does not take in
time is dropped, so that one that is slow or dead holds nothing up.
"""

import os
import socket
import threading
import time
from collections.abc import Mapping
from typing import Final

from opentelemetry import trace
from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
from opentelemetry.sdk.resources import OTELResourceDetector, Resource
from opentelemetry.sdk.trace import TracerProvider
from opentelemetry.sdk.trace.export import BatchSpanProcessor
from opentelemetry.trace import SpanKind, StatusCode
from opentelemetry.trace.propagation.tracecontext import TraceContextTextMapPropagator
from starlette.types import Scope

from service import __version__
from service.http.observation import Observed

_METHODS: Final = frozenset(("CONNECT", "DELETE", "GET", "HEAD", "OPTIONS", "PATCH", "POST", "PUT", "QUERY", "TRACE"))
_NANOSECONDS: Final = 1_000_000_000
_CLOSE_SECONDS: Final = 5.0


class Tracing:
    """Makes the spans of requests, and sends them.

    Args:
        endpoint: The address of a collector, to which /v1/traces is added; where it is empty, the variables of
            OpenTelemetry have it.
    """

    def __init__(self, endpoint: str) -> None:
        ours = {
            "service.name": "striate",
            "service.version": __version__,
            "service.instance.id": f"{socket.gethostname()}-{os.getpid()}",
        }
        # What the variables say goes before what we do.
        resource = Resource.create(ours).merge(OTELResourceDetector().detect())
        self._provider = TracerProvider(resource=resource, shutdown_on_exit=False)
        exporter = OTLPSpanExporter(endpoint=f"{endpoint.rstrip('/')}/v1/traces" if endpoint else None)
        self._provider.add_span_processor(BatchSpanProcessor(exporter))
        self._tracer = self._provider.get_tracer("striate", __version__)
        self._propagator = TraceContextTextMapPropagator()

    def trace(self, scope: Scope, observed: Observed, route: str, *, start: float, end: float) -> str:
        """Make the spans of a request that is answered.

        Args:
            scope: Of the request.
            observed: What is known of it.
            route: The template of its path.
            start: When it began, as `time.perf_counter` has it.
            end: When it was answered.

        Returns:
            The id of the trace.
        """
        since = time.time_ns() - int(time.perf_counter() * _NANOSECONDS)
        method = scope["method"] if scope["method"] in _METHODS else "HTTP"
        span = self._tracer.start_span(
            f"{method} {route}".rstrip(),
            context=self._propagator.extract(_carrier(scope)),
            kind=SpanKind.SERVER,
            attributes=_attributes(scope, observed, route),
            start_time=since + int(start * _NANOSECONDS),
        )
        if span.is_recording():
            context = trace.set_span_in_context(span)
            for stage, began, ended in observed.timings.spans if observed.timings else ():
                inner = self._tracer.start_span(stage, context=context, start_time=since + int(began * _NANOSECONDS))
                inner.end(since + int(ended * _NANOSECONDS))
            if observed.status >= 500 or not observed.status:
                span.set_status(StatusCode.ERROR, observed.detail or None)
        span.end(since + int(end * _NANOSECONDS))
        return trace.format_trace_id(span.get_span_context().trace_id)

    def close(self) -> None:
        """Send what is left; returns after five seconds at the latest, whatever the collector does."""
        # The provider waits for a request that is on its way, for as long as that takes.
        ending = threading.Thread(target=self._provider.shutdown, name="striate-traces", daemon=True)
        ending.start()
        ending.join(_CLOSE_SECONDS)


def _carrier(scope: Scope) -> Mapping[str, str]:
    wanted = (b"traceparent", b"tracestate")
    return {name.decode(): value.decode("latin-1") for name, value in scope["headers"] if name in wanted}


def _attributes(scope: Scope, observed: Observed, route: str) -> Mapping[str, str | int]:
    """By the semantic conventions of OpenTelemetry for HTTP servers, 1.23 and later; those that are known."""
    status = observed.status or 500
    server, client = scope.get("server") or ("", 0), scope.get("client") or ("", 0)
    known: dict[str, str | int | None] = {
        "http.request.method": scope["method"] if scope["method"] in _METHODS else "_OTHER",
        "http.response.status_code": status,
        "http.route": route,
        "url.path": scope["path"],
        "url.scheme": scope.get("scheme"),
        "network.protocol.version": scope.get("http_version"),
        "server.address": server[0],
        "server.port": server[1],
        "client.address": client[0],
        "error.type": (observed.error or str(status)) if status >= 500 else None,
        "striate.request_id": observed.request_id,
        "striate.model": observed.model,
        "striate.version": observed.version,
        "striate.images": observed.timings.items if observed.timings else None,
    }
    return {name: value for name, value in known.items() if value}

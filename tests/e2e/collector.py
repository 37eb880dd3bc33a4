"""A collector of traces that speaks OTLP over HTTP, as protobuf."""

from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from queue import Queue
from threading import Event, Thread

from opentelemetry.proto.collector.trace.v1.trace_service_pb2 import (
    ExportTraceServiceRequest,
    ExportTraceServiceResponse,
)
from opentelemetry.proto.resource.v1.resource_pb2 import Resource
from opentelemetry.proto.trace.v1.trace_pb2 import Span


class Collector:
    """What arrives.

    Args:
        patient: Whether it answers; else it takes a request and says nothing.
    """

    def __init__(self, *, patient: bool = True) -> None:
        self.spans: Queue[tuple[Resource, Span]] = Queue()
        self.ended = Event()
        if patient:
            self.ended.set()
        self.url = ""

    def take(self, path: str, content_type: str | None, body: bytes) -> bytes:
        """Take a request; returns what it is answered with."""
        assert (path, content_type) == ("/v1/traces", "application/x-protobuf")
        request = ExportTraceServiceRequest.FromString(body)
        for group in request.resource_spans:
            for scope in group.scope_spans:
                for span in scope.spans:
                    self.spans.put((group.resource, span))
        self.ended.wait()
        return ExportTraceServiceResponse().SerializeToString()

    def all(self) -> list[tuple[Resource, Span]]:
        """What has arrived; to be called when nothing more comes."""
        found = []
        while not self.spans.empty():
            found.append(self.spans.get())
        return found


@contextmanager
def collecting(*, patient: bool = True) -> Iterator[Collector]:
    """A collector that listens."""
    collector = Collector(patient=patient)

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            answer = collector.take(self.path, self.headers["Content-Type"], body)
            self.send_response(200)
            self.send_header("Content-Type", "application/x-protobuf")
            self.send_header("Content-Length", str(len(answer)))
            self.end_headers()
            self.wfile.write(answer)

        def log_message(self, *_: object) -> None:
            """Say nothing."""

    with ThreadingHTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        collector.url = f"http://127.0.0.1:{server.server_port}"
        try:
            yield collector
        finally:
            collector.ended.set()
            server.shutdown()
            thread.join()

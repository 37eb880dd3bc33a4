"""Traces, as a collector gets them."""

import signal
import socket
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path

import httpx2
import pytest
from opentelemetry.proto.common.v1.common_pb2 import KeyValue
from opentelemetry.proto.trace.v1.trace_pb2 import Span, Status

from tests import tiny_models
from tests.e2e.callers import CLASSIFY, PICTURE
from tests.e2e.collector import collecting
from tests.e2e.conftest import ROOT, Server, Start

TRACE, PARENT = "4bf92f3577b34da6a3ce929d0e0e4736", "00f067aa0ba902b7"


def plain(attributes: list[KeyValue]) -> Mapping[str, object]:
    """Attributes as Python has them."""
    return {
        one.key: one.value.int_value if one.value.HasField("int_value") else one.value.string_value
        for one in attributes
    }


def end(server: Server) -> None:
    """End the service in order, within a time that no collector has a say in."""
    server.process.send_signal(signal.SIGTERM)
    assert server.process.wait(timeout=25) == 0


def ask(server: Server, path: str = CLASSIFY, **headers: str) -> httpx2.Response:
    """Ask about a picture."""
    return httpx2.post(f"{server.url}{path}", content=PICTURE, headers=headers, timeout=60)


@pytest.mark.parametrize("workers", [1, *([2] if sys.platform == "linux" else [])], ids="{} workers".format)
def test_a_collector_gets_the_spans_of_each_request(start: Start, repository: Path, workers: int) -> None:
    """Within the trace of the caller, each stage within the request; all of them before the service has ended."""
    tiny_models.publish(repository)
    with collecting() as collector:
        flags = ["--otlp-endpoint", collector.url, "--workers", str(workers), "--threads", "2"]
        with start(repository, *flags) as server:
            answer = ask(server, traceparent=f"00-{TRACE}-{PARENT}-01")
            assert answer.status_code == 200
            server.log.until(f'"trace_id":"{TRACE}"')
            end(server)
        spans = collector.all()
    (request,) = (span for _, span in spans if span.kind == Span.SPAN_KIND_SERVER)
    stages = [span for _, span in spans if span.kind != Span.SPAN_KIND_SERVER]
    assert (request.trace_id.hex(), request.parent_span_id.hex()) == (TRACE, PARENT)
    assert request.name == "POST /v1/models/{model}/classify"
    attributes = plain(list(request.attributes))
    assert (
        attributes.items()
        >= {
            "http.request.method": "POST",
            "http.response.status_code": 200,
            "http.route": "/v1/models/{model}/classify",
            "url.path": CLASSIFY,
            "url.scheme": "http",
            "striate.model": "brightness",
            "striate.version": 1,
            "striate.images": 1,
            "striate.request_id": answer.headers["x-request-id"],
        }.items()
    )
    assert sorted(span.name for span in stages) == ["compute", "decode", "encode", "queue"]
    for span in stages:
        assert (span.trace_id, span.parent_span_id) == (request.trace_id, request.span_id)
        assert request.start_time_unix_nano <= span.start_time_unix_nano <= span.end_time_unix_nano
        assert span.end_time_unix_nano <= request.end_time_unix_nano
    order = sorted(stages, key=lambda span: span.start_time_unix_nano)
    # A small picture is decoded where it arrives, and waits for those who share its run.
    assert [span.name for span in order] == ["decode", "queue", "compute", "encode"]
    resource = plain(list(spans[0][0].attributes))
    assert resource["service.name"] == "striate"


def test_requests_without_a_parent_begin_a_trace(
    start: Start, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """What OpenTelemetry's own variables say is done; one that the caller does not want is not sent."""
    tiny_models.publish(repository)
    with collecting() as collector:
        monkeypatch.setenv("OTEL_EXPORTER_OTLP_ENDPOINT", collector.url)
        monkeypatch.setenv("OTEL_SERVICE_NAME", "classes")
        with start(repository) as server:
            assert ask(server, "/v1/models/nobody/classify").status_code == 404
            assert ask(server, traceparent=f"00-{TRACE}-{PARENT}-00").status_code == 200
            end(server)
        ((resource, span),) = collector.all()
    assert not span.parent_span_id
    assert span.status.code == Status.STATUS_CODE_UNSET
    assert plain(list(span.attributes))["http.response.status_code"] == 404
    assert plain(list(resource.attributes))["service.name"] == "classes"


def test_a_collector_that_is_not_there_hurts_nobody(start: Start, repository: Path) -> None:
    """Requests are answered, and the service ends in time."""
    tiny_models.publish(repository)
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # and nobody else can have it
        endpoint = f"http://127.0.0.1:{taken.getsockname()[1]}"
        with start(repository, "--otlp-endpoint", endpoint) as server:
            for _ in range(3):
                assert ask(server).status_code == 200
            end(server)


def test_a_collector_that_never_answers_hurts_nobody(start: Start, repository: Path) -> None:
    """Neither while the service runs, nor when it ends."""
    tiny_models.publish(repository)
    with collecting(patient=False) as collector, start(repository, "--otlp-endpoint", collector.url) as server:
        for _ in range(3):
            assert ask(server).status_code == 200
        collector.spans.get(timeout=60)  # it has been sent something, and keeps it
        assert ask(server).status_code == 200
        end(server)


def test_without_a_collector_nothing_is_imported_for_traces(repository: Path) -> None:
    """A start takes no longer for it."""
    code = (
        "import sys; from pathlib import Path; from service.engine import open_engine; from service.settings import"
        " Settings; from service.http.app import create_app;"
        f" create_app(open_engine(Settings(models=Path({str(repository)!r}), device='cpu', threads=1)));"
        " print([name for name in sys.modules if name.startswith(('opentelemetry.sdk', 'opentelemetry.exporter'))])"
    )
    run = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"

"""Promises of service.http.metrics."""

import gzip
import re
import uuid
from collections.abc import Iterable, Mapping
from pathlib import Path

import pytest
from fastapi.testclient import TestClient
from prometheus_client import Metric
from prometheus_client.openmetrics.parser import text_string_to_metric_families as read_openmetrics
from prometheus_client.parser import text_string_to_metric_families as read_plain

from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

DOCUMENT = Path(__file__).parents[3] / "docs" / "observability.md"
CLASSIFY = "/v1/models/brightness/classify"
ROUTE = "/v1/models/{model}/classify"
PICTURE = images.plain(255)
OPENMETRICS = "application/openmetrics-text; version=1.0.0"

Labels = Mapping[str, str]


def parsed(text: str) -> list[Metric]:
    """What is told as OpenMetrics, read strictly."""
    return list(read_openmetrics(text))  # type: ignore[no-untyped-call]  # it has no types


def families(client: TestClient) -> list[Metric]:
    """What is told, read as Prometheus reads it."""
    return parsed(client.get("/metrics", headers={"Accept": OPENMETRICS}).text)


def value(found: Iterable[Metric], name: str, **labels: str) -> float:
    """The one sample of a name and labels, or the sum of several."""
    samples = [sample for family in found for sample in family.samples if sample.name == name]
    return sum(sample.value for sample in samples if labels.items() <= sample.labels.items())


def test_requests_are_timed(client: TestClient) -> None:
    """As a whole and by stage, by route, model, version and status; also those that go wrong."""
    for body in (PICTURE, PICTURE, b"none"):
        client.post(CLASSIFY, content=body)
    found = families(client)
    for status, count in (("200", 2), ("415", 1)):
        labels = {"route": ROUTE, "model": "brightness", "version": "1", "status": status}
        assert value(found, "striate_request_duration_seconds_count", **labels) == count
        assert value(found, "striate_request_duration_seconds_bucket", le="+Inf", **labels) == count
        assert value(found, "striate_stage_duration_seconds_count", stage="queue", **labels) == count
    assert value(found, "striate_stage_duration_seconds_count", stage="compute", status="200") == 2
    assert value(found, "striate_stage_duration_seconds_count", stage="compute", status="415") == 0
    assert value(found, "striate_request_images_sum", status="200") == 2
    assert value(found, "striate_errors_total", reason="image-type") == 1


def test_triton_names_count_the_same(client: TestClient) -> None:
    """For dashboards and autoscalers that know them."""
    for body in (PICTURE, PICTURE, b"none"):
        client.post(CLASSIFY, content=body)
    found = families(client)
    for name, count in (("request_success", 2), ("request_failure", 1), ("count", 2), ("exec_count", 2)):
        assert value(found, f"nv_inference_{name}", model="brightness", version="1") == count
    whole, infer = (value(found, f"nv_inference_{name}_duration_us") for name in ("request", "compute_infer"))
    assert 0 < infer < whole


def test_no_caller_can_make_series(client: TestClient) -> None:
    """Neither by paths, nor by names of models, layers or versions, nor by methods."""

    def series() -> set[tuple[str, frozenset[tuple[str, str]]]]:
        return {
            (sample.name, frozenset(sample.labels.items())) for family in families(client) for sample in family.samples
        }

    shapes = ("/{}", "/v1/models/{}/classify", "/v1/models/brightness/versions/{}/classify", "/page/{}", "/v2/{}/x")
    methods = ("GET", "POST", "BREW")

    def ask(number: int) -> None:
        name = uuid.uuid5(uuid.NAMESPACE_URL, str(number)).hex
        client.request(methods[number % 3], shapes[number % 5].format(name), headers={"X-Request-ID": name})

    for number in range(30):
        ask(number)
    families(client)
    before = series()
    for number in range(1000):
        ask(number)
    assert series() == before
    assert value(families(client), "striate_request_duration_seconds_count", route="other") >= 400


@pytest.mark.parametrize(
    ("accept", "content_type"),
    [
        pytest.param("*/*", "text/plain; version=0.0.4", id="anything"),
        pytest.param("text/plain", "text/plain", id="text"),
        pytest.param("application/json", "text/plain", id="something else"),
        pytest.param(OPENMETRICS, "application/openmetrics-text; version=1.0.0", id="OpenMetrics"),
        pytest.param("x" * 5000 + ",;;=,", "text/plain", id="nonsense"),
    ],
)
def test_the_form_is_the_callers(client: TestClient, accept: str, content_type: str) -> None:
    """Both forms have the same samples in them."""
    answer = client.get("/metrics", headers={"Accept": accept})
    assert answer.headers["content-type"].startswith(content_type)
    read = parsed if "openmetrics" in content_type else read_plain
    assert value(read(answer.text), "striate_ready") == 1


def test_it_may_be_packed(client: TestClient) -> None:
    """Where the caller says so."""
    with client.stream("GET", "/metrics", headers={"Accept-Encoding": "gzip"}) as answer:
        raw = b"".join(answer.iter_raw())
    assert answer.headers["content-encoding"] == "gzip"
    assert b"striate_ready 1.0" in gzip.decompress(raw)
    assert "content-encoding" not in client.get("/metrics", headers={"Accept-Encoding": "identity"}).headers


def test_models_are_told_by_their_state(repository: Path, connect: Connect, settings: Settings) -> None:
    """Those that do not load too; the service is ready all the same."""
    tiny_models.publish(repository)
    (tiny_models.publish(repository, name="broken") / "model.onnx").write_bytes(b"cut")
    with connect(settings) as client:
        found = families(client)
    for model, state in (("brightness", "ready"), ("broken", "failed")):
        assert value(found, "striate_model_state", model=model, state=state) == 1
        assert value(found, "striate_model_state", model=model) == 1
    assert value(found, "striate_ready") == 1
    assert value(found, "striate_device_info", requested="cpu", used="cpu", fallback="false") == 1


def test_the_cache_of_graphs_is_told(connect: Connect, repository: Path, settings: Settings) -> None:
    """Its size, and how often it helped."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"session_cache_bytes": 0})) as client:
        for layer in ("conv", "conv", "pool"):
            assert client.post(f"/v1/models/brightness/feature-maps?layer={layer}", content=PICTURE).status_code == 200
        found = families(client)
    counts = {name: value(found, f"striate_session_cache_{name}_total") for name in ("hits", "misses", "evictions")}
    assert counts == {"hits": 1, "misses": 2, "evictions": 1}
    assert value(found, "striate_session_cache_bytes") > 0


def documented() -> dict[str, tuple[str, set[str]]]:
    """The type and the labels of each metric in the document."""
    rows = re.findall(r"^\| `(\w+)` \| (\w+) \| ([\w, ]*) ?\| ", DOCUMENT.read_text(), flags=re.MULTILINE)
    return {name: (kind, set(labels.replace(",", " ").split())) for name, kind, labels in rows}


def test_the_document_lists_what_there_is(client: TestClient) -> None:
    """Each metric with its type and its labels, and no other."""
    client.post(CLASSIFY, content=PICTURE)
    client.post(CLASSIFY, content=b"none")
    exposed: dict[str, tuple[str, set[str]]] = {}
    for family in families(client):
        name = family.name + {"counter": "_total", "info": "_info"}.get(family.type, "")
        labels = {label for sample in family.samples for label in sample.labels} - {"le"}
        exposed[name] = ("gauge" if family.type == "info" else family.type, labels)
    assert documented() == exposed

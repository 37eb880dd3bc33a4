"""The dashboard and the alert rules, asked of a Prometheus that scrapes the service."""

import json
import math
import re
import shutil
import subprocess
import time
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

import httpx2
import pytest

from tests import images, tiny_models
from tests.e2e.conftest import ROOT, Log, Server, started

DEPLOY = ROOT / "deploy"
ALERTS = DEPLOY / "prometheus" / "alerts.yml"
DASHBOARD: Mapping[str, Any] = json.loads((DEPLOY / "grafana" / "dashboards" / "striate.json").read_text())
PICTURE = images.plain(255)

# Labels that Prometheus adds.
_OF_PROMETHEUS = {"job", "instance", "le"}


def dashboard() -> list[str]:
    """The queries of the dashboard, with values for its variables."""
    found = [target["expr"] for panel in DASHBOARD["panels"] for target in panel.get("targets", ())]
    return [query.replace("$__rate_interval", "30s").replace("$model", ".*") for query in found]


def installed() -> str:
    """The program."""
    found = shutil.which("prometheus")
    if found is None:
        pytest.skip("Debian's package prometheus is not installed (make packages)")
    return found


def written(folder: Path, server: Server) -> Path:
    """The configuration of deploy/, for a service on another port, with a quicker clock."""
    text = (DEPLOY / "prometheus" / "prometheus.yml").read_text()
    assert text.count("striate:8000") == 1
    text = text.replace("striate:8000", f"127.0.0.1:{server.port}").replace(": 15s", ": 1s")
    (folder / "alerts.yml").write_text(ALERTS.read_text())
    (folder / "prometheus.yml").write_text(text)
    return folder / "prometheus.yml"


class Prometheus:
    """One that runs, and the service that it scrapes."""

    def __init__(self, url: str, server: Server) -> None:
        self.url = url
        self.server = server

    def get(self, path: str, **parameters: str) -> Any:  # noqa: ANN401  (JSON)
        """What its API answers."""
        answer = httpx2.get(f"{self.url}/api/v1/{path}", params=parameters, timeout=30)
        found = answer.json()
        assert found["status"] == "success", (parameters, found)
        return found["data"]

    def query(self, expression: str) -> list[float]:
        """The values that an expression has now."""
        return [float(sample["value"][1]) for sample in self.get("query", query=expression)["result"]]

    def ask_service(self) -> None:
        """Traffic of all sorts: good, wrong, too large, feature maps."""
        base = f"{self.server.url}/v1/models/brightness"
        for _ in range(3):
            assert httpx2.post(f"{base}/classify", content=PICTURE, timeout=60).status_code == 200
        for layer in ("conv", "pool", "conv"):
            assert httpx2.post(f"{base}/feature-maps?layer={layer}", content=PICTURE, timeout=60).status_code == 200
        assert httpx2.post(f"{base}/classify", content=b"none", timeout=60).status_code == 415
        assert httpx2.post(f"{base}/classify", content=bytes(200_000), timeout=60).status_code == 413


@pytest.fixture(scope="module")
def prometheus(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Prometheus]:
    """Prometheus, scraping the service every second."""
    program, folder = installed(), tmp_path_factory.mktemp("prometheus")
    models = folder / "models"
    models.mkdir()
    tiny_models.publish(models)
    with started(models, "--max-body-bytes", "100000", "--session-cache-bytes", "0", "--max-batch", "4") as server:
        flags = [f"--config.file={written(folder, server)}", f"--storage.tsdb.path={folder / 'data'}"]
        command = [program, *flags, "--web.listen-address=127.0.0.1:0", "--log.format=json"]
        with subprocess.Popen(command, stderr=subprocess.PIPE, text=True) as process:
            assert process.stderr
            log = Log(process.stderr)
            try:
                said = log.until('"Listening on"')
                address = re.findall(r'"address":"([\d.:]+)","caller":\S*"msg":"Listening on"', said) or re.findall(
                    r"127\.0\.0\.1:\d+", said
                )
                yield Prometheus(f"http://{address[-1]}", server)
            finally:
                process.kill()
                log.close()


def test_every_query_of_the_dashboard_has_an_answer(prometheus: Prometheus) -> None:
    """After some traffic: at least one value that is a number."""
    missing = dashboard()
    assert len(missing) > 20
    deadline = time.monotonic() + 90
    while missing:
        prometheus.ask_service()
        missing = [query for query in missing if not any(map(math.isfinite, prometheus.query(query)))]
        assert time.monotonic() < deadline, missing


def test_every_alert_is_evaluated_and_none_goes_off(prometheus: Prometheus) -> None:
    """On a service that is well."""
    deadline = time.monotonic() + 60
    while True:
        rules = [rule for group in prometheus.get("rules")["groups"] for rule in group["rules"]]
        assert {rule["health"] for rule in rules} <= {"ok", "unknown"}, rules
        if all(rule["health"] == "ok" for rule in rules):
            break
        assert time.monotonic() < deadline, rules
    assert len(rules) == ALERTS.read_text().count("- alert:")
    assert [rule["name"] for rule in rules if rule["state"] == "firing"] == []


def selectors(query: str) -> Iterator[tuple[str, set[str]]]:
    """The metrics that a query names, each with the labels that it selects by."""
    for name, _, labels in re.findall(r"\b((?:striate|nv_inference|process)_\w+|up\b)(\{([^}]*)\})?", query):
        yield name, set(re.findall(r"(\w+)\s*(?:=~|!~|!=|=)", labels))


def grouped(query: str) -> set[str]:
    """The labels by which it groups."""
    return {label.strip() for labels in re.findall(r"\bby \(([^)]*)\)", query) for label in labels.split(",")}


def rules(prometheus: Prometheus) -> Sequence[str]:
    """The expressions of the alerts."""
    return [rule["query"] for group in prometheus.get("rules")["groups"] for rule in group["rules"]]


def test_every_metric_and_label_exists(prometheus: Prometheus) -> None:
    """Those that the dashboard and the alerts name, in what was really scraped."""
    prometheus.ask_service()
    known: dict[str, set[str]] = {}
    for query in [*dashboard(), *rules(prometheus)]:
        found = list(selectors(query))
        assert found, query
        for name, _ in found:
            deadline = time.monotonic() + 60
            while not known.get(name):
                series = prometheus.get("series", **{"match[]": name})
                known[name] = {label for one in series for label in one}
                assert time.monotonic() < deadline, f"{name} is not exposed"
        for name, labels in found:
            assert labels | grouped(query) <= known[name] | _OF_PROMETHEUS, (name, query)


def test_the_legend_names_labels_that_are_left(prometheus: Prometheus) -> None:
    """Each label in a legend is one that the query keeps."""
    del prometheus
    for panel in DASHBOARD["panels"]:
        for target in panel.get("targets", ()):
            wanted = set(re.findall(r"\{\{(\w+)\}\}", target["legendFormat"]))
            kept = grouped(target["expr"])
            assert wanted <= kept or not kept, target


@pytest.mark.parametrize(
    "arguments",
    [
        pytest.param(["check", "config", "deploy/prometheus/prometheus.yml"], id="config"),
        pytest.param(["check", "rules", "deploy/prometheus/alerts.yml"], id="rules"),
        pytest.param(["test", "rules", "tests/deploy/alerts.yml"], id="alerts"),
    ],
)
def test_promtool_has_no_complaint(arguments: Sequence[str]) -> None:
    """The files of deploy/ are well formed, and alerts go off when they should."""
    installed()
    run = subprocess.run(["promtool", *arguments], cwd=ROOT, capture_output=True, text=True, check=False)  # noqa: S607
    assert run.returncode == 0, run.stdout + run.stderr


def test_promtool_likes_the_names_of_metrics(prometheus: Prometheus) -> None:
    """Those that are ours to choose."""
    prometheus.ask_service()
    text = httpx2.get(f"{prometheus.server.url}/metrics", timeout=60).text
    ours = "".join(line for line in text.splitlines(keepends=True) if "nv_inference" not in line)
    run = subprocess.run(["promtool", "check", "metrics"], input=ours, capture_output=True, text=True, check=False)  # noqa: S607
    assert (run.returncode, run.stdout + run.stderr) == (0, "")

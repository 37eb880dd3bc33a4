"""The manifests are what Kubernetes takes, and agree with the service."""

import copy
import re
from pathlib import Path
from typing import Any

import kubernetes_validate
import pytest
import yaml
from fastapi.testclient import TestClient

from service.engine import open_engine
from service.errors import SettingsError
from service.http.app import create_app
from service.settings import Settings, read_settings
from tests import tiny_models
from tests.deploy.manifests import DEPLOY, ROOT, VERSIONS, Manifest, only, rendered, seconds_to_end, validate

FOLDER = DEPLOY / "kubernetes"
ALL = [FOLDER / "base", *sorted((FOLDER / "overlays").iterdir())]
METRIC = "nv_inference_pending_request_count"


@pytest.fixture(params=ALL, ids=lambda folder: folder.name)
def manifests(request: pytest.FixtureRequest) -> tuple[Manifest, ...]:
    """Those of the base, and of each overlay."""
    return rendered(request.param)


@pytest.fixture
def pod(manifests: tuple[Manifest, ...]) -> Any:  # noqa: ANN401  (it is walked by its keys)
    """The specification of the pods."""
    return only(manifests, "Deployment")["spec"]["template"]["spec"]


@pytest.fixture
def container(pod: Any) -> Any:  # noqa: ANN401
    """The one container of a pod."""
    (container,) = pod["containers"]
    return container


@pytest.fixture
def given(manifests: tuple[Manifest, ...], container: Any, monkeypatch: pytest.MonkeyPatch) -> Settings:  # noqa: ANN401
    """The settings as the service reads them in a pod."""
    settings = only(manifests, "ConfigMap")
    assert settings["metadata"]["name"] in [
        source["configMapRef"]["name"] for source in container["envFrom"] if "configMapRef" in source
    ]
    for name, value in settings["data"].items():
        monkeypatch.setenv(name, value)
    return read_settings()


def prometheus_path(manifests: tuple[Manifest, ...]) -> str:
    """Where Prometheus is told to look."""
    annotations = only(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    return str(annotations["prometheus.io/path"])


@pytest.mark.parametrize("version", VERSIONS)
def test_they_follow_the_published_schemas(manifests: tuple[Manifest, ...], version: str) -> None:
    """Each object, in the oldest version and in the newest."""
    for manifest in manifests:
        validate(manifest, version)


def test_a_field_that_there_is_not_is_found(manifests: tuple[Manifest, ...]) -> None:
    """Kubernetes itself would ignore it."""
    misspelt = copy.deepcopy(only(manifests, "Deployment"))
    misspelt["spec"]["template"]["spec"]["containers"][0]["livenessprobe"] = {}
    with pytest.raises(kubernetes_validate.ValidationError, match="livenessprobe"):
        validate(misspelt, VERSIONS[-1])


def test_no_file_is_left_out() -> None:
    """Each one is named by the kustomization beside it."""
    for file in FOLDER.rglob("*.yaml"):
        if file.parent != FOLDER and file.name != "kustomization.yaml":
            beside = yaml.safe_load((file.parent / "kustomization.yaml").read_text())
            patches = [patch.get("path") for patch in beside.get("patches", [])]
            assert file.name in [*beside.get("resources", []), *patches], file


def test_probes_ask_what_the_service_answers(repository: Path, settings: Settings, container: Any) -> None:  # noqa: ANN401
    """While models load it has started, is alive and not ready; then it is ready."""
    tiny_models.publish(repository)
    engine = open_engine(settings)
    client = TestClient(create_app(engine))  # not entered, so that it does not load by itself

    def asked() -> dict[str, bool]:
        """What each probe finds."""
        probes = ("startupProbe", "livenessProbe", "readinessProbe")
        return {probe: client.get(container[probe]["httpGet"]["path"]).is_success for probe in probes}

    assert asked() == {"startupProbe": True, "livenessProbe": True, "readinessProbe": False}
    engine.registry.load_all()
    assert asked() == {"startupProbe": True, "livenessProbe": True, "readinessProbe": True}
    engine.close()


def test_ports_lead_to_the_service(manifests: tuple[Manifest, ...], container: Any, given: Settings) -> None:  # noqa: ANN401
    """Those of the Service, of the probes, of the network policy and of Prometheus."""
    assert container["ports"] == [{"name": "http", "containerPort": given.port}]
    probes = [container[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {probe["httpGet"]["port"] for probe in probes} == {"http"}
    assert [port["targetPort"] for port in only(manifests, "Service")["spec"]["ports"]] == ["http"]
    (ingress,) = only(manifests, "NetworkPolicy")["spec"]["ingress"]
    assert [port["port"] for port in ingress["ports"]] == ["http"]
    annotations = only(manifests, "Deployment")["spec"]["template"]["metadata"]["annotations"]
    assert annotations["prometheus.io/port"] == str(given.port)


def test_there_is_time_to_end(pod: Any, container: Any, given: Settings) -> None:  # noqa: ANN401
    """To sleep, and to answer what was accepted, before the container is killed."""
    assert container["lifecycle"]["preStop"]["sleep"]["seconds"] > 0
    grace = pod["terminationGracePeriodSeconds"]
    assert grace > seconds_to_end(container, str(given.shutdown_seconds))


def test_kubernetes_adds_no_settings(
    manifests: tuple[Manifest, ...],
    pod: Any,  # noqa: ANN401
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """The variable that it makes of our Service for the pods beside it would stop them."""
    service = only(manifests, "Service")["metadata"]["name"]
    monkeypatch.setenv(f"{service.upper()}_PORT", "tcp://10.0.0.1:80")
    with pytest.raises(SettingsError, match="STRIATE_PORT"):
        read_settings()
    assert pod["enableServiceLinks"] is False


def test_pods_may_do_nothing_that_they_need_not(pod: Any, container: Any) -> None:  # noqa: ANN401
    """The restricted Pod Security Standard, a read-only file system, and no token of the cluster."""
    assert pod["automountServiceAccountToken"] is False
    user = re.search(r"useradd .*--uid (\d+)", (ROOT / "Dockerfile").read_text())
    assert user
    assert (pod["securityContext"]["runAsNonRoot"], pod["securityContext"]["runAsUser"]) == (True, int(user[1]))
    assert pod["securityContext"]["seccompProfile"] == {"type": "RuntimeDefault"}
    assert container["securityContext"] == {
        "allowPrivilegeEscalation": False,
        "readOnlyRootFilesystem": True,
        "capabilities": {"drop": ["ALL"]},
    }
    assert {kind for volume in pod["volumes"] for kind in volume} <= {"name", "emptyDir", "persistentVolumeClaim"}


def test_everything_is_about_these_pods(manifests: tuple[Manifest, ...]) -> None:
    """An empty selector would be about every pod of the namespace."""
    deployment = only(manifests, "Deployment")
    labels = deployment["spec"]["template"]["metadata"]["labels"]
    assert labels
    assert deployment["spec"]["selector"]["matchLabels"] == labels
    assert only(manifests, "Service")["spec"]["selector"] == labels
    assert only(manifests, "PodDisruptionBudget")["spec"]["selector"] == {"matchLabels": labels}
    assert only(manifests, "NetworkPolicy")["spec"]["podSelector"] == {"matchLabels": labels}
    for spread in deployment["spec"]["template"]["spec"]["topologySpreadConstraints"]:
        assert spread["labelSelector"] == {"matchLabels": labels}
    target = only(manifests, "HorizontalPodAutoscaler")["spec"]["scaleTargetRef"]
    assert (target["kind"], target["name"]) == (deployment["kind"], deployment["metadata"]["name"])
    assert "replicas" not in deployment["spec"]  # the autoscaler has them


def test_threads_follow_from_a_limit(container: Any) -> None:  # noqa: ANN401
    """Without one, a pod takes as many as its node has cores."""
    resources = container["resources"]
    assert resources["requests"] == resources["limits"]
    assert {"cpu", "memory"} <= resources["limits"].keys()


def test_pods_are_added_as_requests_wait(settings: Settings) -> None:
    """By a metric of the service, which the rule for the adapter hands on; or by CPU use, where there is no adapter."""
    engine = open_engine(settings)
    page = TestClient(create_app(engine)).get(prometheus_path(rendered(FOLDER / "base"))).text
    engine.close()
    assert f"# TYPE {METRIC} gauge" in page
    (metric,) = only(rendered(FOLDER / "base"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert (metric["type"], metric["pods"]["metric"]["name"]) == ("Pods", METRIC)
    (rule,) = yaml.safe_load((FOLDER / "prometheus-adapter.yaml").read_text())["rules"]["custom"]
    assert rule["seriesQuery"].partition("{")[0] == METRIC
    assert set(rule["resources"]["overrides"]) == {"namespace", "pod"}
    (metric,) = only(rendered(FOLDER / "overlays" / "cpu-autoscaling"), "HorizontalPodAutoscaler")["spec"]["metrics"]
    assert (metric["type"], metric["resource"]["name"]) == ("Resource", "cpu")


def test_the_gpu_variant_demands_a_gpu() -> None:
    """Of the node, and of the service: it does not fall back to the CPU in silence."""
    made = rendered(FOLDER / "overlays" / "gpu")
    (container,) = only(made, "Deployment")["spec"]["template"]["spec"]["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert only(made, "ConfigMap")["data"]["STRIATE_DEVICE"] == "cuda"
    assert container["image"] == "striate:cuda"


def test_own_models_are_read_from_their_volume() -> None:
    """And cannot be changed from a pod."""
    made = rendered(FOLDER / "overlays" / "own-models")
    pod = only(made, "Deployment")["spec"]["template"]["spec"]
    (mount,) = (mount for mount in pod["containers"][0]["volumeMounts"] if mount["name"] == "repository")
    assert (mount["mountPath"], mount["readOnly"]) == (only(made, "ConfigMap")["data"]["STRIATE_MODELS"], True)
    claims = [volume["persistentVolumeClaim"]["claimName"] for volume in pod["volumes"] if volume["name"] != "tmp"]
    assert claims == [only(made, "PersistentVolumeClaim")["metadata"]["name"]]

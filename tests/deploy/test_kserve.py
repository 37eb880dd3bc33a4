"""The runtime for KServe is what KServe takes, and agrees with the service."""

from pathlib import Path
from typing import Any, Literal

import pytest
from fastapi.testclient import TestClient
from pydantic import BaseModel, ConfigDict, ValidationError

from service.engine import open_engine
from service.http.app import create_app
from service.settings import read_settings
from tests import tiny_models
from tests.deploy.manifests import DEPLOY, VERSIONS, Manifest, only, rendered, seconds_to_end, validate

FOLDER = DEPLOY / "kserve"
# What Kubernetes waits between SIGTERM and SIGKILL where nothing else is said.
USUAL_GRACE_SECONDS = 30


class Strict(BaseModel):
    """The fields of KServe 0.21 that are used here, and no others."""

    model_config = ConfigDict(extra="forbid")


class Named(Strict):
    """What the metadata of an object hold."""

    name: str


class Format(Strict):
    """A format of models."""

    name: str
    version: str | None = None


class RuntimeSpec(Strict):
    """Of a ServingRuntime."""

    annotations: dict[str, str]
    supportedModelFormats: list[Format]  # noqa: N815  (KServe's)
    protocolVersions: list[Literal["v1", "v2", "grpc-v2"]]  # noqa: N815
    containers: list[dict[str, Any]]
    volumes: list[dict[str, Any]]


class Runtime(Strict):
    """A runtime of one namespace, or of all."""

    apiVersion: Literal["serving.kserve.io/v1alpha1"]  # noqa: N815
    kind: Literal["ServingRuntime", "ClusterServingRuntime"]
    metadata: Named
    spec: RuntimeSpec


class ModelSpec(Strict):
    """Which model, and what serves it."""

    runtime: str
    modelFormat: Format  # noqa: N815
    protocolVersion: Literal["v1", "v2", "grpc-v2"]  # noqa: N815
    storageUri: str  # noqa: N815


class Predictor(Strict):
    """Of an InferenceService."""

    minReplicas: int  # noqa: N815
    maxReplicas: int  # noqa: N815
    enableServiceLinks: bool  # noqa: N815
    automountServiceAccountToken: bool  # noqa: N815
    model: ModelSpec


class ServiceSpec(Strict):
    """Of an InferenceService."""

    predictor: Predictor


class Service(Strict):
    """A model that is served."""

    apiVersion: Literal["serving.kserve.io/v1beta1"]  # noqa: N815
    kind: Literal["InferenceService"]
    metadata: Named
    spec: ServiceSpec


@pytest.fixture(params=["ServingRuntime", "ClusterServingRuntime"])
def runtime(request: pytest.FixtureRequest) -> Runtime:
    """The runtime for one namespace, and that for all."""
    folder = "runtime" if request.param == "ServingRuntime" else "cluster-runtime"
    return Runtime.model_validate(only(rendered(FOLDER / folder), request.param))


@pytest.fixture
def service() -> Service:
    """The model that is served as an example."""
    return Service.model_validate(only(rendered(FOLDER), "InferenceService"))


def filled_in(container: dict[str, Any], name: str) -> Any:  # noqa: ANN401
    """A container as KServe makes it for an InferenceService: its template may stand in any text."""

    def fill(value: Any) -> Any:  # noqa: ANN401
        match value:
            case dict():
                return {key: fill(inner) for key, inner in value.items()}
            case list():
                return [fill(inner) for inner in value]
            case str():
                return value.replace("{{.Name}}", name)
        return value

    return fill(container)


@pytest.mark.parametrize("version", VERSIONS)
def test_the_pod_follows_the_published_schema(runtime: Runtime, service: Service, version: str) -> None:
    """That which KServe makes of the runtime and the InferenceService."""
    predictor = service.spec.predictor
    pod: Manifest = {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {"name": service.metadata.name, "annotations": runtime.spec.annotations},
        "spec": {
            "containers": [filled_in(container, service.metadata.name) for container in runtime.spec.containers],
            "volumes": runtime.spec.volumes,
            "enableServiceLinks": predictor.enableServiceLinks,
            "automountServiceAccountToken": predictor.automountServiceAccountToken,
        },
    }
    validate(pod, version)


def test_a_field_that_there_is_not_is_found() -> None:
    """KServe would refuse it too."""
    misspelt = only(rendered(FOLDER), "InferenceService") | {"Spec": {}}
    with pytest.raises(ValidationError, match="Spec"):
        Service.model_validate(misspelt)


def test_the_service_asks_for_this_runtime(runtime: Runtime, service: Service) -> None:
    """By its name, with a format and a protocol that it has; nobody else gets it unasked."""
    model = service.spec.predictor.model
    assert model.runtime == runtime.metadata.name
    assert model.modelFormat.name in [accepted.name for accepted in runtime.spec.supportedModelFormats]
    assert model.protocolVersion in runtime.spec.protocolVersions
    assert [container["name"] for container in runtime.spec.containers] == ["kserve-container"]


def test_a_model_is_served_by_the_name_of_its_service(
    runtime: Runtime, repository: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """As KServe lays it: its probes succeed when the model of this name is loaded, and not for another."""
    (container,) = runtime.spec.containers
    for variable in container["env"]:
        monkeypatch.setenv(variable["name"], variable["value"])
    settings = read_settings()
    assert str(settings.models) == "/mnt/models"
    tiny_models.publish(repository, name="cats")
    engine = open_engine(settings.model_copy(update={"models": repository}))
    client = TestClient(create_app(engine))  # not entered, so that it does not load by itself

    def asked(name: str) -> list[int]:
        """What each probe gets of the service for a name."""
        probes = ("startupProbe", "livenessProbe", "readinessProbe")
        filled = filled_in(container, name)
        return [client.get(filled[probe]["httpGet"]["path"]).status_code for probe in probes]

    assert asked("cats") == [200, 200, 503]
    engine.registry.load_all()
    assert asked("cats") == [200, 200, 200]
    assert asked("dogs") == [200, 200, 404]
    engine.close()


def test_ports_agree(runtime: Runtime) -> None:
    """Those of the service, of the probes and of Prometheus."""
    (container,) = runtime.spec.containers
    (port,) = (variable["value"] for variable in container["env"] if variable["name"] == "STRIATE_PORT")
    assert [str(exposed["containerPort"]) for exposed in container["ports"]] == [port]
    probes = [container[probe] for probe in ("startupProbe", "livenessProbe", "readinessProbe")]
    assert {str(probe["httpGet"]["port"]) for probe in probes} == {port}
    assert runtime.spec.annotations["prometheus.kserve.io/port"] == port


def test_there_is_time_to_end(runtime: Runtime) -> None:
    """Knative lets nobody change how long it is, nor what happens before."""
    (container,) = runtime.spec.containers
    (seconds,) = (variable["value"] for variable in container["env"] if variable["name"] == "STRIATE_SHUTDOWN_SECONDS")
    assert "lifecycle" not in container
    assert seconds_to_end(container, seconds) < USUAL_GRACE_SECONDS


def test_kubernetes_adds_no_settings(service: Service) -> None:
    """As it would for a Service named `striate` in the same namespace."""
    assert service.spec.predictor.enableServiceLinks is False


def test_the_container_may_do_nothing_that_it_need_not(runtime: Runtime) -> None:
    """As in `deploy/kubernetes`, in the fields that KServe and Knative hand on."""
    (container,) = runtime.spec.containers
    deployment = only(rendered(DEPLOY / "kubernetes" / "base"), "Deployment")
    pod = deployment["spec"]["template"]["spec"]
    inherited = {key: pod["securityContext"][key] for key in ("runAsNonRoot", "runAsUser", "seccompProfile")}
    assert container["securityContext"] == pod["containers"][0]["securityContext"] | inherited

"""A cluster of two nodes on this machine: `make ray-test`."""

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

# Before Ray is imported.  Everything stays on the loopback interface, and nothing is reported to its makers.
os.environ |= {"RAY_ENABLE_WINDOWS_OR_OSX_CLUSTER": "0", "RAY_USAGE_STATS_ENABLED": "0"}

import pytest
import ray
from ray import serve
from ray.cluster_utils import Cluster

from deploy.ray.application import REPLICAS, Arguments, app
from tests.e2e.conftest import ROOT
from tests.ray.callers import HOST, PORT

NODE = {"num_cpus": 2, "node_ip_address": HOST, "object_store_memory": 150_000_000}
NAME = "striate"


@pytest.fixture(scope="session")
def cluster() -> Iterator[Cluster]:
    """The head and one more node, two cores each, and Serve on the head."""
    made = Cluster(
        initialize_head=True, head_node_args={**NODE, "include_dashboard": False, "gcs_server_port": PORT - 1}
    )
    made.add_node(**NODE)
    ray.init(made.address, runtime_env={"env_vars": {"PYTHONPATH": str(ROOT)}}, log_to_driver=False)
    serve.start(proxy_location="HeadOnly", http_options={"host": HOST, "port": PORT})
    yield made
    serve.shutdown()
    ray.shutdown()
    made.shutdown()


@contextmanager
def serving(models: Path, **arguments: Any) -> Iterator[None]:  # noqa: ANN401  (each is checked by the class)
    """The application, until the end of a test."""
    serve.run(app(Arguments(models=str(models), **arguments)), name=NAME)
    try:
        yield
    finally:
        serve.delete(NAME)


def running() -> int:
    """How many replicas of the service there are."""
    deployments = serve.status().applications[NAME].deployments
    return int(deployments[REPLICAS].replica_states.get("RUNNING", 0))


def replicas() -> Sequence[str]:
    """The names of their actors."""
    actors = ray.util.list_named_actors(all_namespaces=True)
    return [actor["name"] for actor in actors if f"{NAME}#{REPLICAS}#" in actor["name"]]


def kill(replica: str) -> None:
    """End a replica at once, whatever it does."""
    ray.kill(ray.get_actor(replica, namespace="serve"))


@pytest.fixture
def photos(repository: Path) -> Path:
    """A repository with a model for photos, which a request keeps busy for a while."""
    (repository / "efficientnet-lite0").symlink_to(ROOT / "models" / "efficientnet-lite0")
    return repository

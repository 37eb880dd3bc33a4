"""What the service promises on a cluster of two nodes."""

from collections import Counter
from pathlib import Path

import pytest
from ray.cluster_utils import Cluster

from tests import images, tiny_models
from tests.ray.callers import ask, load, states, until
from tests.ray.conftest import NODE, kill, replicas, running, serving

CLASSIFY = "/v1/models/{}/classify"
PHOTO = CLASSIFY.format("efficientnet-lite0")
PICTURE = images.plain(255)
CALLERS = 8

pytestmark = pytest.mark.usefixtures("cluster")


def lost(counted: Counter[str]) -> int:
    """How many requests were not answered as they should."""
    print(dict(counted))  # noqa: T201  (`make ray-test` shows it)
    return counted.total() - counted["200"]


@pytest.mark.parametrize("models_per_replica", [0, 1])
def test_the_application_is_the_same(repository: Path, models_per_replica: int) -> None:
    """Answers and errors are those of the service, with all models in each replica, and on demand."""
    tiny_models.publish(repository)
    with serving(repository, models_per_replica=models_per_replica):
        assert ask("GET", "/v2/health/live")[0] == 200
        assert ask("GET", "/v2/health/ready") == (200, {"ready": True, "live": True})
        status, answer = ask("POST", CLASSIFY.format("brightness") + "?top_k=1", PICTURE)
        assert (status, answer["results"][0]["predictions"][0]["label"]) == (200, "bright")
        status, answer = ask("POST", CLASSIFY.format("brightnes"), PICTURE)
        assert (status, answer["type"]) == (404, "urn:striate:unknown-model")
        status, answer = ask("POST", CLASSIFY.format("brightness"), b"no picture")
        assert (status, answer["type"]) == (415, "urn:striate:image-type")
        assert ask("POST", CLASSIFY.format("brightness"), bytes(21_000_000))[0] == 413
        assert ask("POST", "/v2/repository/models/brightness/unload")[0] == 403


def test_a_replica_that_is_killed_loses_what_it_was_computing(photos: Path, chelsea: bytes) -> None:
    """And nothing else: at most as many requests as it had, and another one takes its place."""
    with serving(photos, min_replicas=2, max_replicas=2), load(CALLERS, PHOTO, chelsea) as counted:
        kill(replicas()[0])
        until(lambda: running() < 2)
        until(lambda: running() == 2)
    assert lost(counted) <= CALLERS
    assert counted["200"] > CALLERS


def test_with_a_router_not_even_that_is_lost(photos: Path, chelsea: bytes) -> None:
    """It asks another replica."""
    with serving(photos, models_per_replica=1, min_replicas=2, max_replicas=2):
        assert ask("POST", PHOTO, chelsea)[0] == 200
        with load(CALLERS, PHOTO, chelsea) as counted:
            kill(replicas()[0])
            until(lambda: running() < 2)
            until(lambda: running() == 2)
    assert lost(counted) == 0
    assert counted["200"] > CALLERS


def test_a_node_may_go(photos: Path, chelsea: bytes, cluster: Cluster) -> None:
    """What it was computing is lost; the others go on."""
    node = cluster.add_node(**NODE)
    with serving(photos, min_replicas=5, max_replicas=5), load(CALLERS, PHOTO, chelsea) as counted:
        cluster.remove_node(node, allow_graceful=False)
        until(lambda: running() < 5)
        with load(CALLERS, PHOTO, chelsea) as afterwards:
            until(lambda: len(replicas()) >= 4)
    assert lost(counted) <= CALLERS
    assert afterwards["200"] > 0


def test_replicas_are_added_as_requests_wait(photos: Path, chelsea: bytes) -> None:
    """From one on, while callers are many."""
    with serving(photos, min_replicas=1, max_replicas=3):
        assert running() == 1
        with load(2 * CALLERS, PHOTO, chelsea) as counted:
            until(lambda: running() == 3)
    assert lost(counted) == 0


def test_models_are_loaded_where_they_are_asked_for(repository: Path) -> None:
    """The one that was asked for least recently makes room; a name that nothing has pushes none out."""
    for name in ("one", "two", "three"):
        tiny_models.publish(repository, name=name)
    (tiny_models.publish(repository, name="broken") / "model.onnx").unlink()
    with serving(repository, models_per_replica=2, max_replicas=1):

        def after(name: str) -> set[str]:
            """What is loaded when a model was asked."""
            assert ask("POST", CLASSIFY.format(name), PICTURE)[0] == 200
            return {name for name, state in states().items() if state == "READY"}

        assert after("one") == {"one"}
        assert after("two") == {"one", "two"}
        assert after("one") == {"one", "two"}
        assert after("three") == {"one", "three"}
        assert ask("POST", CLASSIFY.format("four"), PICTURE)[0] == 404
        assert after("one") == {"one", "three"}
        status, answer = ask("POST", CLASSIFY.format("broken"), PICTURE)
        assert (status, "failed to load" in answer["detail"]) == (503, True)
        assert after("one") == {"one"}
        assert after("three") == {"one", "three"}


def test_calls_find_the_replica_that_has_the_model(repository: Path) -> None:
    """Of two models and two replicas, each has one."""
    names = ("one", "two")
    for name in names:
        tiny_models.publish(repository, name=name)
    with serving(repository, models_per_replica=1, min_replicas=2, max_replicas=2):
        for name in names:
            assert ask("POST", CLASSIFY.format(name), PICTURE)[0] == 200
        for name in names * 20:
            assert ask("POST", CLASSIFY.format(name), PICTURE)[0] == 200
        for name in names:
            (statistics,) = ask("GET", f"/v2/models/{name}/stats")[1]["model_stats"]
            assert statistics["inference_count"] == 21

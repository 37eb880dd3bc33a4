"""A container as a careful engine runs it: read-only, without rights, told to end by SIGTERM."""

import json
import re
import signal
from pathlib import Path

import pytest

from tests import tiny_models
from tests.container.conftest import Run, Tell
from tests.container.running import Container
from tests.e2e.callers import Caller, begin, end

CLASSIFY = "/v1/models/efficientnet-lite0/classify?top_k=1"


def test_it_starts(run: Run, tell: Tell) -> None:
    """With all models ready; how long that takes depends on the machine, and is printed."""
    with run() as container:
        tell(f"started: ready with the shipped models after {container.wait_until_ready():.1f} s")


def test_it_compiles_nothing_when_it_starts(run: Run, chelsea: bytes) -> None:
    """Nor at its first answer: for all that is imported there is bytecode, for the standard library too."""
    with run(PYTHONVERBOSE="1") as container:
        container.wait_until_ready()
        assert container.ask("POST", CLASSIFY, chelsea)[0] == 200
        compiled, ready = code_of(container.log.read_text())
    assert compiled == []
    assert len(ready) > 500


def test_its_health_check_compiles_nothing(container: Container) -> None:
    """It runs every few seconds."""
    compiled, ready = code_of(container.run("env", "PYTHONVERBOSE=1", "striate", "health").stderr)
    assert compiled == []
    assert len(ready) > 100


def code_of(log: str) -> tuple[list[str], list[str]]:
    """The sources that Python compiled, and the files of bytecode that it read, by what it says with PYTHONVERBOSE."""
    say = "^# code object from "
    return re.findall(rf"{say}(/.*)$", log, re.MULTILINE), re.findall(rf"{say}'(.*)'$", log, re.MULTILINE)


def test_it_is_the_first_process_and_has_no_rights(container: Container) -> None:
    """As the kernel tells: the user of the image, no capability, and no way to more."""
    assert container.status("NSpid").split()[-1] == "1"
    assert set(container.status("Uid").split()) == {"10001"}
    assert set(container.status("Gid").split()) == {"10001"}
    assert container.status("CapEff") == container.status("CapPrm") == "0" * 16
    assert container.status("NoNewPrivs") == "1"


def test_it_can_write_nowhere_but_where_it_was_let(container: Container) -> None:
    """The root is read-only; /tmp is memory."""
    program = """
import os
for folder, _, _ in os.walk("/"):
    if folder.startswith(("/proc", "/sys")):
        continue
    try:
        open(os.path.join(folder, "probe"), "x").close()
    except OSError:
        continue
    print(folder)
"""
    found = container.run("python3", "-c", program)
    assert (found.returncode, found.stdout, found.stderr) == (0, "/tmp\n", "")  # noqa: S108


def test_it_tells_what_a_photo_shows(container: Container, chelsea: bytes) -> None:
    """A cat."""
    status, body = container.ask("POST", CLASSIFY, chelsea)
    assert status == 200
    assert json.loads(body)["results"][0]["predictions"][0]["label"] == "Egyptian cat"


@pytest.mark.parametrize(("form", "begins"), [("npy", b"\x93NUMPY"), ("png", b"\x89PNG"), ("safetensors", b"")])
def test_it_gives_the_maps_of_a_layer(container: Container, chelsea: bytes, form: str, begins: bytes) -> None:
    """In every form, as each takes packages of its own."""
    path = f"/v1/models/efficientnet-lite0/feature-maps?layer=_bn0&format={form}"
    status, body = container.ask("POST", path, chelsea)
    assert status == 200, body[:200]
    assert body.startswith(begins)


@pytest.mark.parametrize(
    "path", ["/", "/docs", "/openapi.json", "/v1/models/lenet5/layers", "/v2/models/lenet5/config"]
)
def test_it_answers_the_rest(container: Container, path: str) -> None:
    """The page and the tables are in the image, too."""
    assert container.ask("GET", path)[0] == 200


@pytest.mark.parametrize(("flags", "said"), [((), "ready\n"), (("--live",), "live\n")])
def test_its_health_check_succeeds(container: Container, flags: tuple[str, ...], said: str) -> None:
    """As an engine runs it, inside."""
    found = container.run(*container.image.config["Healthcheck"]["Test"][1:], *flags)
    assert (found.returncode, found.stdout, found.stderr) == (0, said, "")


def test_its_health_check_fails_where_nothing_is_served(run: Run, repository: Path) -> None:
    """With the reason, which the engine keeps."""
    with run(models=repository) as container:
        container.wait_until_live()
        found = container.run("striate", "health")
        assert (found.returncode, found.stdout) == (1, "")
        assert found.stderr.startswith("error: not ready: there are no models")
        assert container.run("striate", "health", "--live").returncode == 0


def test_a_command_that_is_left_out_tells_how_to_get_it(container: Container) -> None:
    """Networks are not made where they are served."""
    found = container.run("striate", "export", "train", "lenet5")
    assert found.returncode == 1
    assert "not installed here" in found.stderr
    assert "`make setup`" in found.stderr


def test_all_of_the_service_can_be_imported(container: Container) -> None:
    """Nothing that it needs was taken out with the tests of packages."""
    program = """
import importlib, pkgutil, service
for module in pkgutil.walk_packages(service.__path__, "service."):
    if not module.name.endswith("__main__"):
        importlib.import_module(module.name)
"""
    found = container.run("python3", "-c", program)
    assert (found.returncode, found.stderr) == (0, "")


def test_a_volume_replaces_the_models(run: Run, repository: Path) -> None:
    """What lies in it is all that is served."""
    tiny_models.publish(repository)
    with run(models=repository) as container:
        container.wait_until_ready()
        assert [model["model"] for model in container.serves()["models"]] == ["brightness"]


@pytest.mark.parametrize("workers", [1, 2])
def test_sigterm_answers_what_was_accepted(run: Run, repository: Path, workers: int) -> None:
    """A request of which a byte is missing gets its answer; then the container ends as one that did well."""
    tiny_models.publish(repository)
    with run(models=repository, STRIATE_WORKERS=str(workers)) as container:
        container.wait_until_ready()
        caller = Caller("127.0.0.1", container.port, timeout=60)
        begin(caller)
        container.ask("GET", "/v2/health/live")
        container.terminate()
        container.wait_for_log("ending when")
        answer = end(caller)
        assert answer
        assert (answer.status, answer.headers["connection"]) == (200, "close")
        assert container.wait() == 0


def test_sigterm_ends_it_while_it_starts(run: Run) -> None:
    """To the first process of a container no signal is sent that it did not ask for: Python takes seconds to start."""
    with run() as container:
        container.wait_until_it_takes(signal.SIGTERM)
        container.terminate()
        assert container.wait() == 128 + signal.SIGTERM

"""What `docker compose` is told follows its specification, and agrees with the service and the image."""

import re
import subprocess
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest
import yaml

from service.settings import Settings, read_settings

ROOT = Path(__file__).parents[2]
FILE = ROOT / "docker-compose.yml"
COMPOSE: Mapping[str, Any] = yaml.safe_load(FILE.read_text())
SERVICES: Mapping[str, Any] = COMPOSE["services"]
OURS = {name: service for name, service in SERVICES.items() if "build" in service}


def validate(file: Path, schema: str) -> str:
    """What is wrong with a file, by a published schema that comes with a package; empty where nothing is."""
    command = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", f"vendor.{schema}", str(file)]
    run = subprocess.run(command, capture_output=True, text=True, check=False)
    return run.stdout if run.returncode else ""


def test_it_follows_the_compose_specification() -> None:
    """By its own schema."""
    assert validate(FILE, "compose-spec") == ""


@pytest.mark.parametrize(("right", "wrong"), [("read_only:", "readonly:"), ("restart: unless-stopped", "restart: [1]")])
def test_a_mistake_would_be_seen(tmp_path: Path, right: str, wrong: str) -> None:
    """The schema is not one that takes everything."""
    text = FILE.read_text()
    assert right in text
    copy = tmp_path / "docker-compose.yml"
    copy.write_text(text.replace(right, wrong))
    assert "services" in validate(copy, "compose-spec")


@pytest.mark.parametrize("file", sorted((ROOT / ".github" / "workflows").iterdir()), ids=lambda file: file.name)
def test_workflows_follow_their_schema(file: Path) -> None:
    """That of GitHub."""
    assert validate(file, "github-workflows") == ""


def test_without_a_profile_the_service_starts_and_nothing_else() -> None:
    """As `docker compose up` is promised: on port 8000, on the CPU."""
    assert [name for name, service in SERVICES.items() if "profiles" not in service] == ["striate"]
    assert SERVICES["striate"]["ports"] == ["8000:8000"]
    assert SERVICES["striate"]["build"] == {"context": ".", "target": "cpu"}


def test_the_profiles() -> None:
    """A GPU is reserved where one is asked for; who observes is told apart."""
    profiles = {name: service["profiles"] for name, service in SERVICES.items() if "profiles" in service}
    assert profiles == {"gpu": ["gpu"], "prometheus": ["observability"], "grafana": ["observability"]}
    (device,) = SERVICES["gpu"]["deploy"]["resources"]["reservations"]["devices"]
    assert device == {"driver": "nvidia", "count": 1, "capabilities": ["gpu"]}


@pytest.mark.parametrize("name", SERVICES)
def test_each_has_no_more_than_it_needs(name: str) -> None:
    """Nothing to write to but what is named, no rights, bounded in cores, memory, processes and logs."""
    service = SERVICES[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == "unless-stopped"
    assert {"cpus", "memory", "pids"} <= service["deploy"]["resources"]["limits"].keys()
    assert {"max-size", "max-file"} <= service["logging"]["options"].keys()


@pytest.mark.parametrize("name", SERVICES)
def test_what_is_mounted_is_in_the_project(name: str) -> None:
    """And it is not written to."""
    for volume in SERVICES[name].get("volumes", []):
        source, _, target = volume.partition(":")
        if source.startswith("."):
            assert (ROOT / source).is_dir(), source
            assert target.endswith(":ro"), volume
        else:
            assert source in COMPOSE["volumes"]


@pytest.mark.parametrize("name", sorted(SERVICES.keys() - OURS.keys()))
def test_images_of_others_are_pinned(name: str) -> None:
    """To a version in full; and who observes is reached from this machine only."""
    service = SERVICES[name]
    assert re.fullmatch(r"[\w./-]+:v?\d+\.\d+\.\d+", service["image"])
    assert all(port.startswith("127.0.0.1:") for port in service["ports"])


def test_who_needs_another_waits_until_it_is_well() -> None:
    """By its health check."""
    waits = {name: service["depends_on"] for name, service in SERVICES.items() if "depends_on" in service}
    assert waits == {"grafana": {"prometheus": {"condition": "service_healthy"}}}
    for others in waits.values():
        assert all("healthcheck" in SERVICES[other] for other in others)


@pytest.mark.parametrize("name", OURS)
def test_it_is_given_the_time_that_it_takes_to_end(name: str, monkeypatch: pytest.MonkeyPatch) -> None:
    """Its own settings are known, and leave it time to answer what it has accepted."""
    for variable, value in OURS[name].get("environment", {}).items():
        monkeypatch.setenv(variable, value)
    settings: Settings = read_settings()
    grace = re.fullmatch(r"(\d+)s", OURS[name]["stop_grace_period"])
    assert grace
    assert int(grace[1]) >= settings.shutdown_seconds + 5


@pytest.mark.parametrize("name", OURS)
def test_its_target_is_one_of_the_dockerfile(name: str) -> None:
    """By its name."""
    targets = re.findall(r"^FROM \S+ AS (\S+)$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    assert OURS[name]["build"]["target"] in targets


def test_what_the_image_copies_is_sent_to_the_builder() -> None:
    """`.dockerignore` leaves out everything but that."""
    copied = re.findall(r"^COPY (?!--from)(.+) \S+$", (ROOT / "Dockerfile").read_text(), re.MULTILINE)
    sent = [line[1:] for line in (ROOT / ".dockerignore").read_text().splitlines() if line.startswith("!")]
    for source in " ".join(copied).split():
        assert (ROOT / source).exists()
        assert any(source == path or source.startswith(f"{path}/") for path in sent), source

"""Manifests as Kustomize makes them, and the published schemas of Kubernetes."""

import subprocess
import sys
from collections.abc import Mapping
from functools import cache
from pathlib import Path
from typing import Any

import kubernetes_validate
import yaml

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
# The oldest version whose kubelet sleeps before it stops a container, and the newest that is known.
VERSIONS = ("1.30", "1.37")

Manifest = Mapping[str, Any]


@cache
def rendered(folder: Path) -> tuple[Manifest, ...]:
    """What `kubectl apply -k` would send.  It fails where a file, or what a patch is for, is not there."""
    kubectl = Path(sys.executable).with_name("kubectl")
    made = subprocess.run([kubectl, "kustomize", folder], capture_output=True, text=True, check=False)
    assert made.returncode == 0, made.stderr
    assert made.stderr == ""  # as where something is deprecated
    return tuple(yaml.safe_load_all(made.stdout))


def only(manifests: tuple[Manifest, ...], kind: str) -> Any:  # noqa: ANN401  (a manifest is walked by its keys)
    """The one object of a kind."""
    (found,) = (manifest for manifest in manifests if manifest["kind"] == kind)
    return found


def validate(manifest: Manifest, version: str) -> None:
    """Hold an object against the schema of its kind, in which there is no field that is not named.

    Raises:
        kubernetes_validate.ValidationError: It does not follow it.
    """
    kubernetes_validate.validate(dict(manifest), version, strict=True)


def seconds_to_end(container: Mapping[str, Any], shutdown_seconds: str) -> int:
    """How long a container may take to end: the sleep before SIGTERM, and the requests that are answered behind it."""
    sleep = container.get("lifecycle", {}).get("preStop", {}).get("sleep", {}).get("seconds", 0)
    return int(sleep) + int(shutdown_seconds)

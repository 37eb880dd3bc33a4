"""Builds an image from the Dockerfile as Docker does, with buildah: it needs no engine, but root.

A base image is made from Debian's packages where no registry of images can be reached.
"""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

ROOT: Final = Path(__file__).parents[2]

# Where the image puts what it adds to its base, but for a line in three files that name its user.
_OWN: Final = ("opt/striate", "models")
_MADE_BASE: Final = "localhost/striate-base"
_DEBIAN: Final = "bookworm"
_PATH: Final = "/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin"
_ATTEMPTS: Final = 2  # a registry may be slow, or out of order for a moment
_BUILD_SECONDS: Final = 1200
# What pip may be told about where packages come from.  Folders of this machine are not in the build.
_PIP_OPTIONS: Final = ("index-url", "extra-index-url", "trusted-host", "proxy", "timeout")


@dataclass(frozen=True)
class Image:
    """An image that was built, laid out as a folder.

    Args:
        target: The target of the Dockerfile.
        folder: The file system of a container that was made of it.
        config: As the image says how it is run: `Env`, `User`, `Entrypoint`, `Cmd`, `Labels`, `Healthcheck`, ….
        bytes: The sizes of all its files.
        own_bytes: The sizes of those that it adds to its base.
    """

    target: str
    folder: Path
    config: Mapping[str, Any]
    bytes: int
    own_bytes: int

    @property
    def environment(self) -> Mapping[str, str]:
        """The variables that are set in it."""
        return dict(variable.split("=", 1) for variable in self.config["Env"])

    @property
    def command(self) -> Sequence[str]:
        """What is run where nothing else is asked for."""
        return [*self.config["Entrypoint"], *self.config["Cmd"]]

    @property
    def size(self) -> str:
        """What it adds to its base, and the base, in megabytes."""
        own, base = self.own_bytes / 1_000_000, (self.bytes - self.own_bytes) / 1_000_000
        return f"the image for {self.target}: {own:,.0f} MB on a base of {base:,.0f} MB"


@contextmanager
def built(target: str, base: str | None, work: Path) -> Iterator[Image]:
    """Build a target of the Dockerfile; nothing of it is kept.

    Args:
        target: The target.
        base: An image to stand on, from a registry; None makes one.
        work: An empty folder with room for several copies of the image.
    """
    builder = _Buildah(work)
    try:
        base_name = builder.base(base)
        name = f"localhost/striate:{target}"
        builder.build(name, target, base_name)
        folder = builder.unpack(name)
        config = json.loads(builder.run("inspect", "--type", "image", name))["Docker"]["config"]
        yield Image(target, folder, config, _size(folder), sum(_size(folder / own) for own in _OWN))
    finally:
        builder.close()


class _Buildah:
    """The builder, with images of its own."""

    def __init__(self, work: Path) -> None:
        self.work = work
        # Overlays take rights that a machine in a container may not have; copies always work.
        self.command = ["buildah", "--storage-driver", "vfs", "--root", f"{work}/images", "--runroot", f"{work}/run"]

    def run(self, *arguments: str, seconds: int = 300) -> str:
        """What a command of buildah prints."""
        run = subprocess.run(
            [*self.command, *arguments], stdout=subprocess.PIPE, text=True, check=True, timeout=seconds
        )
        return run.stdout

    def unpack(self, name: str) -> Path:
        """The folder of the files of a container that is made of an image."""
        container = self.run("from", "--pull-never", name).strip()
        return Path(self.run("mount", container).strip())

    def base(self, name: str | None) -> str:
        """Have a base image: one of a registry, or else a small Debian with Python."""
        if name:
            self.run("pull", name, seconds=_BUILD_SECONDS)
            return name
        archive = self.work / "base.tar"
        _make_debian(archive)
        container = self.run("from", "scratch").strip()
        self.run("add", container, str(archive), "/")
        self.run("config", "--env", f"PATH={_PATH}", container)
        self.run("commit", "--rm", container, _MADE_BASE)
        archive.unlink()
        return _MADE_BASE

    def build(self, name: str, target: str, base: str) -> None:
        """Build as `docker build` does, but that packages come from where they come from on this machine."""
        arguments = {"BASE": base, "VERSION": "0", "REVISION": _revision()}
        command = [
            "build",
            "--format",
            "docker",
            "--isolation",
            "chroot",
            "--network",
            "host",
            "--pull-never",
            "--target",
            target,
        ]
        command += ["--tag", name, *_registry_volumes(self.work)]
        command += [word for key, value in arguments.items() for word in ("--build-arg", f"{key}={value}")]
        for attempt in range(1, _ATTEMPTS + 1):
            try:
                self.run(*command, str(ROOT), seconds=_BUILD_SECONDS)
            except (subprocess.CalledProcessError, subprocess.TimeoutExpired) as error:
                if attempt == _ATTEMPTS:
                    raise
                print(f"the build failed, and is tried once more: {error}", file=sys.stderr)  # noqa: T201
            else:
                return

    def close(self) -> None:
        """Remove every container and image, and nothing that may be mounted in one still."""
        subprocess.run(["rm", "-rf", "--one-file-system", str(self.work)], check=False)  # noqa: S607


def _make_debian(archive: Path) -> None:
    command = ["mmdebstrap", "--quiet", "--variant=minbase", "--include=python3-venv,ca-certificates"]
    command += ["--aptopt=Acquire::Retries 3", "--aptopt=Acquire::http::Timeout 60"]
    command += [f"--dpkgopt=path-exclude=/usr/share/{what}/*" for what in ("doc", "man", "locale")]
    subprocess.run([*command, _DEBIAN, str(archive)], check=True, timeout=_BUILD_SECONDS)


def _registry_volumes(work: Path) -> list[str]:
    """What pip must see in the build to reach the registry of this machine: its certificates, and its address."""
    options = _pip_options()
    certificates = options.get("cert") or os.environ.get("SSL_CERT_FILE")
    lines = ["[global]", *(f"{name} = {options[name]}" for name in _PIP_OPTIONS if name in options)]
    volumes = []
    if certificates:
        folder = Path(certificates).parent
        volumes += ["--volume", f"{folder}:{folder}:ro"]
        lines.append(f"cert = {certificates}")
    configuration = work / "pip.conf"
    configuration.write_text("\n".join(lines) + "\n")
    return [*volumes, "--volume", f"{configuration}:/etc/pip.conf:ro"]


def _pip_options() -> dict[str, str]:
    """As `pip config list` gives them: `global.cert='…'`, from files and the environment."""
    command = [sys.executable, "-m", "pip", "config", "list"]
    listed = subprocess.run(command, capture_output=True, text=True, check=True).stdout
    pairs = (line.partition("=") for line in listed.splitlines())
    options = {name.rpartition(".")[2]: value.strip("'\"") for name, _, value in pairs}
    return {name: value for name, value in options.items() if "file:" not in value}


def _revision() -> str:
    command = ["git", "-C", str(ROOT), "rev-parse", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip() or "unknown"


def _size(folder: Path) -> int:
    """The bytes of all files in a folder; one with several names counts once."""
    listed = (path.lstat() for path in folder.rglob("*") if path.is_file() and not path.is_symlink())
    return sum({(status.st_dev, status.st_ino): status.st_size for status in listed}.values())

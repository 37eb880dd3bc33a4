"""Runs an image as an engine does that is careful: as the image's user, without rights, on a read-only file system.

A container is a process in mount, process and host-name spaces of its own (`unshare`); the network is this machine's.
"""

import json
import os
import select
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from http.client import HTTPConnection
from pathlib import Path
from typing import Any, Final, TypeVar

import pytest

from tests.container.building import Image

Found = TypeVar("Found")

_READY_SECONDS: Final = 120
_POLL_SECONDS: Final = 0.02

# In the new spaces, as root: lay out the file system, then give up every right and become the command.
_ENTER: Final = """
set -eu
root=$1 models=$2 user=$3; shift 3
mount --bind "$root" "$root"
[ -z "$models" ] || mount --bind "$models" "$root/models"
[ -z "$models" ] || mount -o remount,bind,ro "$root/models"
mount -o remount,bind,ro "$root"
mount -t proc proc "$root/proc"
mount --bind -o ro /sys "$root/sys"
mount -t tmpfs -o mode=1777,size=64m,nosuid,nodev tmpfs "$root/tmp"
mount -t tmpfs -o mode=0755,size=64k tmpfs "$root/dev"
for device in null zero random urandom; do
    touch "$root/dev/$device"
    mount --bind "/dev/$device" "$root/dev/$device"
done
mount -o remount,ro "$root/dev"
exec setpriv --no-new-privs --inh-caps=-all chroot --userspec="$user" --groups= "$root" env -i "$@"
"""


@dataclass(frozen=True)
class Container:
    """A running container.

    Args:
        outside: The process that made its spaces, and ends after its first process, with its status.
        port: Where the service in it listens.
        log: The file of what it prints.
        started: When it was, on the monotonic clock.
        variables: Its environment.
        image: What it runs.
    """

    outside: subprocess.Popen[str]
    port: int
    log: Path
    started: float
    variables: Mapping[str, str]
    image: Image

    @cached_property
    def process_id(self) -> int:
        """Its first process, as this machine numbers it."""
        children = Path(f"/proc/{self.outside.pid}/task/{self.outside.pid}/children")
        return int(_until(lambda: children.read_text().split(), "the container has no process")[0])

    def status(self, name: str) -> str:
        """A line of what the kernel tells about its first process."""
        lines = Path(f"/proc/{self.process_id}/status").read_text().splitlines()
        return next(line.split(":", 1)[1].strip() for line in lines if line.startswith(f"{name}:"))

    def ask(self, method: str, path: str, body: bytes | None = None) -> tuple[int, bytes]:
        """The status and the body of an answer."""
        caller = HTTPConnection("127.0.0.1", self.port, timeout=60)
        try:
            caller.request(method, path, body)
            answer = caller.getresponse()
            return answer.status, answer.read()
        finally:
            caller.close()

    def serves(self) -> Any:  # noqa: ANN401  (JSON)
        """What it says that it serves, and on which device."""
        return json.loads(self.ask("GET", "/v1/models")[1])

    def wait_until_ready(self) -> float:
        """Wait until it answers, and tell how many seconds it took from its start."""
        _until(lambda: self._answers("/v2/health/ready"), "the service does not become ready")
        return time.monotonic() - self.started

    def wait_until_live(self) -> None:
        """Wait until it listens, though it may have no models."""
        _until(lambda: self._answers("/v2/health/live"), "the service does not listen")

    def wait_for_log(self, text: str) -> None:
        """Wait until it prints some text."""
        _until(lambda: text in self.log.read_text(), f"the service does not say {text!r}")

    def wait_until_it_takes(self, number: signal.Signals) -> None:
        """Wait until its first process has asked for a signal."""
        bit = 1 << (number - 1)
        _until(lambda: int(self.status("SigCgt"), 16) & bit, f"nobody asks for {number.name}")

    def run(self, *command: str) -> subprocess.CompletedProcess[str]:
        """Run one more command in it, as its user, as `docker exec` does."""
        enter = ["nsenter", "--target", str(self.process_id), "--mount", "--pid", "--root", "--wd"]
        user, group = self.image.config["User"].split(":")
        drop = ["setpriv", "--no-new-privs", "--reuid", user, "--regid", group, "--clear-groups", "--inh-caps=-all"]
        variables = [f"{name}={value}" for name, value in self.variables.items()]
        full = [*enter, *drop, "env", "-i", *variables, *command]
        return subprocess.run(full, capture_output=True, text=True, check=False, timeout=60)

    def terminate(self) -> None:
        """Send SIGTERM to its first process, as an engine does that stops it."""
        os.kill(self.process_id, signal.SIGTERM)

    def kill(self) -> None:
        """End it at once, and all processes in it."""
        if self.outside.poll() is None:
            os.kill(self.process_id, signal.SIGKILL)

    def wait(self) -> int:
        """Its exit status."""
        return self.outside.wait(timeout=60)

    def _answers(self, path: str) -> bool:
        if self.outside.poll() is not None:
            pytest.fail(f"the container ended with status {self.outside.returncode}:\n{self.log.read_text()}")
        try:
            return self.ask("GET", path)[0] == 200
        except OSError:
            return False


@contextmanager
def running(
    image: Image, log: Path, port: int, *flags: str, models: Path | None = None, **variables: str
) -> Iterator[Container]:
    """Run an image.

    Args:
        image: What to run.
        log: A file for what it prints.
        port: Where the service shall listen; the network is this machine's.
        flags: Arguments of the command of the image, in place of its own.
        models: A folder to mount where the image has its models, as `--volume` does.
        variables: Set in the container.
    """
    environment = {**image.environment, "STRIATE_PORT": str(port), **variables}
    command = [*image.config["Entrypoint"], *(flags or image.config["Cmd"])]
    enter = ["unshare", "--mount", "--pid", "--ipc", "--uts", "--fork", "sh", "-c", _ENTER, "enter"]
    settings = [f"{name}={value}" for name, value in environment.items()]
    full = [*enter, str(image.folder), str(models or ""), image.config["User"], *settings, *command]
    with log.open("w") as output, subprocess.Popen(full, stdout=output, stderr=output, text=True) as process:
        container = Container(process, port, log, time.monotonic(), environment, image)
        try:
            yield container
        finally:
            container.kill()


def _until(look: Callable[[], Found], failure: str) -> Found:
    """Look until something is found."""
    end = time.monotonic() + _READY_SECONDS
    while not (found := look()):
        if time.monotonic() > end:
            pytest.fail(failure)
        select.select([], [], [], _POLL_SECONDS)
    return found

"""Certificates for tests, made by the command `openssl`."""

import subprocess
from dataclasses import dataclass
from pathlib import Path


@dataclass(frozen=True)
class Certificate:
    """A self-signed certificate for localhost, in files."""

    certificate: Path
    key: Path


def make(folder: Path, name: str = "server", *, bits: int = 2048) -> Certificate:
    """Make one."""
    certificate, key = folder / f"{name}.pem", folder / f"{name}-key.pem"
    openssl(
        *("req", "-x509", "-newkey", f"rsa:{bits}", "-nodes", "-days", "2"),
        *("-subj", "/CN=localhost", "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"),
        *("-keyout", str(key), "-out", str(certificate)),
    )
    return Certificate(certificate, key)


def openssl(*arguments: str) -> None:
    """Run the command."""
    subprocess.run(["openssl", *arguments], check=True, capture_output=True)  # noqa: S607  (wherever it is)

"""A TOML file of settings: its top-level keys are the names of settings."""

import tomllib
from pathlib import Path
from typing import Any, Final

from service.errors import SettingsError

_MAX_BYTES: Final = 2**20


def read_table(path: Path) -> dict[str, Any]:
    """What the file holds; nothing is checked but that it is TOML.

    Raises:
        SettingsError: It cannot be read, is no TOML, or is larger than a file of settings can be.
    """
    try:
        with path.open("rb") as file:
            content = file.read(_MAX_BYTES + 1)
    except OSError as error:
        raise SettingsError(f"{path} cannot be read: {error.strerror}") from error
    if len(content) > _MAX_BYTES:
        raise SettingsError(f"{path} has more than the {_MAX_BYTES:,} bytes that a file of settings may have")
    try:
        return tomllib.loads(content.decode())
    except (ValueError, RecursionError) as error:
        raise SettingsError(f"{path} is no TOML file of settings: {error}") from error

"""Reading files that somebody else put there: it never waits, and never takes more than was said."""

import os
import stat
from pathlib import Path
from typing import Final

from service.errors import ModelFileError

_FLAGS: Final = os.O_RDONLY | getattr(os, "O_CLOEXEC", 0) | getattr(os, "O_NONBLOCK", 0)


def read(path: Path, *, max_bytes: int) -> bytes:
    """Read a whole file.

    A pipe that nobody writes to would be waited for, a device may act when it is opened, and a file that is huge takes
    all memory: none of them is read.

    Raises:
        ModelFileError: It is missing, unreadable, too large, or no file with bytes in it.
    """
    try:
        _require_regular(path, path.stat().st_mode)
        with os.fdopen(os.open(path, _FLAGS), "rb") as file:
            found = os.fstat(file.fileno())
            _require_regular(path, found.st_mode)  # once more: it may be another one than a moment ago
            if found.st_size > max_bytes:
                raise ModelFileError(f"{path.name} has {found.st_size:,} bytes; accepted: up to {max_bytes:,}")
            return file.read(found.st_size)
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error
    except ValueError as error:
        raise ModelFileError(f"{path.name!r} cannot be the name of a file") from error


def is_there(path: Path) -> bool:
    """Whether there is anything of this name, be it a link to nowhere: what is there must be read, or told.

    Raises:
        ModelFileError: That cannot be told.
    """
    try:
        path.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError as error:
        raise ModelFileError(f"{path.name} cannot be read: {error.strerror}") from error
    return True


def _require_regular(path: Path, mode: int) -> None:
    if not stat.S_ISREG(mode):
        kind = "a folder" if stat.S_ISDIR(mode) else "a pipe, a socket or a device"
        raise ModelFileError(f"{path.name} cannot be read: it is {kind}, not a file")

"""The files that commands read and write."""

from pathlib import Path

from service.buffer import Content
from service.errors import MalformedRequestError, StriateError


def read_photo(path: Path) -> bytes:
    """Read an image file.

    Raises:
        MalformedRequestError: It cannot be read.
    """
    try:
        return path.read_bytes()
    except OSError as error:
        raise MalformedRequestError(f"{path} cannot be read: {error.strerror}") from error


def write_output(path: Path, content: Content) -> None:
    """Write a file.

    Raises:
        StriateError: It cannot be written.
    """
    try:
        path.write_bytes(content)
    except OSError as error:
        raise StriateError(f"{path} cannot be written: {error.strerror}") from error

"""Room on the disk: asked for before long work, so that nobody is told after it."""

import shutil
from pathlib import Path

from export.errors import SpaceError


def require_space(folder: Path, wanted: int, *, what: str) -> None:
    """Stop where something will not fit.

    Args:
        folder: Where it goes; it need not be there yet.
        wanted: Bytes.
        what: What takes them, for the message.

    Raises:
        SpaceError: Fewer are free.
    """
    there = next(parent for parent in (folder, *folder.absolute().parents) if parent.exists())
    free = shutil.disk_usage(there).free
    if free < wanted:
        raise SpaceError(f"{what} take {_megabytes(wanted)}, and {folder} has {_megabytes(free)} free")


def _megabytes(count: int) -> str:
    return f"{count / 1e6:,.1f} MB"

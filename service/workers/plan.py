"""What the supervisor must know: all of it is plain, since the supervisor is small and reads no settings."""

import json
import os
from dataclasses import asdict, dataclass

from service.logs import LogFormat


@dataclass(frozen=True)
class Plan:
    """What to keep running.

    Args:
        command: What starts a worker; the number of the open file by which it is reached is its last argument.
        listeners: Open files of the sockets to listen on.
        url: What they are called.
        shares: The settings of each worker as JSON, which only workers read.
        threads: The cores of all workers together.
        patience_seconds: How long workers that are told to end may take; then they are killed.
        log_level: The least important line to log.
        log_format: How lines of the log are written.
    """

    command: list[str]
    listeners: list[int]
    url: str
    shares: list[str]
    threads: int
    patience_seconds: float
    log_level: str
    log_format: LogFormat

    def save(self) -> int:
        """Write it to an open file: command lines and environments can be read by others, and there is a key in it."""
        file = os.memfd_create("striate-plan", 0)
        with os.fdopen(file, "w", closefd=False) as text:
            json.dump(asdict(self), text)
        return file

    @classmethod
    def load(cls, file: int) -> "Plan":
        """Read it from an open file, which is closed."""
        os.lseek(file, 0, os.SEEK_SET)
        with os.fdopen(file) as text:
            return cls(**json.load(text))

"""How lines of the log are written: for people (`console`) or for programs (`json`, one object in each line).

Whatever a caller sends reaches a line only escaped: nobody can begin a line of his own.
"""

import json
import logging
import re
import sys
from datetime import UTC, datetime
from functools import lru_cache
from typing import Final, Literal

LogFormat = Literal["auto", "console", "json"]

# C0 and C1, DEL, and what some programs take for the end of a line.
_CONTROL: Final = re.compile("[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def configure(level: str, form: LogFormat, *, worker: int | None = None) -> None:
    """Write the lines of this process, those of libraries too, to the standard error.

    Args:
        level: The least important to write.
        form: How; `auto` is `console` where the standard error is a terminal, else `json`.
        worker: The number of this process, where several serve together.
    """
    formatter = JsonFormatter(worker) if chosen(form) == "json" else ConsoleFormatter(worker)
    handler = logging.StreamHandler()
    handler.setFormatter(formatter)
    logging.basicConfig(level=level.upper(), handlers=[handler])


def chosen(form: LogFormat) -> Literal["console", "json"]:
    """The form that `auto` stands for here."""
    if form != "auto":
        return form
    return "console" if sys.stderr.isatty() else "json"


def escaped(text: str) -> str:
    r"""Text without control characters.

    >>> escaped("one\nline \x1b[31m")
    'one\\nline \\x1b[31m'
    """
    return _CONTROL.sub(lambda found: found[0].encode("unicode_escape").decode(), text)


class ConsoleFormatter(logging.Formatter):
    """Lines for people.

    Args:
        worker: As for `configure`.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__(f"%(asctime)s %(levelname)-8s {'' if worker is None else f'worker {worker}: '}%(message)s")

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802  (its name in logging)
        """The line, without what stands below it."""
        return escaped(super().formatMessage(record))

    def formatException(self, ei: object) -> str:  # noqa: N802  (its name in logging)
        """The trace of an error, moved in, so that no line of it looks like one of the log."""
        lines = super().formatException(ei).split("\n")  # type: ignore[arg-type]  # as logging calls it
        return "\n".join(f"    {escaped(line)}" for line in lines)


class JsonFormatter(logging.Formatter):
    """An object in each line: `time` (RFC 3339, UTC), `level`, `logger`, `message`, and where there is one `exception`.

    Args:
        worker: As for `configure`; told in a field of that name.
    """

    def __init__(self, worker: int | None = None) -> None:
        super().__init__()
        self._more = {} if worker is None else {"worker": worker}

    def format(self, record: logging.LogRecord) -> str:
        """The line."""
        found: dict[str, object] = {
            "time": timestamp(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **self._more,
        }
        if record.exc_info:
            found["exception"] = self.formatException(record.exc_info)
        return json.dumps(found, separators=(",", ":"))


def timestamp(seconds: float) -> str:
    """A moment, given in seconds since 1970, as RFC 3339 writes it.

    >>> timestamp(1_700_000_000.25)
    '2023-11-14T22:13:20.250Z'
    """
    whole = int(seconds)
    return f"{_second(whole)}.{int((seconds - whole) * 1000):03}Z"


@lru_cache(maxsize=1)
def _second(seconds: int) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%Y-%m-%dT%H:%M:%S")

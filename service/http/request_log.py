"""One line of the log for each request.

It is written without the module logging, which takes three times as long for it.
"""

import os
import time
from collections.abc import Callable, Mapping
from typing import Final, Literal

import orjson

from service.logs import chosen, escaped, timestamp
from service.settings import Settings

Level = Literal["debug", "info", "warning", "error"]

_LEVELS: Final[Mapping[str, int]] = {"debug": 10, "info": 20, "warning": 30, "error": 40}
_LOGGER: Final = "service.request"
_STANDARD_ERROR: Final = 2


def _write(line: bytes) -> None:
    """Write to the standard error; where nobody takes it, the request is answered all the same."""
    try:
        os.write(_STANDARD_ERROR, line)
    except OSError:
        return


class RequestLog:
    """Writes a line for each request.

    Args:
        form: As `service.logs` has them.
        level: The least important line to write.
        worker: The number of this process, where several serve together.
        write: Takes a line.
    """

    def __init__(
        self,
        form: Literal["console", "json"],
        level: Level,
        *,
        worker: int | None = None,
        write: Callable[[bytes], None] = _write,
    ) -> None:
        self._least = _LEVELS[level]
        self._line = _json if form == "json" else _console
        self._worker = {} if worker is None else {"worker": worker}
        self._write = write

    def wants(self, level: Level) -> bool:
        """Whether lines of a level are written."""
        return _LEVELS[level] >= self._least

    def request(self, level: Level, fields: dict[str, object]) -> None:
        """Write the line of a request.

        Args:
            level: How important it is.
            fields: What is known of it; a field that is empty, 0 or None is left out.
        """
        self._write(self._line(level, fields | self._worker if self._worker else fields))


def request_log(settings: Settings, worker: int | None = None) -> RequestLog:
    """The log that the settings ask for."""
    level: Level = settings.log_level if settings.access_log else "error"
    return RequestLog(chosen(settings.log_format), level, worker=worker)


def _json(level: Level, fields: dict[str, object]) -> bytes:
    line: dict[str, object] = {"time": timestamp(time.time()), "level": level, "logger": _LOGGER, "message": "request"}
    line |= {name: value for name, value in fields.items() if value}
    return orjson.dumps(line, option=orjson.OPT_APPEND_NEWLINE)


def _console(level: Level, fields: dict[str, object]) -> bytes:
    now = time.time()
    clock = f"{time.strftime('%Y-%m-%d %H:%M:%S', time.localtime(now))},{int(now * 1000) % 1000:03}"
    known = dict(fields)
    exception = known.pop("exception", "")
    worker = f"worker {known.pop('worker')}: " if "worker" in known else ""
    first = f"{known.pop('method')} {known.pop('path')} {known.pop('status')} {known.pop('seconds') * 1000:.2f} ms"  # type: ignore[operator]  # seconds are a number
    del known["route"]
    rest = "".join(f" {name}={value}" for name, value in known.items() if value)
    line = escaped(f"{clock} {level.upper():8} {worker}{first}{rest}")
    trace = "".join(f"\n    {escaped(part)}" for part in str(exception).splitlines())
    return f"{line}{trace}\n".encode()

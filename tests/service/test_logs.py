"""Promises of service.logs."""

import json
import logging

import pytest

from service.logs import ConsoleFormatter, JsonFormatter, chosen

FORGED = "bad\nname\r\x1b[31m\x85\u2028"


def record(message: str, *arguments: object, error: BaseException | None = None) -> logging.LogRecord:
    """Something to log."""
    trace = (type(error), error, error.__traceback__) if error else None
    return logging.LogRecord("some.library", logging.WARNING, "file", 1, message, arguments, trace)


def raised(message: str) -> Exception:
    """An error with a trace."""
    with pytest.raises(RuntimeError) as caught:
        raise RuntimeError(message)
    return caught.value


def test_json_is_an_object_in_a_line() -> None:
    """With the number of the worker, and the trace of an error."""
    line = JsonFormatter(3).format(record("it was %r", FORGED, error=raised(FORGED)))
    found = json.loads(line)
    assert len(line.splitlines()) == 1
    assert (found["level"], found["logger"], found["worker"]) == ("warning", "some.library", 3)
    assert found["message"] == f"it was {FORGED!r}"
    assert FORGED in found["exception"]
    assert found["time"].endswith("Z")


def test_nobody_can_forge_a_line_for_people() -> None:
    """Control characters of a message are escaped; a trace is moved in, also what its message holds."""
    line = ConsoleFormatter().format(record(f"no {FORGED}", error=raised(FORGED)))
    first, *others = line.split("\n")
    assert "no bad\\nname\\r\\x1b[31m\\x85\\u2028" in first
    assert others
    assert all(other.startswith("    ") for other in others)
    assert not set("\r\x1b\x85\u2028") & set(line)


def test_auto_is_for_people_only_on_a_terminal(monkeypatch: pytest.MonkeyPatch) -> None:
    """What is not one is read by programs."""
    monkeypatch.setattr("sys.stderr.isatty", lambda: True, raising=False)
    assert (chosen("auto"), chosen("json")) == ("console", "json")
    monkeypatch.setattr("sys.stderr.isatty", lambda: False, raising=False)
    assert (chosen("auto"), chosen("console")) == ("json", "console")

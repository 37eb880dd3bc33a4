"""What the supervisor and a worker tell each other."""

import json
from dataclasses import asdict, dataclass, field
from typing import Final, Literal, TypeAlias

Verb = Literal["load", "unload"]


@dataclass(frozen=True)
class Assignment:
    """To a new worker: its number, from 1, and its settings as JSON.  The memory for its counters comes with it."""

    number: int
    settings: str


@dataclass(frozen=True)
class Connection:
    """To a worker: serve the connection that comes with it."""


@dataclass(frozen=True)
class Shed:
    """To a worker: close some connections behind the answers that they wait for, since others have fewer."""

    count: int


@dataclass(frozen=True)
class Change:
    """To every worker: load or unload a model."""

    verb: Verb
    model: str


@dataclass(frozen=True)
class Changed:
    """To the worker that asked: all have done it, but for those that failed, and why the first of them did."""

    token: int
    failed: list[int] = field(default_factory=list)
    reason: str | None = None


@dataclass(frozen=True)
class Drain:
    """To a worker: no more will come; answer what was accepted, and end."""


@dataclass(frozen=True)
class Up:
    """From a worker: it answers, though perhaps that its models are not ready."""


@dataclass(frozen=True)
class Loaded:
    """From a worker: so many of its models are ready, and none is loading; again when they changed by themselves."""

    ready: int
    models: int
    device: str
    device_reason: str | None


@dataclass(frozen=True)
class Refused:
    """From a worker that cannot start: why, for the operator."""

    reason: str


@dataclass(frozen=True)
class Draining:
    """From a worker that was told to end by somebody else: hand it nothing more."""


@dataclass(frozen=True)
class Counts:
    """From a worker: how many connections it has taken, and how many of them are closed, since its start."""

    taken: int
    closed: int


@dataclass(frozen=True)
class Ask:
    """From a worker whose caller wants it: have every worker load or unload a model."""

    token: int
    verb: Verb
    model: str


@dataclass(frozen=True)
class Done:
    """From a worker: it has done a change, or why not; and how many of its models are ready now."""

    ready: int
    error: str | None


ToWorker: TypeAlias = Assignment | Connection | Shed | Change | Changed | Drain
FromWorker: TypeAlias = Up | Loaded | Refused | Draining | Counts | Ask | Done
Message: TypeAlias = ToWorker | FromWorker

_KINDS: Final[dict[str, type[Message]]] = {kind.__name__: kind for kind in Message.__args__}


def encode(message: Message) -> bytes:
    """Write a message.

    >>> encode(Counts(taken=2, closed=1))
    b'["Counts", {"taken": 2, "closed": 1}]'
    """
    return json.dumps([type(message).__name__, asdict(message)]).encode()


def decode(data: bytes) -> Message:
    """Read a message.

    >>> decode(b'["Counts", {"taken": 2, "closed": 1}]')
    Counts(taken=2, closed=1)
    """
    kind, fields = json.loads(data)
    return _KINDS[kind](**fields)

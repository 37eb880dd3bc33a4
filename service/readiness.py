"""Whether the service is ready: every model that it must have is loaded and warmed up, and there is one at all."""

from collections.abc import Collection, Sequence

from service.registry import Entry, Registry


def why_not_ready(registry: Registry, required: Collection[str]) -> str | None:
    """What is missing, for people; None where nothing is.

    A model counts when one of its versions is ready: that one answers.

    Args:
        registry: The models.
        required: Those that must be ready.  Where none is named, every model must have been tried, and one must be
            ready: a model that is broken takes nothing down.
    """
    entries = registry.entries
    ready = {entry.folder.name for entry in entries if entry.state == "ready"}
    if required:
        return ", ".join(_states(name, entries) for name in required if name not in ready) or None
    if registry.ready:
        return None
    names = dict.fromkeys(entry.folder.name for entry in entries)
    return ", ".join(_states(name, entries) for name in names) or "there are no models in the repository"


def _states(name: str, entries: Sequence[Entry]) -> str:
    states = [f"{name} version {one.folder.version} {one.state}" for one in entries if one.folder.name == name]
    return ", ".join(states) or f"{name} is required, and not in the repository"

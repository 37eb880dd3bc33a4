"""What is loaded: name and version to model."""

import difflib
import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final, Literal

from service import memory, repository
from service.errors import (
    ModelFileError,
    ModelNotReadyError,
    StriateError,
    UnknownModelError,
    UnknownVersionError,
)
from service.model import Model
from service.repository import Fingerprint, ModelFolder

log = logging.getLogger(__name__)

_LONGEST_REASON: Final = 1000  # characters


@dataclass(frozen=True)
class Entry:
    """One version of a model, and how it stands.

    Args:
        folder: Where it lies.
        state: `loading`, `ready` or `failed`.
        model: The loaded model, where it is ready.
        reason: What is wrong: where it failed; and where it is ready, but what lies there now does not load.
        files: What its files looked like when they were loaded, or failed to.
    """

    folder: ModelFolder
    state: Literal["loading", "ready", "failed"]
    model: Model | None = None
    reason: str | None = None
    files: Fingerprint | None = None


@dataclass(frozen=True)
class IndexEntry:
    """One version of a model in the repository, loaded or not.

    Args:
        name: The name of the model.
        version: Its version.
        state: As the Open Inference Protocol calls it.
        reason: Why it is not ready; empty where it is.
    """

    name: str
    version: int
    state: Literal["READY", "LOADING", "UNAVAILABLE"]
    reason: str = ""


class Registry:
    """All models that are loaded, loading or broken.

    A model that does not load takes nothing down: it is listed with the reason, the others serve.  Of a model with
    several versions, the highest one that loaded answers where none is named.

    Any thread may ask, and may load and unload.  Requests that run on a model that goes
    end as usual.

    Args:
        root: The model repository.
        load: Makes a model of a folder.

    Raises:
        ModelFileError: The repository cannot be read.
    """

    def __init__(self, root: Path, load: Callable[[ModelFolder], Model]) -> None:
        self._root = root
        self._load = load
        self._changing = threading.Lock()  # one change at a time; readers see the entries before it, or after
        self._coming: str | None = None
        self._closed = False
        self._unloaded: set[str] = set()
        self._entries: dict[str, dict[int, Entry]] = {}  # by name and version, in order of both
        for folder in repository.scan(root):
            self._entries.setdefault(folder.name, {})[folder.version] = Entry(folder, "loading")

    def load_all(self) -> None:
        """Load and warm up every model, one after the other.  Never raises a `StriateError`.

        Where another thread does so already, this one returns when all are loaded too.
        """
        tried = 0
        for folder in [entry.folder for entry in self.entries]:
            with self._changing:
                entry = self._entry(folder)
                if entry is not None and entry.state == "loading" and not self._closed:
                    self._entries[folder.name][folder.version] = self._loaded(entry.folder)
                    tried += 1
        if tried:
            memory.give_back()
            memory.use_large_pages_soon()

    def close(self) -> None:
        """Have `load_all` begin no other model, as nobody waits for it any more."""
        self._closed = True

    def load(self, name: str, version: str | None = None) -> Model:
        """Load the versions of one model that `find` may answer with, and find it.

        Raises:
            UnknownModelError: There is no such model.
            UnknownVersionError: There is no such version of it.
            ModelNotReadyError: It fails to load.
        """
        wanted = self.versions(name) if version is None else [self.entry(name, version)]
        for entry in wanted:
            self._entries[name][entry.folder.version] = self._loaded(entry.folder)
        return self.find(name, version)

    def reload(self, name: str) -> None:
        """Load what the repository has of a model: for the first time, or again.

        Until a version is ready, the one of that number that served before goes on; where it fails to load, for good.

        Raises:
            UnknownModelError: The repository has no such model.
            ModelFileError: The highest version fails to load.
        """
        with self._changing:
            folders = [folder for folder in repository.scan(self._root) if folder.name == name]
            if not folders:
                raise UnknownModelError(f"the repository has no model {name!r}")
            self._unloaded.discard(name)
            self._bring(name, folders, again=True)
            reason = self._entries[name][folders[-1].version].reason
        memory.give_back()
        memory.use_large_pages_soon()
        if reason is not None:
            raise ModelFileError(f"model {name!r} version {folders[-1].version}: {reason}")

    def follow(self, name: str, folders: Sequence[ModelFolder]) -> bool:
        """Load what has changed of a model since it was loaded, and forget what is gone.

        As long as the folder of a model is there, the last version that loaded serves until another one is ready.  A
        model that was unloaded stays so.  What failed is tried again when its files have changed.

        Args:
            name: The name of the model.
            folders: What the repository has of it, in order of version; nothing where it is gone.

        Returns:
            Whether anything has changed.
        """
        with self._changing:
            if name in self._unloaded:
                return False
            before = self._entries
            if folders:
                self._bring(name, folders, again=False)
            elif name in self._entries:
                self._replace(name, [])
                log.info("model %s is gone from the repository, and unloaded", name)
            if self._entries == before:
                return False
        memory.give_back()
        memory.use_large_pages_soon()
        return True

    def unload(self, name: str) -> None:
        """Forget every version of a model, until `reload` is called.

        Raises:
            UnknownModelError: No such model is loaded.
        """
        with self._changing:
            self.versions(name)
            self._unloaded.add(name)
            self._replace(name, [])
        memory.give_back()
        log.info("model %s is unloaded", name)

    def index(self) -> list[IndexEntry]:
        """Every version of every model of the repository, in order of name and version, loaded or not.

        Raises:
            ModelFileError: The repository cannot be read.
        """
        entries, coming = self.entries, self._coming
        found = {(entry.folder.name, entry.folder.version): _indexed(entry) for entry in entries}
        for folder in repository.scan(self._root):
            key = (folder.name, folder.version)
            loading = folder.name == coming
            state: Literal["LOADING", "UNAVAILABLE"] = "LOADING" if loading else "UNAVAILABLE"
            found.setdefault(key, IndexEntry(*key, state, "" if loading else "unloaded"))
        return [found[key] for key in sorted(found)]

    @property
    def entries(self) -> Sequence[Entry]:
        """Every version of every model, in order of name and version."""
        return [entry for versions in self._entries.values() for entry in versions.values()]

    @property
    def ready(self) -> bool:
        """Whether loading has ended and there is at least one model to ask."""
        states = {entry.state for entry in self.entries}
        return "loading" not in states and "ready" in states

    def find(self, name: str, version: str | None = None) -> Model:
        """Find a model that is ready.

        Args:
            name: Its name.
            version: One version, as written in a path; None for the highest that loaded.

        Raises:
            UnknownModelError: There is no such model.
            UnknownVersionError: There is no such version of it.
            ModelNotReadyError: It is loading or failed to load.
        """
        entry = self.entry(name, version)
        if entry.model is None:
            state = "is still loading" if entry.state == "loading" else f"failed to load: {entry.reason}"
            raise ModelNotReadyError(f"model {name!r} version {entry.folder.version} {state}")
        return entry.model

    def entry(self, name: str, version: str | None = None) -> Entry:
        """Find a model however it stands.

        Raises:
            UnknownModelError: There is no such model.
            UnknownVersionError: There is no such version of it.
        """
        versions = self.versions(name)
        if version is None:
            return next((entry for entry in reversed(versions) if entry.model), versions[-1])
        for entry in versions:
            if str(entry.folder.version) == version:
                return entry
        numbers = [str(entry.folder.version) for entry in versions]
        raise UnknownVersionError(f"model {name!r} has no version {version!r}", nearest=numbers[::-1][:3])

    def versions(self, name: str) -> list[Entry]:
        """Every version of a model, the highest last.

        Raises:
            UnknownModelError: There is no such model.
        """
        found = self._entries.get(name)
        if found is None:
            names = list(self._entries)
            nearest = difflib.get_close_matches(name, names, cutoff=0.4) or names[:3]
            raise UnknownModelError(f"no model {name!r}", nearest=nearest)
        return list(found.values())

    def _entry(self, folder: ModelFolder) -> Entry | None:
        return self._entries.get(folder.name, {}).get(folder.version)

    def _bring(self, name: str, folders: Sequence[ModelFolder], *, again: bool) -> None:
        """Load the versions of a model that have changed, or all of them, and let them take the place of the others."""
        self._coming = name
        try:
            entries = [self._brought(folder, again=again) for folder in folders]
        finally:
            self._coming = None
        self._replace(name, entries if any(entry.model for entry in entries) else [*entries, *self._last_resort(name)])

    def _brought(self, folder: ModelFolder, *, again: bool) -> Entry:
        before = self._entry(folder)
        if not again and before is not None and before.files == folder.fingerprint():
            return before
        fresh = self._loaded(folder)
        if fresh.model is not None or before is None or before.model is None:
            return fresh
        reason = f"what lies there now does not load, and the one before it serves: {fresh.reason}"
        return replace(before, reason=reason, files=fresh.files)

    def _last_resort(self, name: str) -> list[Entry]:
        """The version that goes on where none that is in the repository loads."""
        serving = [entry for entry in self._entries.get(name, {}).values() if entry.model is not None]
        return [replace(entry, reason="it is gone, and serves until another one loads") for entry in serving[-1:]]

    def _replace(self, name: str, entries: Sequence[Entry]) -> None:
        """Put entries in the place of those of a model, all at once."""
        before = [entry.model for entry in self._entries.get(name, {}).values()]
        others = {other: versions for other, versions in self._entries.items() if other != name}
        fresh = {entry.folder.version: entry for entry in entries}
        found = {**others, name: dict(sorted(fresh.items()))} if fresh else others
        self._entries = dict(sorted(found.items()))
        kept = [entry.model for entry in entries]
        for model in before:
            if model is not None and model not in kept:
                model.close()

    def _loaded(self, folder: ModelFolder) -> Entry:
        files = folder.fingerprint()  # before they are read: what changes meanwhile is found at the next look
        try:
            model = self._load(folder)
            model.warm_up()
        except StriateError as error:
            reason = _shown(str(error))
        except Exception as error:
            # Whoever wrote the files chooses what goes wrong, and it must take nothing else down.
            log.exception("model %s version %d", folder.name, folder.version)
            reason = f"its files cannot be understood: {type(error).__name__}; the log of the service says more"
        else:
            log.info("model %s version %d is ready on %s", folder.name, folder.version, model.device.used)
            if model.unused_settings:
                log.info("config.pbtxt of model %s: not used are %s", folder.name, ", ".join(model.unused_settings))
            return Entry(folder, "ready", model=model, files=files)
        log.warning("model %s version %d does not load: %s", folder.name, folder.version, reason)
        return Entry(folder, "failed", reason=reason, files=files)


def _shown(reason: str) -> str:
    """A reason as it can be shown: it may quote what a hostile file says."""
    return "".join(c if c.isprintable() else " " for c in reason[:_LONGEST_REASON])


def _indexed(entry: Entry) -> IndexEntry:
    states: Mapping[str, Literal["READY", "LOADING", "UNAVAILABLE"]] = {"ready": "READY", "loading": "LOADING"}
    state = states.get(entry.state, "UNAVAILABLE")
    return IndexEntry(entry.folder.name, entry.folder.version, state, entry.reason or "")

"""What is loaded: name and version to model."""

import difflib
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from service import repository
from service.errors import ModelError, ModelNotReadyError, NotFoundError, UnknownModelError, UnknownVersionError
from service.model import Model
from service.repository import ModelFolder

log = logging.getLogger(__name__)


@dataclass(frozen=True)
class Entry:
    """One version of a model, and how it stands.

    Args:
        folder: Where it lies.
        state: `loading`, `ready` or `failed`.
        model: The loaded model, where it is ready.
        reason: What is wrong, where it failed.
    """

    folder: ModelFolder
    state: Literal["loading", "ready", "failed"]
    model: Model | None = None
    reason: str | None = None


class Registry:
    """All models that are loaded, loading or broken.

    A model that does not load takes nothing down: it is listed with the reason, the others serve.  Of a model with
    several versions, the highest one that loaded answers where none is named.

    Args:
        root: The model repository.
        load: Makes a model of a folder.

    Raises:
        ModelFileError: The repository cannot be read.
    """

    def __init__(self, root: Path, load: Callable[[ModelFolder], Model]) -> None:
        self._load = load
        self._entries = {(folder.name, folder.version): Entry(folder, "loading") for folder in repository.scan(root)}

    def load_all(self) -> None:
        """Load and warm up every model, one after the other.  Never raises a `StriateError`."""
        for key, entry in list(self._entries.items()):
            self._entries[key] = self._loaded(entry.folder)

    def load(self, name: str, version: str | None = None) -> Model:
        """Load the versions of one model that `find` may answer with, and find it.

        Raises:
            UnknownModelError: There is no such model.
            UnknownVersionError: There is no such version of it.
            ModelNotReadyError: It fails to load.
        """
        wanted = self.versions(name) if version is None else [self.entry(name, version)]
        for entry in wanted:
            self._entries[(name, entry.folder.version)] = self._loaded(entry.folder)
        return self.find(name, version)

    @property
    def entries(self) -> Sequence[Entry]:
        """Every version of every model, in order of name and version."""
        return list(self._entries.values())

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
        found = [entry for entry in self.entries if entry.folder.name == name]
        if not found:
            names = list(dict.fromkeys(entry.folder.name for entry in self.entries))
            nearest = difflib.get_close_matches(name, names, cutoff=0.4) or names[:3]
            raise UnknownModelError(f"no model {name!r}", nearest=nearest)
        return found

    def _loaded(self, folder: ModelFolder) -> Entry:
        try:
            model = self._load(folder)
            model.warm_up()
        except (ModelError, NotFoundError) as error:
            log.warning("model %s version %d does not load: %s", folder.name, folder.version, error)
            return Entry(folder, "failed", reason=str(error))
        log.info("model %s version %d is ready on %s", folder.name, folder.version, model.device.used)
        return Entry(folder, "ready", model=model)

"""Looks at the model repository again and again, and has the registry follow what changes there."""

import logging
import threading
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from service import repository
from service.errors import ModelFileError
from service.registry import Registry
from service.repository import Fingerprint, ModelFolder

log = logging.getLogger(__name__)


class Watcher:
    """Follows a repository, in a thread of its own: no request waits for it, not even where the disk hangs.

    A look asks for names, sizes, times and inodes only.  What has changed is loaded when two looks in a row see the
    same, so that a file which is being copied is left alone.  Where the repository is gone, or has not one model any
    more, as where a network drive is not mounted, everything goes on as it is.

    Args:
        registry: What follows.
        root: The model repository.
        seconds: From one look to the next; 0 for none.
        patience_seconds: How long `close` waits for a model that is being loaded, which cannot be given up.
    """

    def __init__(self, registry: Registry, root: Path, *, seconds: float, patience_seconds: float = 30.0) -> None:
        self._registry = registry
        self._root = root
        self._seconds = seconds
        self._patience_seconds = patience_seconds
        self._seen: Mapping[str, Fingerprint] = {}
        self._followed: dict[str, Fingerprint] = {}
        self._trouble: str | None = None
        self._ending = threading.Event()
        self._thread: threading.Thread | None = None

    def start(self, changed: Callable[[], None]) -> None:
        """Begin.

        Args:
            changed: Called in the watcher's thread after the registry has followed a change.
        """
        if self._seconds:
            self._thread = threading.Thread(target=self._run, args=(changed,), name="watcher", daemon=True)
            self._thread.start()

    def close(self) -> None:
        """End, when the model that is being loaded is; no other one is loaded then."""
        self._ending.set()
        if self._thread is not None:
            self._thread.join(self._patience_seconds)

    def look(self) -> bool:
        """Look once.  Returns whether anything changed in the registry."""
        try:
            now = repository.fingerprints(self._root)
            if not now and self._followed:
                raise ModelFileError(f"the model repository {self._root} is empty")  # noqa: TRY301  (one way to tell)
            due = [name for name in {**self._followed, **now} if self._is_due(name, now)]
            folders = repository.scan(self._root) if due else []
        except ModelFileError as error:
            self._tell(f"{error}: what is loaded goes on")
            return False
        self._tell(None)
        self._seen = now
        changes = [self._follow(name, [one for one in folders if one.name == name], now.get(name)) for name in due]
        return True in changes

    def _is_due(self, name: str, now: Mapping[str, Fingerprint]) -> bool:
        found = now.get(name)
        return found == self._seen.get(name) and found != self._followed.get(name)

    def _follow(self, name: str, folders: Sequence[ModelFolder], found: Fingerprint | None) -> bool:
        if self._ending.is_set():
            return False
        changed = self._registry.follow(name, folders)
        if found is None:
            del self._followed[name]
        else:
            self._followed[name] = found
        return changed

    def _tell(self, trouble: str | None) -> None:
        """Log what is wrong with the repository, once."""
        if trouble is not None and trouble != self._trouble:
            log.warning("%s", trouble)
        if trouble is None and self._trouble is not None:
            log.info("the model repository %s can be read again", self._root)
        self._trouble = trouble

    def _run(self, changed: Callable[[], None]) -> None:
        while not self._ending.wait(self._seconds):
            try:
                if self.look():
                    changed()
            except Exception:
                log.exception("looking at the model repository failed")

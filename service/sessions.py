"""Networks that are made when first asked for, and kept while there is room."""

import threading
from collections import OrderedDict
from collections.abc import Callable, Hashable
from concurrent.futures import Future

from service.compute import Network


class SessionCache:
    """Networks by key, bounded in bytes; the one that was used longest ago goes first.

    However many threads ask for a key at the same time, its sessions are made once, by the first of them.  One that
    is dropped while a run uses it lives until that run ends.

    Args:
        max_bytes: How large the graphs of all sessions together may be.  The newest is kept even if it is larger.
    """

    def __init__(self, *, max_bytes: int) -> None:
        self._max_bytes = max_bytes
        self._lock = threading.Lock()
        self._futures: OrderedDict[Hashable, Future[Network]] = OrderedDict()
        self.hits = 0
        """How often a network was there already, or being made."""
        self.misses = 0
        """How often one had to be made."""
        self.evictions = 0
        """How often one had to go for others."""

    def get(self, key: Hashable, make: Callable[[], Network]) -> Network:
        """The network of a key; `make` is called where there is none, and its error is raised to all who wait."""
        with self._lock:
            future = self._futures.get(key)
            if future is not None:
                self._futures.move_to_end(key)
                self.hits += 1
            else:
                mine = self._futures[key] = Future[Network]()
                self.misses += 1
        if future is None:
            self._make(key, mine, make)
            future = mine
        return future.result()

    def drop(self, owner: object) -> None:
        """Forget every network whose key is a tuple that begins with `owner`."""
        with self._lock:
            for key in [key for key in self._futures if isinstance(key, tuple) and key[0] is owner]:
                del self._futures[key]

    @property
    def bytes(self) -> int:
        """The size of the graphs of all networks that are kept."""
        with self._lock:
            return self._bytes()

    def _make(self, key: Hashable, future: Future[Network], make: Callable[[], Network]) -> None:
        try:
            network = make()
        except BaseException as error:
            with self._lock:
                if self._futures.get(key) is future:
                    del self._futures[key]
            future.set_exception(error)
            raise
        with self._lock:
            future.set_result(network)  # from here on it counts
            self._make_room(but=key)

    def _make_room(self, *, but: Hashable) -> None:
        """Drop what was used longest ago; what is still being made takes no room yet."""
        others = [key for key, future in self._futures.items() if key != but and future.done()]
        for oldest in others:
            if self._bytes() <= self._max_bytes:
                return
            del self._futures[oldest]
            self.evictions += 1

    def _bytes(self) -> int:
        made = (future for future in self._futures.values() if future.done())
        return sum(future.result().bytes for future in made)

"""Memory: what is free goes back to the system, and what stays lies on large pages and is never looked through."""

import ctypes
import gc
import mmap
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

_LIBRARY: Final = ctypes.CDLL(None)
_MAPPINGS: Final = Path("/proc/self/maps")
_LARGE: Final = 2**21  # bytes of a large page; on other processors than those of today's servers it may be more
_NEARLY: Final = 0.9  # of a large page must be in use, since all of it takes memory then
_COLLAPSE: Final = 25  # madvise: put on a large page what is there (Linux 6.1)


def give_back() -> None:
    """Return to the system what the allocator keeps of the memory that was freed; nothing where it is not glibc's.

    Making a session takes several copies of a network's weights for a moment.  glibc keeps their place for whoever
    comes next in the same thread: 80 of the 200 MiB of a process that has just loaded EfficientNet-Lite0.
    """
    trim = getattr(_LIBRARY, "malloc_trim", None)
    if trim is not None:
        trim(0)


def use_large_pages() -> None:
    """Put memory on pages of 2 MiB where nearly all of one is in use; nothing where the system does not do that.

    A run reads all weights of a network, and on pages of 4 KiB the processor looks up the place of each: on a virtual
    machine EfficientNet-Lite0 runs 2 to 3 % more often a second on large ones.  It takes up to 5 ms for each page.
    """
    if not _MAPPINGS.exists():
        return
    pages = _LARGE // mmap.PAGESIZE
    resident = (ctypes.c_ubyte * pages)()
    for start in _large_places():
        place = ctypes.c_void_p(start), ctypes.c_size_t(_LARGE)
        # Whatever was freed meanwhile is refused, or put on a large page as well: nothing is lost.
        if not _LIBRARY.mincore(*place, resident) and sum(resident) >= _NEARLY * pages:
            _LIBRARY.madvise(*place, _COLLAPSE)


def use_large_pages_soon() -> None:
    """The same in the background, for whoever has made a network and has to go on."""
    threading.Thread(target=use_large_pages, name="striate-pages", daemon=True).start()


def _large_places() -> Iterator[int]:
    """Where a large page would fit into memory of this process's own."""
    for line in _MAPPINGS.read_text().splitlines():
        addresses, rights, _, device, *_ = line.split(maxsplit=5)
        if rights == "rw-p" and device == "00:00":
            start, end = (int(address, 16) for address in addresses.split("-"))
            yield from range(-(-start // _LARGE) * _LARGE, end - _LARGE + 1, _LARGE)


@contextmanager
def lasting() -> Iterator[None]:
    """Make what stays as long as the process: modules, and what answers.

    Importing makes hardly any garbage, and looking for it takes a tenth of the time.  What was made is never looked at
    again, else each full collection would walk through all of FastAPI and ONNX while requests wait.
    """
    gc.disable()
    try:
        yield
    finally:
        gc.freeze()
        gc.enable()

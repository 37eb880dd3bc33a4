"""How many files a process may have open: each connection is one."""

import logging
from typing import Final

try:
    import resource
except ImportError:  # Windows has no such limit
    resource = None  # type: ignore[assignment]

log = logging.getLogger(__name__)

_OTHERS: Final = 512  # libraries, models, the log, guests


def allow(connections: int) -> None:
    """Let this process, and those that it starts, have as many connections as it should; warn where it cannot."""
    if resource is None:
        return
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = connections + _OTHERS
    if soft == resource.RLIM_INFINITY or soft >= wanted:
        return
    most = wanted if hard == resource.RLIM_INFINITY else min(wanted, hard)
    resource.setrlimit(resource.RLIMIT_NOFILE, (most, hard))
    if most < wanted:
        log.warning("the system allows %d open files: that is too few for max_connections, %d", most, connections)

"""A closed loop: each of some connections sends a request, waits for the answer, and sends the next.

`wrk` does it.  It formats the request once and costs 10 to 40 microseconds an answer, which is measured in every run.
Its percentiles are corrected for what a connection could not ask while it waited for a slow answer; answers that were
not there when the time was up are in none of them, so that times which are not far below it come out too short.
"""

import re
import resource
import shutil
import subprocess
import tempfile
from collections.abc import Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import Final

from benchmarks.errors import BenchmarkError
from benchmarks.figures import Measured
from benchmarks.workloads import Workload

SCRIPT: Final = Path(__file__).with_name("load.lua")

_RESULT: Final = re.compile(
    r"^result requests=(\d+) microseconds=(\d+) p50=(\d+) p99=(\d+) slowest=(\d+)"
    r" broken=(\d+) timeouts=(\d+) wrong=(\d+) sample=(.*)$",
    re.MULTILINE,
)


def closed_loop(urls: Sequence[str], workload: Workload, *, connections: int, seconds: int) -> Measured:
    """Load a server.

    Args:
        urls: Of the server; where there are several, each gets an equal share of the connections.
        workload: What to ask.
        connections: How many requests are under way at any time.
        seconds: How long.

    Raises:
        BenchmarkError: An answer was wrong, or did not come.
    """
    with tempfile.NamedTemporaryFile() as body, ExitStack() as stack:
        body.write(workload.body)
        body.flush()
        share = connections // len(urls)
        before = _children_seconds()
        commands = [_command(url, workload, Path(body.name), share, seconds) for url in urls]
        running = [
            stack.enter_context(subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True))  # noqa: S603  (it is ours)
            for command in commands
        ]
        parts = [parse(process.communicate()[0]) for process in running]
        busy = _children_seconds() - before
    return Measured(
        rate=sum(part.rate for part in parts),
        p50=max(part.p50 for part in parts),
        p99=max(part.p99 for part in parts),
        client=busy / seconds,
    )


def parse(output: str) -> Measured:
    """What `wrk` printed with our script.

    Raises:
        BenchmarkError: An answer was wrong, or did not come.
    """
    found = _RESULT.search(output)
    if found is None:
        raise BenchmarkError(f"wrk failed: {output.strip()}")
    requests, microseconds, p50, p99, slowest, broken, timeouts, wrong = map(int, found.groups()[:-1])
    if wrong:
        raise BenchmarkError(f"{wrong} of {requests} answers are wrong, as: {found[9]}")
    if broken or timeouts:
        raise BenchmarkError(f"{broken} connections broke and {timeouts} answers did not come in time")
    if not requests:
        raise BenchmarkError(f"no answer came within {microseconds / 1e6:.0f} s")
    return Measured(rate=1e6 * requests / microseconds, p50=p50 / 1000, p99=min(p99, slowest) / 1000)


def _command(url: str, workload: Workload, body: Path, connections: int, seconds: int) -> list[str]:
    program = shutil.which("wrk")
    if program is None:
        raise BenchmarkError("the program wrk is missing: `sudo make bench-packages` installs it on Debian and Ubuntu")
    # One thread: it is not what is slow, and two would take a core more from the service.
    options = [f"--connections={connections}", "--threads=1", f"--duration={seconds}s", "--timeout=60s"]
    fields = [part for field in workload.headers.items() for part in field]
    arguments = [str(body), workload.text, str(workload.length), *fields]
    return [program, *options, f"--script={SCRIPT}", url + workload.path, "--", *arguments]


def _children_seconds() -> float:
    """The processor time of all programs that were waited for."""
    usage = resource.getrusage(resource.RUSAGE_CHILDREN)
    return usage.ru_utime + usage.ru_stime

"""Promises of service.inference_statistics."""

import sys
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from service.counters import Memories, shared_memory
from service.inference_statistics import RUN_SIZES, InferenceStatistics
from service.timing import Timings


def timings(items: int = 1) -> Timings:
    """Of a request that computed for 2 ms, and waited for 1 ms."""
    made = Timings()
    made.items = items
    made.add("queue", 0.001)
    made.add("compute", 0.002)
    return made


def test_a_model_that_was_never_asked_has_zeros() -> None:
    """Every field that perf_analyzer reads is there, as it reads them unchecked."""
    found: Any = InferenceStatistics().of("m", 1)
    assert (found["version"], found["inference_count"], found["execution_count"]) == ("1", 0, 0)
    for name in ("success", "fail", "queue", "compute_input", "compute_infer", "compute_output"):
        assert found["inference_stats"][name] == {"count": 0, "ns": 0}
    for name in ("cache_hit", "cache_miss"):
        assert found["inference_stats"][name] == {"count": 0, "ns": 0}


def test_success_is_counted_with_its_stages() -> None:
    """In items, executions and nanoseconds, also for each size of batch."""
    statistics = InferenceStatistics()
    statistics.succeeded("m", 1, timings(3), seconds=0.004)
    statistics.succeeded("m", 1, timings(1), seconds=0.004)
    found: Any = statistics.of("m", 1)
    assert (found["inference_count"], found["execution_count"]) == (4, 2)
    assert found["inference_stats"]["success"] == {"count": 2, "ns": 8_000_000}
    assert found["inference_stats"]["queue"] == {"count": 2, "ns": 2_000_000}
    assert found["inference_stats"]["compute_infer"] == {"count": 2, "ns": 4_000_000}
    assert [batch["batch_size"] for batch in found["batch_stats"]] == [1, 3]
    assert found["batch_stats"][0]["compute_infer"] == {"count": 1, "ns": 2_000_000}
    assert found["last_inference"] > 1_600_000_000_000


def test_runs_are_counted_by_their_size() -> None:
    """Up to and including each end, and without one."""
    statistics = InferenceStatistics()
    assert statistics.runs() == ([0] * (len(RUN_SIZES) + 1), 0)
    for entries in (1, 3, 4, 300):
        statistics.ran(entries)
    counts, total = statistics.runs()
    assert (counts[:3], counts[-1], total) == ([1, 0, 2], 1, 308)


def test_models_that_were_asked_are_known() -> None:
    """With their versions, also when they are not served any more."""
    statistics = InferenceStatistics()
    statistics.failed("m", 12, seconds=0)
    statistics.failed("other", 1, seconds=0)
    assert statistics.asked() == [("m", 12), ("other", 1)]


def test_failures_are_counted_apart() -> None:
    """They change nothing else."""
    statistics = InferenceStatistics()
    statistics.failed("m", 1, seconds=0.001)
    found: Any = statistics.of("m", 1)
    assert found["inference_stats"]["fail"] == {"count": 1, "ns": 1_000_000}
    assert found["inference_stats"]["success"]["count"] == found["inference_count"] == 0


def test_versions_are_counted_apart() -> None:
    """One does not count for the other."""
    statistics = InferenceStatistics()
    statistics.succeeded("m", 1, timings(), seconds=0)
    found: Any = statistics.of("m", 2)
    assert found["inference_count"] == 0


def test_sizes_of_batches_do_not_fill_the_memory() -> None:
    """Those that callers choose beyond 256 count as that."""
    statistics = InferenceStatistics()
    for size in range(250, 400):
        statistics.succeeded("m", 1, timings(size), seconds=0)
    found: Any = statistics.of("m", 1)
    assert [batch["batch_size"] for batch in found["batch_stats"]] == list(range(250, 257))


def test_threads_lose_nothing() -> None:
    """Requests end side by side."""
    statistics = InferenceStatistics()
    with ThreadPoolExecutor(4) as pool:
        for _ in range(1000):
            pool.submit(statistics.succeeded, "m", 1, timings(), seconds=0)
    found: Any = statistics.of("m", 1)
    assert found["inference_count"] == found["inference_stats"]["compute_infer"]["count"] == 1000


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_processes_see_what_all_have_counted() -> None:
    """Counts and durations are sums, and the latest call is the latest of all; whoever is asked."""
    memories = [shared_memory(), shared_memory()]
    both = [InferenceStatistics(Memories(memories, own=own)) for own in range(2)]
    both[1].succeeded("other", 1, timings(), seconds=0)  # in another place than in the first memory
    for statistics, items in zip(both, (1, 3), strict=True):
        statistics.succeeded("m", 1, timings(items), seconds=0.004)
    both[0].failed("m", 1, seconds=0.001)
    found: Any = both[0].of("m", 1)
    assert found == both[1].of("m", 1)
    assert (found["inference_count"], found["execution_count"]) == (4, 2)
    assert found["inference_stats"]["success"] == {"count": 2, "ns": 8_000_000}
    assert found["inference_stats"]["fail"] == {"count": 1, "ns": 1_000_000}
    assert [batch["batch_size"] for batch in found["batch_stats"]] == [1, 3]


@pytest.mark.skipif(sys.platform != "linux", reason="workers are for Linux")
def test_what_a_process_has_counted_outlives_it() -> None:
    """The one that gets its memory counts on."""
    memory = shared_memory()
    InferenceStatistics(Memories([memory])).succeeded("m", 1, timings(), seconds=0)
    after = InferenceStatistics(Memories([memory]))
    after.succeeded("m", 1, timings(), seconds=0)
    found: Any = after.of("m", 1)
    assert found["inference_count"] == 2


def test_names_and_versions_may_be_long() -> None:
    """As long as the names of folders, in any script; 20261124 is a version too, and so is one beyond 64 bits."""
    statistics = InferenceStatistics()
    asked = [("\u00e4" * 127, 1), ("m", 20261124), ("m", 2026112), ("m", 10**200)]
    for model, version in asked:
        statistics.succeeded(model, version, timings(), seconds=0)
    found: list[Any] = [statistics.of(model, version) for model, version in asked]
    assert [one["inference_count"] for one in found] == [1] * 4


def test_there_is_room_for_many_versions(caplog: pytest.LogCaptureFixture) -> None:
    """The log tells which versions have no counters, beyond 1024; nothing else breaks."""
    statistics = InferenceStatistics()
    for version in range(1, 1027):
        statistics.failed("m", version, seconds=0)
    found: list[Any] = [statistics.of("m", version) for version in (1, 1024, 1025)]
    assert [one["inference_stats"]["fail"]["count"] for one in found] == [1, 1, 0]
    assert "1024 rows have counters; m/1025 gets none" in caplog.text

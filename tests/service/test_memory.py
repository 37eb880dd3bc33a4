"""Promises of service.memory."""

import gc
import mmap
import os
import platform
from pathlib import Path
from threading import Thread
from threading import enumerate as enumerate_threads

import pytest

from benchmarks.processes import proportional_memory
from service import memory


@pytest.mark.skipif(platform.libc_ver()[0] != "glibc", reason="other allocators are left alone")
def test_what_another_thread_freed_goes_back_to_the_system() -> None:
    """Small pieces, which glibc keeps: 64 MiB of them, taken and dropped in a thread as a model's loading does."""

    def work() -> None:
        pieces = [bytes(2**10) for _ in range(2**16)]
        kept.append(pieces.pop())

    kept: list[bytes] = []
    thread = Thread(target=work)
    thread.start()
    thread.join()
    before = proportional_memory(os.getpid())
    memory.give_back()
    assert before - proportional_memory(os.getpid()) > 2**25


needs_large_pages = pytest.mark.skipif(
    not Path("/sys/kernel/mm/transparent_hugepage").exists(), reason="the system has no large pages to give"
)


def rolled_up(field: str) -> int:
    """A field of the sums that the kernel keeps of this process's memory, in bytes."""
    lines = Path("/proc/self/smaps_rollup").read_text().splitlines()
    return next(int(line.split()[1]) * 1024 for line in lines if line.startswith(f"{field}:"))


@needs_large_pages
def test_memory_in_use_is_put_on_large_pages() -> None:
    """What it holds stays."""
    with mmap.mmap(-1, 2**25, flags=mmap.MAP_PRIVATE) as block:
        block.write(b"weights!" * (2**25 // 8))
        before = rolled_up("AnonHugePages")
        memory.use_large_pages()
        assert rolled_up("AnonHugePages") - before > 2**24
        assert block[:] == b"weights!" * (2**25 // 8)


@needs_large_pages
def test_memory_that_is_little_used_takes_no_more() -> None:
    """A large page is taken as a whole: half of one in use would become twice as much."""
    memory.use_large_pages()  # what else is there
    with mmap.mmap(-1, 2**25, flags=mmap.MAP_PRIVATE) as block:
        for start in range(0, len(block), 2 * mmap.PAGESIZE):
            block[start] = 1
        before = rolled_up("Rss")
        memory.use_large_pages()
        assert rolled_up("Rss") - before < 2**22


def test_what_lasts_is_no_business_of_the_garbage_collector() -> None:
    """It does not look while it is made, and never looks at it afterwards."""
    before = gc.get_freeze_count()
    with memory.lasting():
        assert not gc.isenabled()
        kept = [[number] for number in range(1000)]
    try:
        assert gc.isenabled()
        assert gc.get_freeze_count() - before >= len(kept)
    finally:
        gc.unfreeze()


def test_the_garbage_collector_works_again_after_an_error() -> None:
    """A service that cannot start says so, and other commands go on."""
    with pytest.raises(KeyError), memory.lasting():
        raise KeyError
    assert gc.isenabled()
    gc.unfreeze()


@needs_large_pages
def test_large_pages_are_found_in_the_background() -> None:
    """Whoever has made a network goes on."""
    with mmap.mmap(-1, 2**25, flags=mmap.MAP_PRIVATE) as block:
        block.write(b"weights!" * (2**25 // 8))
        before, running = rolled_up("AnonHugePages"), set(enumerate_threads())
        memory.use_large_pages_soon()
        for thread in set(enumerate_threads()) - running:
            thread.join(60)
        assert rolled_up("AnonHugePages") - before > 2**24


def test_what_a_system_does_not_have_is_not_asked_for(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """An allocator that keeps nothing, and no list of mappings."""
    monkeypatch.setattr(memory, "_LIBRARY", object())
    monkeypatch.setattr(memory, "_MAPPINGS", tmp_path / "maps")
    memory.give_back()
    memory.use_large_pages()

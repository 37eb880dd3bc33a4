"""Memory that is free goes back to the system."""

import os
import platform
from threading import Thread

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

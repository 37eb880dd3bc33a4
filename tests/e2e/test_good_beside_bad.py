"""What other servers get wrong: bad requests beside good ones, and more callers than can be served."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tests import images, tiny_models
from tests.e2e.callers import CLASSIFY, Caller, ask, connected
from tests.e2e.conftest import Server, started

GOOD = {images.plain(0): "dark", images.plain(255): "bright"}
BAD = {
    b"": 400,
    b"this is no image": 415,
    images.plain(7)[:40]: 422,
    b"\xff\xd8\xff\xe0\x00\x10JFIF\x00 and then nothing of a JPEG": 422,
    b'{"images": ["%"]}': 400,
}
MANY = json.dumps(
    {"inputs": [{"name": "images", "datatype": "FP32", "shape": [1000, 1, 2, 2], "data": [0.5] * 4000}]}
).encode()
ROUNDS = 40


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A service whose callers share runs, and of whom few may wait."""
    tiny_models.publish(tmp_path)
    with started(tmp_path, "--max-batch", "8", "--threads", "2", "--max-queue", "4") as running:
        yield running


def test_a_bad_image_fails_no_good_one(server: Server) -> None:
    """They come at the same time, and may share a batch: each gets its own answer, and never 500."""

    def good(caller: Caller) -> None:
        for _ in range(ROUNDS):
            for picture, label in GOOD.items():
                status, body = ask(caller, "POST", CLASSIFY, picture)
                assert status == 200, body
                best = json.loads(body)["results"][0]["predictions"][0]
                assert best["label"] == label or label == "dark"  # black has three classes of equal probability

    def bad(caller: Caller) -> None:
        for _ in range(ROUNDS):
            for body, status in BAD.items():
                assert ask(caller, "POST", CLASSIFY, body)[0] == status

    with connected(server, 8) as callers, ThreadPoolExecutor(8) as pool:
        for call in [pool.submit(bad if number % 4 == 0 else good, caller) for number, caller in enumerate(callers)]:
            call.result()


def test_with_256_callers_nobody_waits_for_all_others(server: Server) -> None:
    """Who cannot be served soon is told so at once, and when to come again; health is answered all the while."""

    def call(caller: Caller) -> int:
        caller.request("POST", "/v2/models/brightness/infer", MANY)
        answer = caller.getresponse()
        answer.read()
        assert answer.status == 200 or answer.headers["retry-after"]
        return answer.status

    with connected(server, 256) as callers, connected(server, 1) as (probe,), ThreadPoolExecutor(256) as pool:
        calls = [pool.submit(call, caller) for caller in callers]
        while not all(one.done() for one in calls):
            assert ask(probe, "GET", "/v2/health/live")[0] == 200
        found = Counter(one.result() for one in calls)
    assert set(found) == {200, 503}

"""The service under more load than it can take, and afterwards."""

import base64
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from threading import Event

import pytest
from onnx import TensorProto

from tests import images, tensor_models, tiny_models
from tests.e2e.callers import Caller, ask, connected
from tests.e2e.conftest import Server, started

CALLERS = 16
CLASSIFY = "/v1/models/efficientnet-lite0/classify"
LONGEST_SECONDS = 0.05
BODY = 20_000_000  # bytes, nearly as many as are accepted
LISTENED_SECONDS = 3
MOST_LATE = 0.05  # of the moments: the cores have others to serve, too
TRIES = 5
WIDE = 1000  # pixels: the answer for 4 images has 16 MB, enlarged to a picture one has 48 MB


def seconds(call: Callable[[], tuple[int, bytes]], times: int = 1) -> list[float]:
    """How long each of several calls takes."""
    taken = []
    for _ in range(times):
        start = time.perf_counter()
        assert call()[0] == 200
        taken.append(time.perf_counter() - start)
    return taken


@contextmanager
def loaded(server: Server, call: Callable[[Caller], object], count: int = CALLERS) -> Iterator[None]:
    """So many callers ask again and again."""
    enough, busy = Event(), Event()

    def go_on(caller: Caller) -> None:
        while not enough.is_set():
            call(caller)
            busy.set()

    with connected(server, count) as callers, ThreadPoolExecutor(count) as pool:
        calls = [pool.submit(go_on, caller) for caller in callers]
        try:
            assert busy.wait(timeout=60)
            yield
        finally:
            enough.set()
        for one in calls:
            one.result()


def classified(caller: Caller, photo: bytes) -> None:
    """More callers wait than there are cores."""
    assert ask(caller, "POST", CLASSIFY, photo)[0] == 200


def test_health_is_answered_at_once_while_all_cores_are_busy(server: Server, chelsea: bytes) -> None:
    """And the first request afterwards takes as long as one before."""
    with connected(server, 1) as (caller,):
        before = min(seconds(lambda: ask(caller, "POST", CLASSIFY, chelsea), 15))
        with loaded(server, lambda busy: classified(busy, chelsea)):
            health = median(seconds(lambda: ask(caller, "GET", "/v2/health/live"), 100))
            waiting = median(seconds(lambda: ask(caller, "POST", CLASSIFY, chelsea), 3))
        after = min(seconds(lambda: ask(caller, "POST", CLASSIFY, chelsea), 15))
    assert waiting > 2 * before  # it was loaded
    assert health < LONGEST_SECONDS
    assert health < waiting / 3
    assert after < 2 * before


@pytest.fixture(scope="module")
def tensors(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    """A service with a network that gives back what it gets, one that takes images, and one with large maps."""
    root: Path = tmp_path_factory.mktemp("models")
    tiny_models.publish(root, tensor_models.identity(TensorProto.FLOAT), name="same", described=False)
    tiny_models.publish(root)
    tiny_models.publish(root, tiny_models.brightness(size=WIDE), name="wide", input=tiny_models.image_input(size=WIDE))
    with started(root, "--no-access-log") as running:
        yield running


def tensor(data: bytes, count: int) -> bytes:
    """A request with numbers in JSON; its answer is binary."""
    head = f'"name":"x","datatype":"FP32","shape":[1,{count}]'
    output = b'"outputs":[{"name":"y","parameters":{"binary_data":true}}]'
    return b'{"inputs":[{%s,"data":%s}],%s}' % (head.encode(), data, output)


def repeated(unit: bytes) -> bytes:
    """A list, and a request of it."""
    count = (BODY - 1000) // (len(unit) + 1)
    return tensor(b"[" + b",".join([unit] * count) + b"]", count)


def form(*pictures: bytes) -> tuple[bytes, Mapping[str, str]]:
    """Images in multipart form data."""
    part = b'--X\r\nContent-Disposition: form-data; name="image"\r\n\r\n%s\r\n'
    return b"".join(part % picture for picture in pictures) + b"--X--", {
        "Content-Type": "multipart/form-data; boundary=X"
    }


INFER = "/v2/models/same/infer"
IMAGES = "/v1/models/brightness/classify"
MAPS = "/v1/models/wide/feature-maps?layer=conv&format="
Request = tuple[str, bytes, Mapping[str, str], int]
LARGE: Mapping[str, Callable[[], Request]] = {
    "numbers": lambda: (INFER, repeated(b"-0.123456789"), {}, 200),
    "numbers, and as many back": lambda: (INFER, repeated(b"-0.123456789").replace(b"true", b"false"), {}, 200),
    "numbers in rows": lambda: (INFER, repeated(b"[0.5]"), {}, 200),
    "one that is no number": lambda: (INFER, repeated(b"0.25").replace(b"0.25", b"NaN", 1), {}, 200),
    "texts": lambda: (INFER, repeated(b'""'), {}, 413),
    "escapes": lambda: (INFER, tensor(b'["' + rb"\u00e9" * (BODY // 6 - 100) + b'"]', 1), {}, 413),
    "lists": lambda: (INFER, repeated(b"[]"), {}, 413),
    "an unknown key": lambda: (INFER, repeated(b"1").replace(b'"data"', b'"date"'), {}, 413),
    "numbers for images": lambda: (IMAGES, b'{"images":[' + b"1," * 9_999_000 + b"1]}", {}, 413),
    "base64": lambda: (IMAGES, b'{"images":["' + base64.b64encode(bytes(14_999_000)) + b'"]}', {}, 415),
    "a form": lambda: (IMAGES, *form(b"-" * BODY), 415),
    "maps as npz": lambda: (f"{MAPS}npz", *form(*[images.plain(255)] * 4), 200),
    "maps as safetensors": lambda: (f"{MAPS}safetensors", *form(*[images.plain(255)] * 4), 200),
    "a large picture": lambda: (f"{MAPS}png&enlarge=4", images.plain(255), {}, 200),
}


def late(server: Server, call: Callable[[Caller], object]) -> float:
    """The share of moments at which whoever asks about health, beside three callers, waits for more than 50 ms."""
    taken: list[float] = []
    with connected(server, 1) as (caller,), loaded(server, call, 3):
        while sum(taken) < LISTENED_SECONDS:
            taken += seconds(lambda: ask(caller, "GET", "/v2/health/live"))
    return sum(max(0, one - LONGEST_SECONDS) for one in taken) / sum(taken)


@pytest.mark.parametrize("kind", LARGE)
def test_health_is_answered_at_once_beside_large_requests(tensors: Server, kind: str) -> None:
    """Whoever asks at any moment waits for less than 50 ms: what is large is read and written in pieces.

    It is tried again where others take the cores: what holds up the service itself does so each time.
    """
    path, body, headers, status = LARGE[kind]()

    def call(caller: Caller) -> None:
        caller.request("POST", path, body, dict(headers))
        answer = caller.getresponse()
        while answer.read(2**20):
            pass
        assert answer.status == status

    shares: list[float] = []
    while len(shares) < TRIES and min(shares, default=1) >= MOST_LATE:
        shares.append(late(tensors, call))
    assert min(shares) < MOST_LATE, shares

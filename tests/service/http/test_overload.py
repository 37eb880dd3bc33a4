"""A service that has more to do than it can."""

import asyncio
import gzip
import threading
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from anyio.to_thread import current_default_thread_limiter
from starlette.types import Message, Scope

from service.engine import Engine, open_engine
from service.http.app import create_app
from service.settings import Settings
from service.timing import Timings
from tests import images, tiny_models

ENOUGH = 2400  # a picture of so many pixels on a side takes a thread of its own


async def unread() -> Message:
    """A body that nobody may want."""
    pytest.fail("the body was read")


async def ask(
    engine: Engine, path: str, receive: Callable[[], Awaitable[Message]], *, length: int, coding: str = "identity"
) -> list[Message]:
    """What the application sends."""
    sent: list[Message] = []

    async def send(message: Message) -> None:
        sent.append(message)

    scope: Scope = {
        "type": "http",
        "http_version": "1.1",
        "method": "POST",
        "path": path,
        "raw_path": path.encode(),
        "query_string": b"",
        "headers": [(b"content-length", str(length).encode()), (b"content-encoding", coding.encode())],
        "state": {},
    }
    await create_app(engine)(scope, receive, send)
    return sent


@pytest.mark.parametrize("path", ["/v1/models/large/classify", "/v2/models/large/infer"])
def test_a_full_queue_is_told_before_the_body_is_read(repository: Path, settings: Settings, path: str) -> None:
    """Refusing costs next to nothing: 503, and when to come again."""
    large = tiny_models.brightness(size=ENOUGH)
    tiny_models.publish(repository, large, name="large", input=tiny_models.image_input(size=ENOUGH))
    engine = open_engine(settings.model_copy(update={"max_queue": 0}))
    engine.registry.load_all()
    done = threading.Event()

    async def busy() -> list[Message]:
        job = asyncio.create_task(engine.scheduler.run(done.wait, Timings()))
        await asyncio.sleep(0)
        try:
            return await ask(engine, path, unread, length=1000)
        finally:
            done.set()
            await job

    start, body = asyncio.run(busy())
    assert start["status"] == 503
    assert dict(start["headers"])[b"retry-after"]
    assert b"(setting max_queue)" in body["body"]


def test_a_short_work_does_not_wait_behind_a_full_queue(repository: Path, settings: Settings) -> None:
    """It takes no thread."""
    tiny_models.publish(repository)
    engine = open_engine(settings.model_copy(update={"max_queue": 0}))
    engine.registry.load_all()
    done = threading.Event()

    picture = images.plain(255)
    script: list[Message] = [{"type": "http.request", "body": picture, "more_body": False}]

    async def receive() -> Message:
        return script.pop() if script else await asyncio.Future()  # the caller waits, too

    async def busy() -> list[Message]:
        job = asyncio.create_task(engine.scheduler.run(done.wait, Timings()))
        await asyncio.sleep(0)
        try:
            return await ask(engine, "/v1/models/brightness/classify", receive, length=len(picture))
        finally:
            done.set()
            await job

    assert asyncio.run(busy())[0]["status"] == 200


async def hung_up() -> Message:
    """A caller who does not wait for the answer."""
    return {"type": "http.disconnect"}


@pytest.mark.parametrize(
    ("path", "status"),
    [
        ("/v1/models/unknown/classify", 404),
        ("/nothing", 404),
        ("/v1/models", 405),
        ("/v1/models/brightness/classify", 499),
    ],
)
def test_an_error_is_answered_though_no_thread_is_free(
    repository: Path, settings: Settings, path: str, status: int
) -> None:
    """It needs none: in a thread it would stand in line with those who compute."""
    tiny_models.publish(repository)
    engine = open_engine(settings)
    engine.registry.load_all()

    async def crowded() -> list[Message]:
        threads = current_default_thread_limiter()
        threads.total_tokens = 1
        threads.acquire_on_behalf_of_nowait("somebody else")
        async with asyncio.timeout(10):
            return await ask(engine, path, hung_up, length=1000)

    assert asyncio.run(crowded())[0]["status"] == status
    assert ("hung-up" in engine.requests.errors()) == (status == 499)


def test_a_body_without_room_is_told_before_it_is_read(repository: Path, settings: Settings) -> None:
    """What it announces counts; and what was refused holds nothing."""
    tiny_models.publish(repository)
    engine = open_engine(settings.model_copy(update={"max_held_bytes": 1000}))
    engine.registry.load_all()
    engine.room.take(600)
    start, body = asyncio.run(ask(engine, "/v1/models/brightness/classify", unread, length=500))
    assert start["status"] == 503
    assert b"(setting max_held_bytes: 1,000)" in body["body"]
    assert engine.room.held == 600


def test_a_body_takes_room_as_it_is_decompressed(repository: Path, settings: Settings) -> None:
    """It may wait then: what comes out counts, and not only what was sent."""
    tiny_models.publish(repository)
    engine = open_engine(settings.model_copy(update={"max_held_bytes": 1000}))
    engine.registry.load_all()
    engine.room.take(600)
    body = gzip.compress(bytes(500))
    script: list[Message] = [{"type": "http.request", "body": body, "more_body": False}]

    async def receive() -> Message:
        return script.pop() if script else await asyncio.Future()  # the caller waits, too

    start, answer = asyncio.run(ask(engine, "/v2/models/brightness/infer", receive, length=len(body), coding="gzip"))
    assert start["status"] == 503
    assert b"no room for 500 more" in answer["body"]
    assert engine.room.held == 600


def test_what_a_body_took_is_free_when_the_request_has_ended(repository: Path, settings: Settings) -> None:
    """However it ended: answered, refused, or hung up in the middle."""
    tiny_models.publish(repository)
    engine = open_engine(settings)
    engine.registry.load_all()
    held: list[int] = []
    messages: list[list[Message]] = [
        [{"type": "http.request", "body": b"no image", "more_body": False}],
        [{"type": "http.request", "body": b"half", "more_body": True}, {"type": "http.disconnect"}],
    ]

    async def play(script: list[Message]) -> None:
        async def receive() -> Message:
            held.append(engine.room.held)
            if not script:
                await asyncio.Event().wait()  # the caller waits, too
            return script.pop(0)

        await ask(engine, "/v1/models/brightness/classify", receive, length=8)

    for script in messages:
        asyncio.run(play(script))
        assert engine.room.held == 0
    assert held == [0, 8, 0, 4]

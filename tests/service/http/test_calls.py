"""Promises of service.http.calls."""

import asyncio

import pytest
from fastapi import Request
from fastapi.testclient import TestClient
from starlette.requests import ClientDisconnect
from starlette.types import Message

from service.http.calls import while_connected
from tests import images
from tests.service.http.line import in_no_time, passed

ROUTES = ["classify", "preprocessed", "feature-maps?layer=0", "embeddings", "heatmap"]


@pytest.mark.parametrize("route", ROUTES)
def test_every_route_about_images_decodes_as_asked(client: TestClient, route: str) -> None:
    """And says in a header how."""
    found = [
        client.post(
            f"/v1/models/brightness/{route}{'&' if '?' in route else '?'}decoding={asked}", content=images.plain(7)
        )
        for asked in ("fast", "exact")
    ]
    assert [answer.headers["striate-decoding"].split(";")[0] for answer in found] == ["fast", "exact"]


@pytest.mark.parametrize("route", ROUTES)
@pytest.mark.parametrize("asked", ["quick", "", "Exact"])
def test_a_way_of_decoding_that_there_is_not_is_refused(client: TestClient, route: str, asked: str) -> None:
    """With those that there are."""
    path = f"/v1/models/brightness/{route}{'&' if '?' in route else '?'}decoding={asked}"
    answer = client.post(path, content=images.plain(7))
    assert answer.status_code == 400
    assert "decoding: Input should be 'fast' or 'exact'" in answer.json()["detail"]


class Caller:
    """Someone who waits for an answer."""

    def __init__(self) -> None:
        self._messages: asyncio.Queue[Message] = asyncio.Queue()
        self.answer: asyncio.Future[str] = asyncio.get_running_loop().create_future()
        self.waiting = asyncio.create_task(self._wait())

    async def _wait(self) -> str:
        found = await while_connected(Request({"type": "http"}, self._messages.get), self._work())
        await asyncio.sleep(0)  # as one who sends it
        return found

    async def _work(self) -> str:
        return await self.answer

    def say(self, what: str) -> None:
        """Something that only a caller can say."""
        self._messages.put_nowait({"type": f"http.{what}"})


@in_no_time
async def test_work_is_given_up_when_its_caller_hangs_up() -> None:
    """Not when more comes than is wanted; and whoever waits may go on."""
    caller = Caller()
    await passed()
    caller.say("request")
    await passed()
    assert not caller.answer.cancelled()
    caller.say("disconnect")
    with pytest.raises(ClientDisconnect):
        await caller.waiting
    assert caller.answer.cancelled()
    assert caller.waiting.cancelling() == 0


@in_no_time
async def test_who_is_stopped_by_others_is_no_caller_who_hung_up() -> None:
    """As at the end of the service."""
    caller = Caller()
    await passed()
    caller.waiting.cancel()
    with pytest.raises(asyncio.CancelledError):
        await caller.waiting
    assert caller.answer.cancelled()


@in_no_time
async def test_nobody_watches_a_caller_who_was_answered() -> None:
    """All that was begun for it has ended."""
    caller = Caller()
    await passed()
    caller.answer.set_result("answer")
    assert await caller.waiting == "answer"
    await passed()
    assert asyncio.all_tasks() == {asyncio.current_task()}


@in_no_time
async def test_who_hangs_up_as_the_answer_comes_stops_nothing() -> None:
    """What is done is sent, to nobody."""
    caller = Caller()
    await passed()
    caller.say("disconnect")
    caller.answer.set_result("answer")
    assert await caller.waiting == "answer"

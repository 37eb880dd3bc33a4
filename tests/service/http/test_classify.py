"""Promises of service.http.routes.classify."""

import base64
import gzip
import json
import zlib
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
from fastapi.testclient import TestClient

from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect

PATH = "/v1/models/brightness/classify"
WHITE, BLACK = images.plain(255), images.plain(0)


def best(answer: object) -> list[str]:
    """The best label of each image of an answer."""
    assert isinstance(answer, dict)
    return [result["predictions"][0]["label"] for result in answer["results"]]


def test_an_image_is_classified(client: TestClient) -> None:
    """Model, version, and the classes with their probabilities, the best first."""
    answer = client.post(PATH, content=WHITE)
    assert answer.status_code == 200
    assert answer.json() == {
        "model": "brightness",
        "version": 1,
        "results": [
            {
                "predictions": [
                    {"class_id": 2, "label": "bright", "probability": pytest.approx(0.66524, abs=1e-5)},
                    {"class_id": 1, "label": "middle", "probability": pytest.approx(0.24473, abs=1e-5)},
                    {"class_id": 0, "label": "dark", "probability": pytest.approx(0.09003, abs=1e-5)},
                ]
            }
        ],
    }


@pytest.mark.parametrize("path", [PATH, "/v1/models/brightness/versions/1/classify"])
@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_every_form_of_a_request_gives_the_same(client: TestClient, method: str, path: str) -> None:
    """Raw, form and JSON; POST and PUT; with a version in the path and without."""
    text = base64.b64encode(WHITE).decode()
    answers = [
        client.request(method, path, content=WHITE),
        client.request(method, path, files={"image": WHITE}),
        client.request(method, path, json={"images": [text]}),
        client.request(method, path, json={"images": [f"data:image/png;base64,{text}"]}),
    ]
    assert [answer.status_code for answer in answers] == [200] * 4
    assert all(answer.json() == answers[0].json() for answer in answers)
    assert best(answers[0].json()) == ["bright"]


def test_several_images_are_answered_in_their_order(client: TestClient) -> None:
    """As a form and as JSON."""
    form = client.post(PATH, files=[("image", WHITE), ("image", BLACK), ("image", WHITE)])
    text = client.post(PATH, json={"images": [base64.b64encode(one).decode() for one in (WHITE, BLACK, WHITE)]})
    assert best(form.json()) == best(text.json()) == ["bright", "dark", "bright"]


def test_time_is_told_by_stage(client: TestClient) -> None:
    """`Server-Timing` names each stage once, in the order in which they came."""
    header = client.post(PATH, content=WHITE).headers["server-timing"]
    assert [entry.split(";")[0].strip() for entry in header.split(",")] == ["decode", "queue", "compute", "encode"]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("top_k=0", "top_k is 0; accepted: 1 to 3"),
        ("top_k=4", "top_k is 4; accepted: 1 to 3"),
        ("top_k=-1", "top_k is -1; accepted: 1 to 3"),
        ("top_k=all", "top_k: Input should be a valid integer"),
        ("topk=1", "there is no parameter 'topk'; accepted: decoding, top_k"),
    ],
)
def test_a_wrong_parameter_is_refused(client: TestClient, query: str, message: str) -> None:
    """The answer says what would be accepted."""
    answer = client.post(f"{PATH}?{query}", content=WHITE)
    assert answer.status_code == 400
    assert message in answer.json()["detail"]


@pytest.mark.parametrize(
    ("content", "status", "kind"),
    [
        pytest.param(b"", 400, "malformed-request", id="empty"),
        pytest.param(b"a text", 415, "image-type", id="text"),
        pytest.param(images.encode(images.gradient(64, 64), "jpeg")[:-200], 422, "image-decode", id="cut short"),
        pytest.param(images.encode(images.gradient(64, 64))[:100], 422, "image-decode", id="png cut short"),
        pytest.param(b"x" * 1001, 413, "request-too-large", id="over the limit"),
    ],
)
def test_a_wrong_body_is_refused(
    repository: Path, settings: Settings, connect: Connect, content: bytes, status: int, kind: str
) -> None:
    """Each with its own status; the service goes on."""
    tiny_models.publish(repository)
    limit = max(1000, len(content)) if status != 413 else 1000
    with connect(settings.model_copy(update={"max_body_bytes": limit})) as client:
        answer = client.post(PATH, content=content)
        assert (answer.status_code, answer.json()["type"]) == (status, f"urn:striate:{kind}")
        assert client.post(PATH, content=WHITE).status_code == 200


def test_a_body_without_a_length_is_counted(repository: Path, settings: Settings, connect: Connect) -> None:
    """A chunked body is refused as soon as it is too large."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"max_body_bytes": 1000})) as client:
        answer = client.post(PATH, content=(b"x" * 100 for _ in range(11)))
    assert answer.status_code == 413
    assert "1,000 bytes accepted (setting max_body_bytes)" in answer.json()["detail"]


def test_one_corrupt_image_is_named_among_good_ones(client: TestClient) -> None:
    """By its index, in words and as a field."""
    answer = client.post(PATH, files=[("image", WHITE), ("image", b"text")])
    assert answer.status_code == 415
    assert answer.json()["index"] == 1
    assert answer.json()["detail"].startswith("image 1: ")
    assert "index" not in client.post(PATH, content=b"text").json()


def test_a_field_that_is_misspelt_is_refused(client: TestClient) -> None:
    """In a form and in JSON."""
    form = client.post(PATH, files={"imag": WHITE})
    text = client.post(PATH, json={"image": ["x"]})
    assert (form.status_code, text.status_code) == (400, 400)
    assert "accepted: image" in form.json()["detail"]
    assert "images" in text.json()["detail"]


def test_a_full_queue_is_told_and_when_to_come_again(repository: Path, settings: Settings) -> None:
    """503 with Retry-After, and no waiting."""
    from service.engine import open_engine  # noqa: PLC0415
    from service.http.app import create_app  # noqa: PLC0415
    from service.scheduler import Scheduler  # noqa: PLC0415

    tiny_models.publish(repository)
    engine = open_engine(settings)
    engine.registry.load_all()
    full = replace(engine, scheduler=Scheduler(workers=1, max_queue=-1, deadline_seconds=1))
    with TestClient(create_app(full)) as client:
        answer = client.post(PATH, files={"image": WHITE})
    assert (answer.status_code, answer.headers["retry-after"]) == (503, "1")
    assert answer.json()["type"] == "urn:striate:queue-full"


def test_a_small_picture_waits_for_nobody(repository: Path, settings: Settings) -> None:
    """Where the queue is full of large ones, a tiny network still answers: it takes less time than to refuse."""
    from service.engine import open_engine  # noqa: PLC0415
    from service.http.app import create_app  # noqa: PLC0415
    from service.scheduler import Scheduler  # noqa: PLC0415

    tiny_models.publish(repository)
    engine = open_engine(settings)
    engine.registry.load_all()
    full = replace(engine, scheduler=Scheduler(workers=1, max_queue=-1, deadline_seconds=1))
    with TestClient(create_app(full)) as client:
        assert client.post(PATH, content=WHITE).json()["results"]


@pytest.mark.parametrize(("coding", "pack"), [("gzip", gzip.compress), ("deflate", zlib.compress)])
def test_a_body_may_be_compressed(client: TestClient, coding: str, pack: Callable[[bytes], bytes]) -> None:
    """JSON with images in base64 gains by it."""
    body = json.dumps({"images": [base64.b64encode(WHITE).decode(), base64.b64encode(BLACK).decode()]}).encode()
    answer = client.post(PATH, content=pack(body), headers={"Content-Encoding": coding})
    assert [len(result["predictions"]) for result in answer.json()["results"]] == [3, 3]
    assert best(answer.json())[0] == "bright"


@pytest.mark.parametrize(
    ("body", "coding", "status", "reason"),
    [
        pytest.param(gzip.compress(bytes(30_000_000)), "gzip", 413, "setting max_body_bytes", id="bomb"),
        pytest.param(WHITE, "gzip", 400, "the body is no gzip", id="plain"),
        pytest.param(WHITE, "br", 400, "accepted: gzip, deflate, identity", id="unknown"),
    ],
)
def test_a_body_that_cannot_be_unpacked_is_refused(
    client: TestClient, body: bytes, coding: str, status: int, reason: str
) -> None:
    """Whatever it would be: what is larger than a body may be is not unpacked to its end."""
    answer = client.post(PATH, content=body, headers={"Content-Encoding": coding})
    assert (answer.status_code, reason in answer.json()["detail"]) == (status, True), answer.text

"""Promises of service.http.access."""

import asyncio
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

import pytest
from fastapi import FastAPI, Request
from fastapi.testclient import TestClient
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from service.engine import open_engine
from service.http.access import Access
from service.http.app import create_app
from service.keys import ROLES, KeyRing, Role, make_key
from service.rates import TokenBuckets
from service.settings import Settings
from tests import images, tiny_models
from tests.service.http.conftest import Connect
from tests.service.http.protocol import error
from tests.service.test_keys import Clock

CLASSIFY = "/v1/models/brightness/classify"
ORIGIN = "https://example.org"


@dataclass(frozen=True)
class Guarded:
    """A client of an application that takes keys, and a key of each role."""

    client: TestClient
    keys: Mapping[Role, str]

    def bearer(self, role: Role) -> dict[str, str]:
        """The header of a key."""
        return {"Authorization": f"Bearer {self.keys[role]}"}


@pytest.fixture
def keys_file(tmp_path: Path) -> tuple[Path, Mapping[Role, str]]:
    """A file with a key of each role, and the keys."""
    made = {role: make_key(f"the-{role}", role) for role in ROLES}
    file = tmp_path / "striate.keys"
    file.write_text("".join(f"{key.line()}\n" for _, key in made.values()))
    return file, {role: sent for role, (sent, _) in made.items()}


@pytest.fixture
def guarded(
    repository: Path, settings: Settings, connect: Connect, keys_file: tuple[Path, Mapping[Role, str]]
) -> Iterator[Guarded]:
    """It serves `brightness`."""
    tiny_models.publish(repository)
    file, keys = keys_file
    with connect(settings.model_copy(update={"keys_file": file})) as client:
        yield Guarded(client, keys)


@pytest.mark.parametrize("path", ["/v2/health/live", "/v2/health/ready", "/", "/page/style.css", "/docs"])
def test_what_takes_no_key(guarded: Guarded, path: str) -> None:
    """Health, the page, the documentation; a wrong key does no harm."""
    assert guarded.client.get(path).status_code == 200
    assert guarded.client.get(path, headers={"X-API-Key": "wrong"}).status_code == 200


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/v1/models"),
        ("POST", CLASSIFY),
        ("PUT", CLASSIFY),
        ("GET", "/v1/nothing"),
        ("GET", "/nothing"),
        ("GET", "/page"),
        ("OPTIONS", "/v1/models"),
        ("TRACE", "/v1/models"),
        ("GET", "/v2"),
        ("GET", "/v2/models/brightness/ready"),
        ("GET", "/v2/models/nothing/ready"),
        ("GET", "/v2/models/stats"),
        ("POST", "/v2/models/brightness/infer"),
        ("POST", "/v2/repository/index"),
        ("POST", "/v2/repository/models/brightness/load"),
        ("GET", "/metrics"),
    ],
)
def test_all_else_takes_a_key(guarded: Guarded, method: str, path: str) -> None:
    """401 without one and with a wrong one: the same answer, which tells nothing of what is there."""
    without = guarded.client.request(method, path)
    wrong = guarded.client.request(method, path, headers={"Authorization": "Bearer striate_wrong"})
    for answer in (without, wrong):
        assert answer.status_code == 401
        del answer.headers["x-request-id"]
        assert answer.headers["www-authenticate"] == "Bearer"
    assert (without.content, {**without.headers}) == (wrong.content, {**wrong.headers})
    if path.startswith("/v2"):
        assert "Authorization: Bearer KEY" in error(without)
    else:
        assert without.headers["content-type"] == "application/problem+json"
        assert without.json()["type"] == "urn:striate:key-required"


def test_a_key_opens_what_its_role_is_for(guarded: Guarded) -> None:
    """Two ways to send it; the way of an admin is not that of a caller."""
    client = guarded.client
    assert client.post(CLASSIFY, content=images.plain(255), headers=guarded.bearer("caller")).status_code == 200
    assert client.get("/v1/models", headers={"X-API-Key": guarded.keys["caller"]}).status_code == 200
    assert client.get("/v1/models", headers={"X-API-Key": f"{guarded.keys['caller']} \t"}).status_code == 200
    assert client.get("/v1/models", headers={"authorization": f"bearer  {guarded.keys['caller']} "}).status_code == 200
    assert client.get("/v1/models", headers=guarded.bearer("admin")).status_code == 200
    load = "/v2/repository/models/brightness/load"
    assert client.post(load, headers=guarded.bearer("admin")).status_code == 200
    for role in ("caller", "metrics"):
        assert client.post(load, headers=guarded.bearer(role)).status_code == 403


def test_metrics_take_a_key_of_their_own(guarded: Guarded) -> None:
    """Which is good for nothing else."""
    client = guarded.client
    refused = client.get("/metrics", headers=guarded.bearer("caller"))
    assert (refused.status_code, refused.json()["type"]) == (403, "urn:striate:key-role")
    assert "has the role caller; this takes a key of the role metrics" in refused.json()["detail"]
    for role in ("metrics", "admin"):
        assert client.get("/metrics", headers=guarded.bearer(role)).status_code not in (401, 403)
    assert client.get("/v1/models", headers=guarded.bearer("metrics")).status_code == 403


@pytest.mark.parametrize(
    "sent",
    [
        {"Authorization": "Basic {key}"},
        {"Authorization": "{key}"},
        {"Authorization": "Bearer"},
        {"Authorization": "Bearer {key}x"},
        {"Authorization": "Bearer wrong", "X-API-Key": "{key}"},
        {"Cookie": "key={key}"},
    ],
)
def test_a_key_sent_otherwise_is_none(guarded: Guarded, sent: dict[str, str]) -> None:
    """Whatever is in the header that is asked first counts."""
    headers = {name: value.format(key=guarded.keys["caller"]) for name, value in sent.items()}
    assert guarded.client.get("/v1/models", headers=headers).status_code == 401
    assert guarded.client.get("/v1/models", params={"key": guarded.keys["caller"]}).status_code == 401


def test_the_documentation_says_that_calls_take_a_key(guarded: Guarded) -> None:
    """So that it has a field for it, and programs know."""
    for _ in range(2):
        schema = guarded.client.get("/openapi.json").json()
        assert schema["security"] == [{"key": []}]
        assert schema["components"]["securitySchemes"] == {"key": {"type": "http", "scheme": "bearer"}}


def test_no_body_is_read_without_a_key(guarded: Guarded) -> None:
    """Nor asked for: the answer comes while the body is still to come."""
    seen: list[Message] = []

    async def receive() -> Message:
        pytest.fail("the body is asked for")

    async def send(message: Message) -> None:
        seen.append(message)

    scope: Scope = {"type": "http", "method": "POST", "path": CLASSIFY, "headers": [], "query_string": b""}

    async def ask() -> None:
        await guarded.client.app(scope, receive, send)

    asyncio.run(ask())
    assert seen[0]["status"] == 401


def test_where_models_are_named_a_key_is_needed(guarded: Guarded) -> None:
    """A service that is not ready says no more than that to who has none."""
    guarded.client.post("/v2/repository/models/brightness/unload", headers=guarded.bearer("admin"))
    answer = guarded.client.get("/v2/health/ready")
    assert (answer.status_code, answer.json()) == (503, {"ready": False, "live": True})


def test_without_a_file_of_keys_all_is_open(repository: Path, settings: Settings, connect: Connect) -> None:
    """The key of the admin alone guards what an admin does, and a wrong key elsewhere is none."""
    tiny_models.publish(repository)
    with connect(settings.model_copy(update={"admin_key": "a-key"})) as client:
        assert client.get("/v1/models", headers={"X-API-Key": "wrong"}).status_code == 200
        assert client.post("/v2/repository/models/brightness/load").status_code == 401
        assert "security" not in client.get("/openapi.json").json()


def test_what_is_off_costs_nothing(settings: Settings) -> None:
    """No layer is put around the application."""
    around = {layer.cls for layer in create_app(open_engine(settings)).user_middleware}
    assert around & {Access, CORSMiddleware} == set()


Wrap = Callable[..., ASGIApp]


@pytest.fixture
def wrap(settings: Settings) -> Wrap:
    """Puts `Access` before an application that answers every path with who has asked; it is observed as ours is."""
    app = FastAPI()

    @app.get("/{path:path}")
    def answer(request: Request, path: str) -> str | None:  # noqa: ARG001  (it answers all)
        return getattr(request.state, "caller", None)

    def wrapped(keys: KeyRing | None = None, buckets: TokenBuckets | None = None) -> ASGIApp:
        return create_app(open_engine(settings)).observed(Access(app, keys=keys, buckets=buckets))

    return wrapped


def test_the_caller_is_told_to_what_comes_after(wrap: Wrap, tmp_path: Path) -> None:
    """By name, in the state of the request, as for the log."""
    sent, key = make_key("web", "caller")
    (tmp_path / "striate.keys").write_text(key.line())
    client = TestClient(wrap(KeyRing(tmp_path / "striate.keys")))
    assert client.get("/v1/x", headers={"X-API-Key": sent}).json() == "web"
    assert TestClient(wrap(KeyRing(admin_key="a-key"))).get("/v1/x").json() is None


@pytest.mark.parametrize(("path", "media_type"), [("/v1/x", "application/problem+json"), ("/v2/x", "application/json")])
def test_who_asks_too_often_has_to_wait(wrap: Wrap, path: str, media_type: str) -> None:
    """429 with the seconds, after which there is an answer again."""
    clock = Clock()
    client = TestClient(wrap(buckets=TokenBuckets(0.25, 2, clock=clock)))
    assert [client.get(path).status_code for _ in range(3)] == [200, 200, 429]
    answer = client.get(path)
    assert (answer.headers["retry-after"], answer.headers["content-type"]) == ("4", media_type)
    assert "more than 0.25 requests a second of one caller; try again in 4 s" in answer.text
    clock.now += 4
    assert client.get(path).status_code == 200


def test_a_rate_that_is_set_is_kept(settings: Settings, connect: Connect) -> None:
    """Without any keys."""
    with connect(settings.model_copy(update={"client_rate": 0.001, "client_burst": 2})) as client:
        assert [client.get("/v1/models").status_code for _ in range(3)] == [200, 200, 429]


def test_a_wait_is_told_in_whole_seconds(wrap: Wrap) -> None:
    """At least one, as 0 would be none."""
    client = TestClient(wrap(buckets=TokenBuckets(100, 1, clock=Clock())))
    client.get("/v1/x")
    assert client.get("/v1/x").headers["retry-after"] == "1"


@pytest.mark.parametrize(
    "path",
    [
        "/v2/health/live",
        "/v2/health/ready",
        "/v2/models/brightness/ready",
        "/v2/models/brightness/versions/1/ready",
        "/",
        "/page/style.css",
    ],
)
def test_health_and_the_page_are_never_limited(wrap: Wrap, path: str) -> None:
    """However often they are asked, also by who may ask nothing else."""
    client = TestClient(wrap(buckets=TokenBuckets(1, 2, clock=Clock())))
    assert [client.get("/v1/x").status_code for _ in range(3)] == [200, 200, 429]
    assert {client.get(path).status_code for _ in range(5)} == {200}
    assert client.get("/v1/models/x/ready").status_code == 429


def test_addresses_are_told_apart(wrap: Wrap) -> None:
    """Each has its rate, but for those of one IPv6 network; what a caller says of itself does not count."""
    app = wrap(buckets=TokenBuckets(1, 2, clock=Clock()))

    def statuses(address: str, headers: dict[str, str] | None = None) -> list[int]:
        client = TestClient(app, client=(address, 1), headers=headers)
        return [client.get("/v1/x").status_code for _ in range(3)]

    assert statuses("192.0.2.1") == [200, 200, 429]
    assert statuses("192.0.2.1", {"X-Forwarded-For": "192.0.2.9", "Forwarded": "for=192.0.2.9"}) == [429] * 3
    assert statuses("192.0.2.2") == [200, 200, 429]
    assert statuses("2001:db8::1") == [200, 200, 429]
    assert statuses("2001:db8::2") == [429] * 3
    assert statuses("2001:db8:0:1::2") == [200, 200, 429]


def test_callers_without_an_address_are_one(wrap: Wrap) -> None:
    """As of those who come over a socket of the system."""
    app = wrap(buckets=TokenBuckets(1, 2, clock=Clock()))

    async def nowhere(scope: Scope, receive: Receive, send: Send) -> None:
        await app({**scope, "client": None}, receive, send)

    client = TestClient(nowhere)
    assert [client.get("/v1/x").status_code for _ in range(3)] == [200, 200, 429]


def test_keys_are_told_apart_wherever_they_come_from(wrap: Wrap) -> None:
    """Two addresses with one key share its rate; guesses share that of the address."""
    app = wrap(KeyRing(admin_key="a-key"), TokenBuckets(1, 2, clock=Clock()))

    def statuses(address: str, key: str) -> list[int]:
        client = TestClient(app, client=(address, 1), headers={"X-API-Key": key})
        return [client.get("/v1/x").status_code for _ in range(2)]

    assert statuses("192.0.2.1", "a-key") == [200, 200]
    assert statuses("192.0.2.2", "a-key") == [429, 429]
    assert statuses("192.0.2.2", "guess") == [200, 200]
    assert statuses("192.0.2.2", "guess 2") == [429, 429]


def test_no_page_of_another_origin_may_ask(client: TestClient) -> None:
    """Unless the setting names it: no header allows it."""
    preflight = {"Origin": ORIGIN, "Access-Control-Request-Method": "POST"}
    assert "access-control-allow-origin" not in client.options(CLASSIFY, headers=preflight).headers
    assert "access-control-allow-origin" not in client.get("/v1/models", headers={"Origin": ORIGIN}).headers


def test_a_page_of_an_origin_that_is_named_may_ask(
    settings: Settings, connect: Connect, keys_file: tuple[Path, Mapping[Role, str]]
) -> None:
    """Its browser asks first without a key, and lets the page read refusals and our headers; others may not."""
    file, _ = keys_file
    with connect(settings.model_copy(update={"cors_origins": (ORIGIN,), "keys_file": file})) as client:
        preflight = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Headers": "authorization,content-type,x-api-key,x-request-id",
        }
        asked = client.options(CLASSIFY, headers=preflight)
        assert (asked.status_code, asked.headers["access-control-allow-origin"]) == (200, ORIGIN)
        refused = client.get("/v1/models", headers={"Origin": ORIGIN})
        assert (refused.status_code, refused.headers["access-control-allow-origin"]) == (401, ORIGIN)
        shown = {name.strip() for name in refused.headers["access-control-expose-headers"].split(",")}
        assert {"Server-Timing", "Retry-After", "X-Request-ID"} <= shown
        assert "access-control-allow-credentials" not in refused.headers
        other = client.get("/v1/models", headers={"Origin": "https://example.com"})
        assert "access-control-allow-origin" not in other.headers
        assert client.options(CLASSIFY, headers={**preflight, "Origin": "https://example.com"}).status_code == 400


@pytest.mark.parametrize(("origins", "allowed"), [((ORIGIN,), True), (("*",), False)])
def test_a_private_network_is_open_to_who_is_named(
    settings: Settings, connect: Connect, origins: tuple[str, ...], *, allowed: bool
) -> None:
    """A page from the internet finds none, though anybody may ask."""
    with connect(settings.model_copy(update={"cors_origins": origins})) as client:
        asked = {
            "Origin": ORIGIN,
            "Access-Control-Request-Method": "POST",
            "Access-Control-Request-Private-Network": "true",
        }
        answer = client.options(CLASSIFY, headers=asked)
    assert (answer.status_code == 200, "access-control-allow-private-network" in answer.headers) == (allowed, allowed)

"""What of the application for Ray needs no Ray: a request as a value, and models on demand."""

import asyncio
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import orjson
import pytest
import yaml
from starlette.requests import ClientDisconnect
from starlette.types import Message, Receive, Scope

from deploy.ray.forwarding import Call, Reply, ask, model_of, receive_call
from deploy.ray.on_demand import Load, Loaded, OnDemand
from service.engine import open_engine
from service.errors import RequestTooLargeError, SlowRequestError
from service.http.app import create_app
from service.settings import Settings
from tests import images, tiny_models
from tests.deploy.manifests import DEPLOY

PICTURE = images.plain(255)


def call(path: str, body: bytes = b"", *, method: str = "POST", headers: dict[bytes, bytes] | None = None) -> Call:
    """A request of a caller."""
    return Call(method, path, b"", tuple((headers or {}).items()), ("127.0.0.1", 1), body)


def keep(count: int) -> Callable[[Load], Load]:
    """Keep as many models as that, as Ray does."""

    def keeping(load: Load) -> Load:
        kept: OrderedDict[str, Loaded] = OrderedDict()

        async def lend(model: str) -> Loaded:
            if model not in kept:
                if len(kept) == count:
                    kept.popitem(last=False)
                kept[model] = await load(model)
            kept.move_to_end(model)
            return kept[model]

        return lend

    return keeping


def chunks(*bodies: bytes) -> Receive:
    """Gives a body in pieces, and then hangs up; without one, it says nothing."""
    messages: list[Message] = [{"type": "http.request", "body": body, "more_body": True} for body in bodies]

    async def receive() -> Message:
        if not bodies:
            await asyncio.Event().wait()
        return messages.pop(0) if messages else {"type": "http.disconnect"}

    return receive


def received(receive: Receive) -> Call:
    """Receive a request with a body of at most 4 bytes, without much patience."""
    scope: Scope = {"method": "POST", "path": "/", "query_string": b"", "headers": [], "client": None}
    return asyncio.run(receive_call(scope, receive, max_bytes=4, timeout_seconds=0.01))


@pytest.mark.parametrize(
    ("path", "model"),
    [
        ("/v1/models/lenet5", "lenet5"),
        ("/v1/models/lenet5/versions/1/classify", "lenet5"),
        ("/v2/models/lenet5/infer", "lenet5"),
        ("/v2/models/stats", None),
        ("/v1/models", None),
        ("/v2/repository/models/lenet5/load", None),
        ("/", None),
    ],
)
def test_a_path_tells_the_model(path: str, model: str | None) -> None:
    """Where it is about one."""
    assert model_of(path) == model


def test_an_answer_is_that_of_the_application(repository: Path, settings: Settings) -> None:
    """Status, headers and body, though the request went by as a value."""
    tiny_models.publish(repository)
    engine = open_engine(settings)
    engine.registry.load_all()
    reply = asyncio.run(ask(create_app(engine), call("/v1/models/brightness/classify", PICTURE)))
    assert (reply.status, orjson.loads(reply.body)["model"]) == (200, "brightness")
    assert dict(reply.headers)[b"content-length"] == str(len(reply.body)).encode()
    engine.close()


def test_a_body_that_is_too_large_is_not_held() -> None:
    """It ends with the piece that is too much."""
    with pytest.raises(RequestTooLargeError, match="4 bytes"):
        received(chunks(b"123", b"45", b"67"))


def test_a_body_that_does_not_arrive_is_not_waited_for() -> None:
    """Nor is that of a caller who hangs up."""
    with pytest.raises(SlowRequestError):
        received(chunks())
    with pytest.raises(ClientDisconnect):
        received(chunks(b"1"))


class Service:
    """Models on demand, with room for two."""

    def __init__(self, settings: Settings) -> None:
        self._service = OnDemand(settings, keep(2))

    def asked(self, *calls: Call) -> list[Reply]:
        """Ask one after the other."""

        async def run() -> list[Reply]:
            return [await self._service.answer(one) for one in calls]

        return asyncio.run(run())

    def loaded(self, *models: str) -> set[str]:
        """The models that are loaded when those were asked, one after the other."""
        replies = self.asked(*(call(f"/v1/models/{model}/classify", PICTURE) for model in models))
        assert [reply.status for reply in replies] == [200] * len(models)
        return {model for model in ("one", "two", "three") if self._service.has(model)}

    def status(self, path: str, **more: Any) -> int:  # noqa: ANN401  (as `call` takes them)
        """The status of one answer."""
        return self.asked(call(path, **more))[0].status

    def close(self) -> None:
        """End."""
        self._service.close()


@pytest.fixture
def service(repository: Path, settings: Settings) -> Any:  # noqa: ANN401  (of `Service`, and closed)
    """Three models and room for two."""
    for name in ("one", "two", "three"):
        tiny_models.publish(repository, name=name)
    made = Service(settings)
    yield made
    made.close()


def test_a_model_is_loaded_when_it_is_asked_for(service: Service) -> None:
    """And makes room for others when it was asked for least recently."""
    assert service.loaded() == set()
    assert service.loaded("one", "two") == {"one", "two"}
    assert service.loaded("one", "three") == {"one", "three"}
    assert service.loaded("two") == {"two", "three"}


def test_what_could_be_loaded_is_ready(service: Service) -> None:
    """Asking whether it is loads nothing, and pushes nothing out."""
    assert service.status("/v2/health/ready", method="GET") == 200
    assert service.status("/v2/models/one/ready", method="GET") == 200
    assert service.status("/v2/models/four/ready", method="GET") == 404
    assert service.loaded() == set()


def test_a_name_that_nothing_has_pushes_no_model_out(service: Service) -> None:
    """It is not found, as in the service itself."""
    assert service.loaded("one", "two") == {"one", "two"}
    assert service.status("/v1/models/four/classify", body=PICTURE) == 404
    assert service.loaded() == {"one", "two"}


def test_a_broken_model_is_tried_once(repository: Path, settings: Settings) -> None:
    """Who asks hears the reason; mended, it is loaded when it has made room for others."""
    for name in ("one", "two", "broken"):
        tiny_models.publish(repository, name=name)
    file = repository / "broken" / "1" / "model.onnx"
    whole = file.read_bytes()
    file.write_bytes(b"")
    service = Service(settings)
    (reply,) = service.asked(call("/v1/models/broken/classify", PICTURE))
    assert (reply.status, b"failed to load" in reply.body) == (503, True)
    file.write_bytes(whole)
    assert service.status("/v1/models/broken/classify", body=PICTURE) == 503
    assert service.loaded("one", "two") == {"one", "two"}
    assert service.status("/v1/models/broken/classify", body=PICTURE) == 200
    service.close()


def test_who_is_refused_pushes_no_model_out(repository: Path, settings: Settings) -> None:
    """They are looked at first: here, how often they ask."""
    tiny_models.publish(repository, name="one")
    service = Service(settings.model_copy(update={"client_rate": 0.001, "client_burst": 1}))
    assert service.status("/v1/models", method="GET") == 200
    assert service.status("/v1/models/one/classify", body=PICTURE) == 429
    assert service.loaded() == set()
    service.close()


def test_a_service_without_models_is_not_ready(settings: Settings) -> None:
    """There is nothing to load."""
    service = Service(settings)
    assert service.status("/v2/health/ready", method="GET") == 503
    service.close()


def test_the_configuration_names_settings() -> None:
    """Of the service, under `settings`."""
    (application,) = yaml.safe_load((DEPLOY / "ray" / "config.yaml").read_text())["applications"]
    assert application["import_path"] == "deploy.ray.application:app"
    Settings(**application["args"]["settings"])

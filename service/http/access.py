"""Who gets in, and how often: keys, rates and pages from elsewhere, before a route or a body is looked at.

Whose key was sent is told to whatever sees the request in its state: `key`, and `caller`, the name of its caller.
Neither is there where no key was sent, or a wrong one.
"""

import re
from collections.abc import Iterable
from typing import Any, Final

from fastapi import FastAPI, Request
from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

from service.errors import AccessError, KeyRequiredError, KeyRoleError, RateError
from service.http import problems
from service.http.routes.health import LIVE, READY
from service.keys import Key, KeyRing, Role
from service.networks import network_of
from service.rates import TokenBuckets
from service.settings import Settings

METRICS: Final = "/metrics"

# Whoever starts and stops the service has no key; the page has a field for one; and the documentation tells what is
# the same for every service, and nothing of this one.
_OPEN: Final = frozenset({LIVE, READY, "/", "/docs", "/openapi.json"})
_OPEN_FOLDERS: Final = ("/page/", "/docs/")
_MODEL_READY: Final = re.compile(r"/v2/models/[^/]+(/versions/[^/]+)?/ready")

_HEADERS_TAKEN: Final = (
    "Authorization",
    "Content-Type",
    "Inference-Header-Content-Length",
    "X-API-Key",
    "X-Request-ID",
    "traceparent",
    "tracestate",
)
_HEADERS_SHOWN: Final = (
    "Inference-Header-Content-Length",
    "Retry-After",
    "Server-Timing",
    "Striate-Decoding",
    "WWW-Authenticate",
    "X-Request-ID",
)


def install(app: FastAPI, settings: Settings) -> None:
    """Have an application check what the settings say; what they leave off costs nothing.

    Raises:
        SettingsError: The file of keys is none.
    """
    keys = None
    if settings.keys_file or settings.admin_key:
        keys = KeyRing(settings.keys_file, admin_key=settings.admin_key)
    app.state.keys = keys
    buckets = TokenBuckets(settings.client_rate, settings.client_burst) if settings.client_rate else None
    if keys is not None or buckets is not None:
        app.add_middleware(Access, keys=keys, buckets=buckets)
    if settings.cors_origins:  # outermost: a page must be able to read a refusal, and asks first without a key
        app.add_middleware(
            CORSMiddleware,
            allow_origins=settings.cors_origins,
            allow_methods=("GET", "HEAD", "POST", "PUT"),
            allow_headers=_HEADERS_TAKEN,
            expose_headers=_HEADERS_SHOWN,
            allow_private_network="*" not in settings.cors_origins,  # from the internet: only who is named
        )


def described(schema: dict[str, Any], keys: KeyRing | None) -> dict[str, Any]:
    """The documentation of an application, which says that calls take a key where they do."""
    if keys is not None and keys.guards:
        schema["components"]["securitySchemes"] = {"key": {"type": "http", "scheme": "bearer"}}
        schema["security"] = [{"key": []}]
    return schema


class Access:
    """Refuses who asks too often, or without the key that it takes.

    Args:
        app: What comes after.
        keys: The keys that are good; None where there is none.
        buckets: How often each client may ask; None for as often as it likes.
    """

    def __init__(self, app: ASGIApp, *, keys: KeyRing | None, buckets: TokenBuckets | None) -> None:
        self._app = app
        self._keys = keys
        self._buckets = buckets

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer a request, or pass it on."""
        if scope["type"] != "http" or scope["path"] in _OPEN or scope["path"].startswith(_OPEN_FOLDERS):
            await self._app(scope, receive, send)
        elif error := self._refusal(scope):
            await problems.answer(Request(scope), error)(scope, receive, send)
        else:
            await self._app(scope, receive, send)

    def _refusal(self, scope: Scope) -> AccessError | None:
        """Why a request is refused, where it is.  A wrong key counts for the address: guessing is slowed down."""
        key = self._keys.find(_sent(scope["headers"])) if self._keys is not None else None
        if key is not None:
            scope.setdefault("state", {}).update(key=key, caller=key.name)
        if self._buckets is not None and (wait := self._wait(scope, key, self._buckets)):
            return RateError(f"more than {self._buckets.rate:g} requests a second of one caller", wait_seconds=wait)
        if self._keys is not None and self._keys.guards:
            return refusal(key, "metrics" if scope["path"] == METRICS else "caller")
        return None

    def _wait(self, scope: Scope, key: Key | None, buckets: TokenBuckets) -> float:
        """How many seconds a caller must wait, known by a key or else by an address.  Health is never limited."""
        if _MODEL_READY.fullmatch(scope["path"]):
            return 0
        if key:
            return buckets.take(f"key {key.name}")
        address, _ = scope.get("client") or ("", 0)
        return buckets.take(network_of(address))


def refusal(key: Key | None, role: Role) -> AccessError | None:
    """Why the caller who sent a key may not do what takes a role; None where it may."""
    if key is None:
        return KeyRequiredError(
            f"this takes a key of the role {role}: send Authorization: Bearer KEY, or X-API-Key: KEY"
        )
    if not key.may(role):
        return KeyRoleError(f"the key of {key.name} has the role {key.role}; this takes a key of the role {role}")
    return None


def _sent(headers: Iterable[tuple[bytes, bytes]]) -> bytes:
    """The key that was sent; empty where there is none."""
    sent = b""
    for name, value in headers:
        if name == b"authorization":
            scheme, _, key = value.partition(b" ")
            if scheme.lower() == b"bearer":
                return key.strip()
        elif name == b"x-api-key":
            sent = value.strip()
    return sent
